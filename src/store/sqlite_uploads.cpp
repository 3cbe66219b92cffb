#include "store/sqlite_uploads.h"

#include <mutex>

#include "store/sqlite.h"

namespace harambee::store {
namespace {

using hub::NotedUpload;

constexpr int kSchemaVersion = 1;

constexpr const char* kSchema = R"(
create table upload(digest blob not null, owner blob not null, size integer not null,
                    unix_ms integer not null, primary key (digest, owner)) strict, without rowid;
)";

class SqliteUploads : public hub::UploadLedger {
 public:
  Status open(const std::string& path) {
    if (auto opened = connection_.open(path); !opened) return opened;
    return connection_.schema(path, kSchema, kSchemaVersion);
  }

  Status note(std::span<const NotedUpload> uploads) override {
    return together([&]() -> Status {
      for (const NotedUpload& one : uploads) {
        sqlite::Query query =
            connection_.query("insert or replace into upload values (?, ?, ?, ?)");
        auto status = query.bind(one.digest.view())
                          .bind(one.owner.view())
                          .bind(one.size)
                          .bind(static_cast<std::uint64_t>(one.unix_ms))
                          .run();
        if (!status) return status;
      }
      return ok();
    });
  }

  Status forget(std::span<const std::pair<KeyId, Digest>> uploads) override {
    return together([&]() -> Status {
      for (const auto& [owner, digest] : uploads) {
        sqlite::Query query =
            connection_.query("delete from upload where digest = ? and owner = ?");
        auto status = query.bind(digest.view()).bind(owner.view()).run();
        if (!status) return status;
      }
      return ok();
    });
  }

  Result<std::vector<NotedUpload>> all() override {
    const std::lock_guard lock(mutex_);
    sqlite::Query query =
        connection_.query("select owner, digest, size, unix_ms from upload order by digest, owner");
    std::vector<NotedUpload> out;
    for (;;) {
      auto row = query.step();
      if (!row) return row.error();
      if (!*row) return out;
      NotedUpload one;
      if (!query.fixed(0, one.owner.bytes) || !query.fixed(1, one.digest.bytes)) {
        return sqlite::damaged();
      }
      one.size = query.integer(2);
      one.unix_ms = static_cast<std::int64_t>(query.integer(3));
      out.push_back(one);
    }
  }

 private:
  template <typename Work>
  Status together(Work&& work) {
    const std::lock_guard lock(mutex_);
    return connection_.transaction(work);
  }

  std::mutex mutex_;
  sqlite::Connection connection_;
};

}  // namespace

Result<std::unique_ptr<hub::UploadLedger>> open_sqlite_uploads(const std::string& path) {
  auto uploads = std::make_unique<SqliteUploads>();
  if (auto status = uploads->open(path); !status) return status.error();
  return std::unique_ptr<hub::UploadLedger>(std::move(uploads));
}

}  // namespace harambee::store
