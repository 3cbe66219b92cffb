// SQLite as the backends here use it: one connection, prepared statements, errors as values.
// Private to the room.
#pragma once

#include <sqlite3.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace harambee::store::sqlite {

[[nodiscard]] inline ErrorCode code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_CONSTRAINT:
      return ErrorCode::conflict;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::corrupt;
    default:
      return ErrorCode::io;
  }
}

// A prepared statement for one use: reset and unbound when it goes.
class Query {
 public:
  Query(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

  Query& bind(std::uint64_t value) {
    sqlite3_bind_int64(statement_, ++bound_, static_cast<sqlite3_int64>(value));
    return *this;
  }
  Query& bind(View bytes) {
    // A null pointer would bind NULL.
    static const std::uint8_t nothing = 0;
    sqlite3_bind_blob64(statement_, ++bound_, bytes.empty() ? &nothing : bytes.data(), bytes.size(),
                        SQLITE_STATIC);
    return *this;
  }
  Query& bind(const std::string& text) {
    sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
  }

  // True: there is a row.
  Result<bool> step() {
    const int result = sqlite3_step(statement_);
    if (result == SQLITE_ROW) return true;
    if (result == SQLITE_DONE) return false;
    return fail(code_of(result), std::string("database: ") + sqlite3_errmsg(db_));
  }
  Status run() {
    auto row = step();
    if (!row) return row.error();
    return ok();
  }

  [[nodiscard]] std::uint64_t integer(int column) const {
    return static_cast<std::uint64_t>(sqlite3_column_int64(statement_, column));
  }
  [[nodiscard]] View blob(int column) const {
    const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }
  [[nodiscard]] std::string str(int column) const { return std::string(text(blob(column))); }
  // False when the column has another size.
  template <typename Array>
  [[nodiscard]] bool fixed(int column, Array& out) const {
    const View bytes = blob(column);
    if (bytes.size() != out.size()) return false;
    std::copy(bytes.begin(), bytes.end(), out.begin());
    return true;
  }

 private:
  sqlite3* db_;
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

[[nodiscard]] inline Error damaged() {
  return fail(ErrorCode::corrupt, "database: a column has a wrong size");
}

// One connection with its prepared statements; the caller serialises.
class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
    sqlite3_close(db_);
  }

  Status open(const std::string& path) {
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    const int result = sqlite3_open_v2(path.c_str(), &db_, flags, nullptr);
    if (result != SQLITE_OK) {
      return fail(code_of(result), "database " + path + ": " + sqlite3_errstr(result));
    }
    sqlite3_busy_timeout(db_, 5000);
    return execute("pragma journal_mode=wal; pragma synchronous=full; pragma foreign_keys=on;");
  }

  Status execute(const char* sql) {
    char* message = nullptr;
    const int result = sqlite3_exec(db_, sql, nullptr, nullptr, &message);
    if (result == SQLITE_OK) return ok();
    const std::string reason = message != nullptr ? message : sqlite3_errstr(result);
    sqlite3_free(message);
    return fail(code_of(result), "database: " + reason);
  }

  // All of the work or nothing, durable when it returns ok; `work` returns a Status.
  template <typename Work>
  Status transaction(Work&& work) {
    if (auto begun = execute("begin immediate"); !begun) return begun;
    Status done = work();
    // COMMIT POINT
    if (done) done = execute("commit");
    if (!done) {
      // After some errors SQLite has rolled back by itself; then this one fails, rightly.
      static_cast<void>(execute("rollback").ok());
    }
    return done;
  }

  // Makes the tables in a new file; invalid: they are of another version.
  Status schema(const std::string& path, const char* sql, int known_version) {
    std::uint64_t version = 0;
    {
      Query found = query("pragma user_version");
      auto row = found.step();
      if (!row) return row.error();
      version = found.integer(0);
    }
    const std::string known = std::to_string(known_version);
    if (version == static_cast<std::uint64_t>(known_version)) return ok();
    if (version != 0) {
      return invalid(path + " has schema version " + std::to_string(version) +
                     "; this program knows " + known);
    }
    const std::string all =
        std::string("begin immediate;") + sql + "pragma user_version=" + known + ";commit";
    return execute(all.c_str());
  }

  // `sql` is a literal: its address is the key. If it does not compile (a damaged schema), step()
  // says so: SQLite answers SQLITE_MISUSE to a null statement.
  Query query(const char* sql) {
    for (auto& [known, statement] : statements_) {
      if (known == sql) return Query(db_, statement);
    }
    sqlite3_stmt* statement = nullptr;
    const int result =
        sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (result == SQLITE_OK) statements_.emplace_back(sql, statement);
    return Query(db_, statement);
  }

  [[nodiscard]] int changes() const { return sqlite3_changes(db_); }

 private:
  sqlite3* db_ = nullptr;
  std::vector<std::pair<const char*, sqlite3_stmt*>> statements_;
};

}  // namespace harambee::store::sqlite
