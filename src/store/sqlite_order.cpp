#include "store/sqlite_order.h"

#include <mutex>

#include "store/sqlite.h"

namespace harambee::store {
namespace {

using hub::AuthorState;
using hub::NamedRun;
using hub::OrderBatch;
using hub::OrderHead;
using sqlite::Connection;
using sqlite::damaged;
using sqlite::Query;

constexpr int kSchemaVersion = 1;

// Integers are below 2^63: the log and its blobs end long before.
constexpr const char* kSchema = R"(
create table head(one integer primary key check (one = 1), size integer not null,
                  checkpoint text not null) strict;
insert into head values (1, 0, '');
create table record(idx integer primary key, id blob not null unique, author blob not null,
                    seq integer not null, unique (author, seq)) strict;
create table staged(idx integer primary key, envelope blob not null) strict;
create table author(id blob primary key, next_seq integer not null, prev blob not null,
                    key blob not null) strict, without rowid;
create table blob(digest blob not null, size integer not null,
                  primary key (digest, size)) strict, without rowid;
create table run(name text primary key, id blob not null, idx integer not null)
                 strict, without rowid;
create index run_by_idx on run(idx);
)";

class SqliteOrder : public hub::Order {
 public:
  Status open(const std::string& path) {
    if (auto status = writer_.open(path); !status) return status;
    if (auto status = writer_.schema(path, kSchema, kSchemaVersion); !status) return status;
    return reader_.open(path);
  }

  Status commit(const OrderBatch& batch) override {
    const std::lock_guard lock(write_mutex_);
    return writer_.transaction([&] { return write(batch); });  // COMMIT POINT
  }

  Result<OrderHead> head() override {
    const std::lock_guard lock(read_mutex_);
    Query query = reader_.query("select size, checkpoint from head");
    auto row = query.step();
    if (!row) return row.error();
    if (!*row) return damaged();
    return OrderHead{query.integer(0), query.str(1)};
  }

  Result<std::optional<std::uint64_t>> index_of(const Digest& record_id) override {
    const std::lock_guard lock(read_mutex_);
    Query query = reader_.query("select idx from record where id = ?");
    auto row = query.bind(record_id.view()).step();
    if (!row) return row.error();
    if (!*row) return std::optional<std::uint64_t>();
    return std::optional(query.integer(0));
  }

  Result<std::optional<AuthorState>> author(const KeyId& author) override {
    const std::lock_guard lock(read_mutex_);
    Query query = reader_.query("select next_seq, prev, key from author where id = ?");
    auto row = query.bind(author.view()).step();
    if (!row) return row.error();
    if (!*row) return std::optional<AuthorState>();
    AuthorState state;
    state.next_seq = query.integer(0);
    if (!query.fixed(1, state.prev.bytes) || !query.fixed(2, state.key.bytes)) return damaged();
    return std::optional(state);
  }

  Result<bool> expects(const Digest& digest, std::uint64_t size) override {
    if (size > INT64_MAX) return false;
    const std::lock_guard lock(read_mutex_);
    Query query = reader_.query("select 1 from blob where digest = ? and size = ?");
    return query.bind(digest.view()).bind(size).step();
  }

  Result<std::optional<NamedRun>> run(const std::string& name) override {
    const std::lock_guard lock(read_mutex_);
    Query query = reader_.query("select name, id, idx from run where name = ?");
    auto row = query.bind(name).step();
    if (!row) return row.error();
    if (!*row) return std::optional<NamedRun>();
    auto run = named_run(query);
    if (!run) return run.error();
    return std::optional(*std::move(run));
  }

  Result<std::vector<NamedRun>> runs(std::uint64_t count_max) override {
    const std::lock_guard lock(read_mutex_);
    Query query = reader_.query("select name, id, idx from run order by idx limit ?");
    query.bind(count_max);
    std::vector<NamedRun> all;
    for (;;) {
      auto row = query.step();
      if (!row) return row.error();
      if (!*row) return all;
      auto run = named_run(query);
      if (!run) return run.error();
      all.push_back(*std::move(run));
    }
  }

