// The hub's small database: who said what in which order. It is trusted; the files are not.
// Backends: store/memory_order.h, store/sqlite_order.h; one contract suite.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"
#include "base/sign.h"

namespace harambee::hub {

// The log as the database knows it.
struct OrderHead {
  std::uint64_t size = 0;
  std::string checkpoint;  // signed note; empty before genesis
};

struct AuthorState {
  std::uint64_t next_seq = 0;
  Digest prev;  // record id of seq next_seq - 1
  PublicKey key;
};

struct OrderEntry {
  Bytes envelope;
  Digest id;
  KeyId author;
  std::uint64_t seq = 0;
};

struct NamedRun {
  std::string name;
  Digest id;
  std::uint64_t index = 0;
  bool operator==(const NamedRun&) const = default;
};

struct OrderBatch {
  OrderHead old_head;  // what the caller believes is there
  OrderHead new_head;
  std::vector<OrderEntry> entries;  // at indices old_head.size …
  std::vector<std::pair<KeyId, AuthorState>> authors;
  std::vector<std::pair<Digest, std::uint64_t>> blobs;  // named by these entries: digest, size
  std::vector<NamedRun> runs;
  // Entries below this index are in durable files; their staged copies may be dropped.
  std::uint64_t published = 0;
};

// Thread-safe; commit() is called by the sequencer alone.
class Order {
 public:
  virtual ~Order() = default;
  // Durable and all or nothing when it returns ok: THE COMMIT POINT of every record.
  // conflict: head is not old_head, or an id, (author, seq) or run name is taken; nothing changed.
  // Any other error: unknown whether it was committed, ask head().
  [[nodiscard]] virtual Status commit(const OrderBatch& batch) = 0;

  [[nodiscard]] virtual Result<OrderHead> head() = 0;
  [[nodiscard]] virtual Result<std::optional<std::uint64_t>> index_of(const Digest& record_id) = 0;
  [[nodiscard]] virtual Result<std::optional<AuthorState>> author(const KeyId& author) = 0;
  // A logged record names a blob of this digest and size.
  [[nodiscard]] virtual Result<bool> expects(const Digest& digest, std::uint64_t size) = 0;
  [[nodiscard]] virtual Result<std::optional<NamedRun>> run(const std::string& name) = 0;
  // In log order, at most `count_max`.
  [[nodiscard]] virtual Result<std::vector<NamedRun>> runs(std::uint64_t count_max) = 0;
  // Envelopes from index `from` to the end; corrupt when one is missing.
  [[nodiscard]] virtual Result<std::vector<Bytes>> staged(std::uint64_t from) = 0;
};

}  // namespace harambee::hub
