#include "node/follower.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "fold/acts.h"
#include "fold/apply.h"
#include "log/checkpoint.h"
#include "node/log_answer.h"
#include "record/limits.h"
#include "store/file.h"

namespace harambee::node {
namespace {

constexpr std::uint64_t kKeptBytesMax = 64ull << 30;
// Entries held in memory until the root that covers them has been checked.
constexpr std::uint64_t kBatchBytesMax = 1ull << 30;
constexpr std::uint64_t kMarkEvery = 64;

Error nonsense(const std::string& what) {
  return fail(ErrorCode::unavailable, "the hub's answer to /log makes no sense: " + what);
}

// entries.bin: append only, cut at the end of the last verified entry when opened.
class EntryFile {
 public:
  ~EntryFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Status open(const std::string& path, std::uint64_t keep_bytes) {
    descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ < 0) return failure(path);
    path_ = path;
    return cut(keep_bytes);
  }
  Status append(const std::vector<Bytes>& entries) {
    Bytes bytes;
    for (const Bytes& entry : entries) put_entry(bytes, entry);
    const std::uint64_t before = size_;
    View rest = bytes;
    while (!rest.empty()) {
      const ssize_t n = ::pwrite(descriptor_, rest.data(), rest.size(), static_cast<off_t>(size_));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        const Status failed = failure(path_);
        if (Status undone = cut(before); !undone) return undone;
        return failed;
      }
      size_ += static_cast<std::uint64_t>(n);
      rest = rest.subspan(static_cast<std::size_t>(n));
    }
    if (::fdatasync(descriptor_) != 0) return failure(path_);
    return ok();
  }

 private:
  Status cut(std::uint64_t bytes) {
    size_ = bytes;
    if (::ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) return failure(path_);
    return ok();
  }
  static Status failure(const std::string& path) {
    return fail(ErrorCode::io, path + ": " + std::strerror(errno));
  }
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace

struct Follower::Impl {
  FollowerOptions options;
  Wire* wire = nullptr;
  EntryFn on_entry;
  fold::LogState state;
  std::string note;  // the last one that was verified
  std::string vkey;
  EntryFile file;
  std::optional<Error> broken;  // an entry was refused: the state stays where it is
  // The beginning of the kept log that is believed without its signatures; empty: nothing is.
  std::optional<log::Checkpoint> believed;
  std::uint64_t marked = 0;  // what the file `verified` says

  [[nodiscard]] std::string in_dir(const char* name) const { return (options.dir / name).string(); }