  Result<std::vector<Bytes>> staged(std::uint64_t from) override {
    auto end = head();
    if (!end) return end.error();
    const std::lock_guard lock(read_mutex_);
    Query query =
        reader_.query("select idx, envelope from staged where idx >= ? and idx < ? order by idx");
    query.bind(from).bind(end->size);
    std::vector<Bytes> envelopes;
    for (std::uint64_t index = from; index < end->size; ++index) {
      auto row = query.step();
      if (!row) return row.error();
      if (!*row || query.integer(0) != index) {
        return fail(ErrorCode::corrupt, "entry " + std::to_string(index) + " is not staged");
      }
      const View envelope = query.blob(1);
      envelopes.emplace_back(envelope.begin(), envelope.end());
    }
    return envelopes;
  }

 private:
  static Result<NamedRun> named_run(const Query& query) {
    NamedRun run;
    run.name = query.str(0);
    if (!query.fixed(1, run.id.bytes)) return damaged();
    run.index = query.integer(2);
    return run;
  }

  // Compare and swap first: nothing else is written under a head that we do not know.
  Status write(const OrderBatch& batch) {
    {
      Query query = writer_.query(
          "update head set size = ?, checkpoint = ? where size = ? and checkpoint = ?");
      auto swapped = query.bind(batch.new_head.size)
                         .bind(batch.new_head.checkpoint)
                         .bind(batch.old_head.size)
                         .bind(batch.old_head.checkpoint)
                         .run();
      if (!swapped) return swapped;
      if (writer_.changes() != 1) return fail(ErrorCode::conflict, "the log moved on");
    }
    std::uint64_t index = batch.old_head.size;
    for (const auto& entry : batch.entries) {
      auto inserted = write_entry(index++, entry);
      if (!inserted) return inserted;
    }
    return write_lookups(batch);
  }

  Status write_entry(std::uint64_t index, const hub::OrderEntry& entry) {
    Query record = writer_.query("insert into record values (?, ?, ?, ?)");
    auto status =
        record.bind(index).bind(entry.id.view()).bind(entry.author.view()).bind(entry.seq).run();
    if (!status) return status;
    Query staged = writer_.query("insert into staged values (?, ?)");
    return staged.bind(index).bind(View(entry.envelope)).run();
  }

  Status write_lookups(const OrderBatch& batch) {
    for (const auto& [id, state] : batch.authors) {
      Query query = writer_.query("insert or replace into author values (?, ?, ?, ?)");
      auto status = query.bind(id.view())
                        .bind(state.next_seq)
                        .bind(state.prev.view())
                        .bind(View(state.key.bytes))
                        .run();
      if (!status) return status;
    }
    for (const auto& [digest, size] : batch.blobs) {
      Query query = writer_.query("insert or ignore into blob values (?, ?)");
      auto status = query.bind(digest.view()).bind(size).run();
      if (!status) return status;
    }
    for (const auto& run : batch.runs) {
      Query query = writer_.query("insert into run values (?, ?, ?)");
      auto status = query.bind(run.name).bind(run.id.view()).bind(run.index).run();
      if (!status) return status;
    }
    Query query = writer_.query("delete from staged where idx < ?");
    return query.bind(batch.published).run();
  }

  // Two connections, so that a reader does not wait for the writer's fsync.
  std::mutex write_mutex_;
  std::mutex read_mutex_;
  Connection writer_;
  Connection reader_;
};

}  // namespace

Result<std::unique_ptr<hub::Order>> open_sqlite_order(const std::string& path) {
  auto order = std::make_unique<SqliteOrder>();
  if (auto status = order->open(path); !status) return status.error();
  return std::unique_ptr<hub::Order>(std::move(order));
}

}  // namespace harambee::store