  Status load();
  void read_mark();
  Status write_mark();
  Result<std::uint64_t> load_entries(const std::optional<log::Checkpoint>& checkpoint);
  Status apply_entry(View envelope);
  Result<LogAnswer> ask(std::uint64_t from, std::int64_t wait_ms) const;
  Status learn_key(const LogAnswer& answer);
  Result<log::Checkpoint> open_note(const std::string& signed_note) const;
  Status take(const std::vector<Bytes>& entries, const std::string& signed_note);
  void show_note() const;
  Error contradiction(const std::string& signed_note, const std::vector<Bytes>& entries,
                      const std::string& what) const;
};

Status Follower::Impl::apply_entry(View envelope) {
  const std::uint64_t index = state.frontier.size();
  const auto refuse = [index](const std::string& why) {
    return fail(ErrorCode::corrupt, fmt::format("entry {} of the log: {}", index, why));
  };
  auto unverified = parse_envelope(envelope);
  if (!unverified) return refuse(unverified.error().message);
  const fold::Author* author = state.author(unverified->payload().author);
  if (!author && !unverified->own_key()) return refuse("its author has not said who it is");
  const PublicKey key = author ? author->key : *unverified->own_key();
  const bool before = believed && index < believed->size;
  const auto record = before ? Result<Record>(std::move(*unverified).verified_before(key))
                             : std::move(*unverified).verify(key);
  if (!record) return refuse(record.error().message);
  const fold::Outcome outcome = fold::apply(state, index, *record);
  if (outcome.effect == fold::Effect::corrupt) return refuse(outcome.reason);
  return on_entry ? on_entry(index, *record, state) : ok();
}

Result<log::Checkpoint> Follower::Impl::open_note(const std::string& signed_note) const {
  const auto key = log::VerifierKey::parse(vkey);
  if (!key) return wrap(key.error(), "the log's verifier key");
  auto opened = log::open_checkpoint(view(signed_note), *key);
  if (!opened) {
    return fail(ErrorCode::refused,
                "the checkpoint is not signed by the key that this copy "
                "trusts (" +
                    vkey + "): " + opened.error().message);
  }
  return opened->checkpoint;
}

// Every whole entry below the last verified checkpoint; what follows was never confirmed.
Result<std::uint64_t> Follower::Impl::load_entries(
    const std::optional<log::Checkpoint>& checkpoint) {
  const auto kept = store::read_file(in_dir("entries.bin"), kKeptBytesMax);
  if (!kept) {
    if (kept.error().code == ErrorCode::not_found) return std::uint64_t{0};
    return kept.error();
  }
  View rest = *kept;
  while (checkpoint && state.frontier.size() < checkpoint->size) {
    const auto entry = take_entry(rest);
    if (!entry) break;
    if (Status applied = apply_entry(*entry); !applied) return applied.error();
    if (believed && state.frontier.size() == believed->size &&
        state.frontier.root() != believed->root) {
      return fail(ErrorCode::corrupt, "the entries are not those that were verified");
    }
  }
  if (believed && state.frontier.size() < believed->size) {
    return fail(ErrorCode::corrupt, "entries that were verified are gone");
  }
  if (checkpoint && state.frontier.size() == checkpoint->size &&
      state.frontier.root() != checkpoint->root) {
    return fail(ErrorCode::corrupt, "the entries do not lead to the checkpoint beside them");
  }
  return kept->size() - rest.size();
}

// The mark is a checkpoint without signatures: what this program itself has checked.
void Follower::Impl::read_mark() {
  const auto kept = store::read_file(in_dir("verified"), 4096);
  if (!kept) return;
  const auto mark = log::Checkpoint::parse(text(*kept));
  if (!mark || mark->origin != vkey) return;
  marked = mark->size;
  if (options.signatures == Signatures::of_new_entries) believed = *mark;
}

Status Follower::Impl::write_mark() {
  // Not at every call: a few signatures more to check cost less than a durable file.
  if (state.frontier.size() < marked + kMarkEvery || vkey.empty()) return ok();
  log::Checkpoint mark{vkey, state.frontier.size(), state.frontier.root(), {}};
  marked = mark.size;
  return store::write_file_atomic(in_dir("verified"), view(mark.text()));
}

Status Follower::Impl::load() {
  if (Status made = store::make_folders(options.dir.string()); !made) return made;
  if (const auto pinned = store::read_file(in_dir("vkey"), 4096); pinned) {
    vkey = text(*pinned);
    if (options.vkey && *options.vkey != vkey) {
      return fail(ErrorCode::refused, fmt::format("{} is a copy of the log of {}, not of {}",
                                                  options.dir.string(), vkey, *options.vkey));
    }
  }
  std::optional<log::Checkpoint> checkpoint;
  if (const auto kept = store::read_file(in_dir("checkpoint"), log::kNoteBytesMax);
      kept && !vkey.empty()) {
    auto opened = open_note(std::string(text(*kept)));
    if (!opened) return opened.error();
    checkpoint = *opened;
    note = text(*kept);
  }
  if (checkpoint) read_mark();
  const auto bytes = load_entries(checkpoint);
  if (!bytes) {
    return wrap(bytes.error(), "the kept log in " + options.dir.string() +
                                   " is damaged (delete it to fetch the log again)");
  }
  if (checkpoint && state.frontier.size() < checkpoint->size) note.clear();  // a lost tail
  return file.open(in_dir("entries.bin"), *bytes);
}

Result<LogAnswer> Follower::Impl::ask(std::uint64_t from, std::int64_t wait_ms) const {
  WireRequest request;
  request.url = fmt::format("{}/log?from={}&wait={}", options.hub_url, from, wait_ms);
  request.timeout_ms = wait_ms + 30'000;
  request.response_bytes_max = 4u << 20;
  const auto response = wire->exchange(request);
  if (!response) return response.error();
  if (response->status != 200) {
    return fail(ErrorCode::unavailable,
                fmt::format("{} answered {} to /log", options.hub_url, response->status));
  }
  auto answer = parse_log_answer(response->body);
  if (answer && answer->from != from) return nonsense("entries from another place");
  return answer;
}

// Trust on first use: genesis says whose log this is.
Status Follower::Impl::learn_key(const LogAnswer& answer) {
  if (answer.entries.empty()) return nonsense("a log without genesis");
  const auto first = parse_envelope(answer.entries.front());
  if (!first) return wrap(first.error(), "the log's first entry");
  const auto genesis = fold::parse_genesis(first->payload());
  if (!genesis) return wrap(genesis.error(), "the log's first entry");
  if (options.vkey && *options.vkey != genesis->vkey) {
    return fail(ErrorCode::refused, fmt::format("{} keeps the log of {}, and the key that was "
                                                "asked for is {}",
                                                options.hub_url, genesis->vkey, *options.vkey));
  }
  vkey = genesis->vkey;
  const auto opened = open_note(answer.note);
  if (!opened) {
    vkey.clear();
    return opened.error();
  }
  return store::write_file_atomic(in_dir("vkey"), view(vkey));
}

// A hub whose store is an old copy does not know what it has signed: it is told, so that it stops
// before it writes a second log. Whether it listens is its own business.
void Follower::Impl::show_note() const {
  if (note.empty()) return;
  WireRequest request;
  request.method = "POST";
  request.url = options.hub_url + "/checkpoint";
  request.body = view(note);
  request.response_bytes_max = 1u << 20;
  static_cast<void>(wire->exchange(request));
}

Error Follower::Impl::contradiction(const std::string& signed_note,
                                    const std::vector<Bytes>& entries,
                                    const std::string& what) const {
  const std::string folder = in_dir("evidence/") + sha256(view(signed_note)).hex().substr(0, 16);
  Bytes bytes;
  for (const Bytes& entry : entries) put_entry(bytes, entry);
  const bool kept =
      store::write_file_atomic(folder + "/checkpoint.ours", view(note)).ok() &&
      store::write_file_atomic(folder + "/checkpoint.theirs", view(signed_note)).ok() &&
      store::write_file_atomic(folder + "/entries.bin", bytes).ok();
  return fail(ErrorCode::corrupt,
              what + (kept ? "; both checkpoints are kept in " + folder : std::string()));
}

// Entries whose root was checked: durable first, then folded.
Status Follower::Impl::take(const std::vector<Bytes>& entries, const std::string& signed_note) {
  if (Status appended = file.append(entries); !appended) return appended;
  if (Status kept = store::write_file_atomic(in_dir("checkpoint"), view(signed_note)); !kept) {
    broken = kept.error();  // the file is ahead of the state; a restart mends it
    return kept;
  }
  note = signed_note;
  for (const Bytes& entry : entries) {
    if (Status applied = apply_entry(entry); !applied) {
      broken = applied.error();
      return applied;
    }
  }
  return ok();
}

Follower::Follower(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Follower::~Follower() = default;

Result<std::unique_ptr<Follower>> Follower::open(FollowerOptions options, Wire* wire,
                                                 EntryFn on_entry) {
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  impl->wire = wire;
  impl->on_entry = std::move(on_entry);
  if (Status loaded = impl->load(); !loaded) return loaded.error();
  return std::unique_ptr<Follower>(new Follower(std::move(impl)));
}

Result<std::uint64_t> Follower::follow(std::int64_t wait_ms) {
  Impl& my = *impl_;
  if (my.broken) return *my.broken;
  if (my.options.hub_url.empty() || !my.wire) {
    return fail(ErrorCode::unavailable, "offline: only what is kept can be read");
  }
  log::Frontier frontier = my.state.frontier;
  const std::uint64_t before = frontier.size();
  std::vector<Bytes> batch;
  std::uint64_t batch_bytes = 0;
  for (;;) {
    auto answer = my.ask(frontier.size(), batch.empty() ? wait_ms : 0);
    if (!answer) return answer.error();
    if (my.vkey.empty()) {
      if (Status learned = my.learn_key(*answer); !learned) return learned.error();
    }
    const auto checkpoint = my.open_note(answer->note);
    if (!checkpoint) return checkpoint.error();
    if (checkpoint->size < frontier.size()) {
      my.show_note();
      return fail(ErrorCode::unavailable,
                  fmt::format("the hub shows an older log ({} entries; {} are known)",
                              checkpoint->size, frontier.size()));
    }
    if (checkpoint->size < frontier.size() + answer->entries.size()) {
      return nonsense("more entries than the checkpoint covers");
    }
    for (Bytes& entry : answer->entries) {
      frontier.append(View(entry));
      batch_bytes += entry.size() + 2;
      batch.push_back(std::move(entry));
    }
    if (frontier.size() == checkpoint->size) {
      if (frontier.root() != checkpoint->root) {
        return my.contradiction(
            answer->note, batch,
            fmt::format("entries {} to {} do not lead to the tree root that the hub signed", before,
                        checkpoint->size));
      }
      if (batch.empty()) return std::uint64_t{0};
      if (Status taken = my.take(batch, answer->note); !taken) return taken.error();
      if (my.options.signatures == Signatures::of_new_entries) {
        if (Status marked = my.write_mark(); !marked) return marked.error();
      }
      return frontier.size() - before;
    }
    if (answer->entries.empty()) return nonsense("fewer entries than the checkpoint covers");
    if (batch_bytes > kBatchBytesMax) {
      return fail(ErrorCode::limit, "more than 1 GiB of new entries at once");
    }
  }
}

const fold::LogState& Follower::state() const { return impl_->state; }
std::uint64_t Follower::size() const { return impl_->state.frontier.size(); }
const std::string& Follower::origin() const { return impl_->state.origin; }
const std::string& Follower::vkey() const { return impl_->vkey; }
const std::string& Follower::checkpoint() const { return impl_->note; }
const std::string& Follower::hub_url() const { return impl_->options.hub_url; }

Status Follower::for_each(
    const std::function<Status(std::uint64_t index, View envelope)>& visit) const {
  const auto kept = store::read_file(impl_->in_dir("entries.bin"), kKeptBytesMax);
  if (!kept) return size() == 0 ? ok() : Status(kept.error());
  View rest = *kept;
  for (std::uint64_t index = 0; index < size(); ++index) {
    const auto entry = take_entry(rest);
    if (!entry) return fail(ErrorCode::corrupt, "the kept log has lost entries");
    if (Status visited = visit(index, *entry); !visited) return visited;
  }
  return ok();
}

}  // namespace harambee::node
