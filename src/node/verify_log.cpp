#include "node/verify_log.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <optional>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>

#include "fold/apply.h"
#include "log/tile.h"
#include "record/record.h"

namespace harambee::node {
namespace {

constexpr std::size_t kBatchBundles = 16;  // 4096 entries: enough to keep many cores busy
constexpr std::size_t kSliceEntries = 64;  // what a thread takes at a time

using Steady = std::chrono::steady_clock;

// Calls work(i) for i < count on `threads` threads; returns when all are done.
template <typename Work>
void for_all(std::size_t count, unsigned threads, const Work& work) {
  std::atomic<std::size_t> next{0};
  auto run = [&] {
    for (std::size_t at; (at = next.fetch_add(kSliceEntries)) < count;) {
      std::size_t end = std::min(count, at + kSliceEntries);
      for (std::size_t i = at; i < end; ++i) work(i);
    }
  };
  std::vector<std::jthread> helpers;
  for (unsigned i = 1; i < threads && i * kSliceEntries < count; ++i) helpers.emplace_back(run);
  run();
}

struct Bundle {
  std::uint64_t index = 0;
  std::string path;
  std::string tile_path;
  std::optional<Content> content;
  std::vector<View> entries;
};

struct Entry {
  std::uint64_t index = 0;
  const Bundle* bundle = nullptr;
  View bytes;
  Digest leaf;
  std::optional<Unverified> unverified;
  std::optional<Record> record;
  std::string problem;
};

std::string entry_place(const Bundle& bundle, std::uint64_t index) {
  return bundle.path + " entry " + std::to_string(index);
}

// Entries and hash tiles are compared with each other as they come; only the signed root, at the
// end, says which of two that differ is the wrong one.
struct Difference {
  std::string bundle_place;
  std::string tile_place;
};

class Audit {
 public:
  Audit(LogSource& source, const VerifyLogOptions& options)
      : source_(source),
        options_(options),
        threads_(options.threads != 0 ? options.threads
                                      : std::max(1u, std::thread::hardware_concurrency())) {}

  Result<AuditedLog> run() {
    auto begun = Steady::now();
    std::clock_t cpu = std::clock();
    if (Status done = walk(); !done) return done.error();
    log_.seconds = std::chrono::duration<double>(Steady::now() - begun).count();
    log_.cpu_seconds = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
    return std::move(log_);
  }

 private:
  Status walk() {
    Result<bool> sound = read_checkpoint();
    if (!sound) return sound.error();
    if (!*sound) return ok();
    std::uint64_t bundles = (log_.checkpoint.size + log::kTileWidth - 1) / log::kTileWidth;
    for (std::uint64_t first = 0; first < bundles; first += kBatchBundles) {
      if (options_.stop && options_.stop()) return fail(ErrorCode::cancelled, "stopped");
      if (Status done = batch(first, std::min<std::uint64_t>(bundles, first + kBatchBundles));
          !done) {
        return done;
      }
      if (options_.progress) {
        options_.progress(
            {std::min(log_.checkpoint.size, (first + kBatchBundles) * log::kTileWidth),
             log_.checkpoint.size});
      }
    }
    if (Status done = check_upper_partials(); !done) return done;
    settle_differences();
    return check_leftovers();
  }

  // False: there is a fault that leaves nothing to go on with.
  Result<bool> read_checkpoint() {
    Result<Content> content = source_.file("checkpoint");
    if (!content) {
      if (content.error().code != ErrorCode::not_found) return content.error();
      log_.fault("checkpoint", "there is none");
      return false;
    }
    Result<log::Note> note = log::parse_note(content->bytes());
    Result<log::Checkpoint> checkpoint =
        note ? log::Checkpoint::parse(note->text) : Result<log::Checkpoint>(note.error());
    if (!checkpoint) {
      log_.fault("checkpoint", checkpoint.error().message);
      return false;
    }
    log_.checkpoint = *checkpoint;
    if (checkpoint->size == 0) {
      log_.fault("checkpoint", "the log is empty: it has no genesis record");
      return false;
    }
    Result<std::string> vkey = genesis_vkey();
    if (!vkey) {
      if (vkey.error().code == ErrorCode::unavailable) return vkey.error();
      log_.fault(bundle_path(0) + " entry 0", vkey.error().message);
      return false;
    }
    if (!options_.vkey.empty() && options_.vkey != *vkey) {
      log_.fault(bundle_path(0) + " entry 0",
                 "the log's key is " + *vkey + ", not " + options_.vkey);
    }
    log_.vkey = *vkey;
    Result<log::VerifierKey> key = log::VerifierKey::parse(*vkey);
    Result<log::SignedCheckpoint> signed_checkpoint =
        key ? log::open_checkpoint(content->bytes(), *key)
            : Result<log::SignedCheckpoint>(key.error());
    // An unsigned size may be any number: nothing is walked for it.
    if (!signed_checkpoint) {
      log_.fault("checkpoint", signed_checkpoint.error().message);
      return false;
    }
    return true;
  }

  // The key that genesis names; its own signature is checked with all the others.
  Result<std::string> genesis_vkey() {
    std::string path = bundle_path(0);
    Result<Content> content = source_.file(path);
    if (!content) return content.error();
    int width = log::tile_width(log::kEntries, 0, log_.checkpoint.size);
    Result<std::vector<View>> entries = log::parse_bundle(content->bytes(), width);
    if (!entries) return wrap(entries.error(), path);
    Result<Unverified> unverified = parse_envelope(entries->front());
    if (!unverified) return unverified.error();
    Result<fold::Genesis> genesis = fold::parse_genesis(unverified->payload());
    if (!genesis) return genesis.error();
    return genesis->vkey;
  }

  [[nodiscard]] std::string bundle_path(std::uint64_t index) const {
    return log::tile_path(
        {log::kEntries, index, log::tile_width(log::kEntries, index, log_.checkpoint.size)});
  }

  Status batch(std::uint64_t first, std::uint64_t last) {
    std::vector<Bundle> bundles(last - first);
    std::vector<Entry> entries;
    for (std::uint64_t index = first; index < last; ++index) {
      Bundle& bundle = bundles[index - first];
      bundle.index = index;
      if (Status done = fetch(bundle, entries); !done) return done;
    }
    for_all(entries.size(), threads_, [&](std::size_t i) {
      Entry& entry = entries[i];
      entry.leaf = log::leaf_hash(entry.bytes);
      Result<Unverified> parsed = parse_envelope(entry.bytes);
      if (parsed) {
        entry.unverified = *std::move(parsed);
      } else {
        entry.problem = parsed.error().message;
      }
    });
    std::size_t at = 0;
    for (Bundle& bundle : bundles) {
      std::size_t end = at + bundle.entries.size();
      if (Status done = check_tile(bundle, {entries.data() + at, end - at}); !done) return done;
      at = end;
    }
    check_signatures(entries);
    for (Entry& entry : entries) apply(entry);
    return ok();
  }

  Status fetch(Bundle& bundle, std::vector<Entry>& entries) {
    std::uint64_t size = log_.checkpoint.size;
    int width = log::tile_width(log::kEntries, bundle.index, size);
    bundle.path = bundle_path(bundle.index);
    bundle.tile_path = log::tile_path({0, bundle.index, width});
    ++log_.bundles;
    Result<Content> content = source_.file(bundle.path);
    if (!content) {
      if (content.error().code != ErrorCode::not_found) return content.error();
      log_.fault(bundle.path, "is not there");
      folding_ = false;
      return ok();
    }
    bundle.content = *std::move(content);
    Result<std::vector<View>> parsed = log::parse_bundle(bundle.content->bytes(), width);
    if (!parsed) {
      log_.fault(bundle.path, parsed.error().message);
      folding_ = false;
      return ok();
    }
    bundle.entries = *std::move(parsed);
    for (std::size_t i = 0; i < bundle.entries.size(); ++i) {
      entries.push_back({.index = bundle.index * log::kTileWidth + i,
                         .bundle = &bundle,
                         .bytes = bundle.entries[i],
                         .leaf = {},
                         .unverified = {},
                         .record = {},
                         .problem = {}});
    }
    return ok();
  }

  Status check_tile(const Bundle& bundle, std::span<const Entry> entries) {
    int width = log::tile_width(0, bundle.index, log_.checkpoint.size);
    Result<std::optional<std::vector<Digest>>> tile = read_tile({0, bundle.index, width});
    if (!tile) return tile.error();
    for (int i = 0; i < width; ++i) {
      bool has_entry = !entries.empty();
      const Digest& told =
          *tile ? (**tile)[static_cast<std::size_t>(i)] : (has_entry ? entries[i].leaf : Digest{});
      const Digest& made = has_entry ? entries[i].leaf : told;
      if (*tile && made != told) {
        differences_.push_back({entry_place(bundle, entries[i].index),
                                bundle.tile_path + " hash " + std::to_string(i)});
      }
      by_tiles_.append(told);
      by_entries_.append(made, [&](const log::Tile& full, std::span<const Digest> hashes) {
        if (full.level > 0) upper_.emplace_back(full, log::encode_tile(hashes));
      });
    }
    for (auto& [full, want] : upper_) {
      if (Status done = check_upper(full, want); !done) return done;
    }
    upper_.clear();
    return ok();
  }

  // Empty: a fault was noted.
  Result<std::optional<std::vector<Digest>>> read_tile(const log::Tile& tile) {
    std::string path = log::tile_path(tile);
    ++log_.tiles;
    Result<Content> content = source_.file(path);
    if (!content) {
      if (content.error().code != ErrorCode::not_found) return content.error();
      log_.fault(path, "is not there");
      return std::optional<std::vector<Digest>>{};
    }
    View bytes = content->bytes();
    // In place of a partial tile the full one may have come.
    std::size_t want = static_cast<std::size_t>(tile.width) * 32;
    if (bytes.size() == std::size_t{log::kTileWidth} * 32) bytes = bytes.first(want);
    Result<std::vector<Digest>> hashes = log::parse_tile(bytes, tile.width);
    if (!hashes) {
      log_.fault(path, hashes.error().message);
      return std::optional<std::vector<Digest>>{};
    }
    return std::optional(*std::move(hashes));
  }

  Status check_upper(const log::Tile& tile, const Bytes& want) {
    Result<std::optional<std::vector<Digest>>> hashes = read_tile(tile);
    if (!hashes) return hashes.error();
    if (!*hashes) return ok();
    for (int i = 0; i < tile.width; ++i) {
      const Digest& told = (**hashes)[static_cast<std::size_t>(i)];
      if (std::equal(told.bytes.begin(), told.bytes.end(), want.begin() + std::ptrdiff_t{i} * 32)) {
        continue;
      }
      upper_differences_.emplace_back(log::tile_path(tile) + " hash " + std::to_string(i));
    }
    return ok();
  }

  Status check_upper_partials() {
    for (const auto& [tile, bytes] : by_entries_.partials()) {
      if (tile.level == 0) continue;
      if (Status done = check_upper(tile, bytes); !done) return done;
    }
    return ok();
  }

  void check_signatures(std::vector<Entry>& entries) {
    for (const Entry& entry : entries) {
      // The first record of an author brings the key, which is known to hash to the author.
      if (entry.unverified && entry.unverified->own_key()) {
        keys_.emplace(entry.unverified->payload().author, *entry.unverified->own_key());
      }
    }
    for_all(entries.size(), threads_, [&](std::size_t i) {
      Entry& entry = entries[i];
      if (!entry.unverified) return;
      auto key = keys_.find(entry.unverified->payload().author);
      if (key == keys_.end()) {
        entry.problem = "its author has no identity record before it";
        return;
      }
      Result<Record> record = std::move(*entry.unverified).verify(key->second);
      if (record) {
        entry.record = *std::move(record);
      } else {
        entry.problem = record.error().message;
      }
    });
  }

  void apply(const Entry& entry) {
    if (!entry.record) {
      log_.fault(entry_place(*entry.bundle, entry.index), entry.problem);
      folding_ = false;
      return;
    }
    ++log_.entries;
    if (!folding_) return;
    fold::Outcome outcome = fold::apply(log_.state, entry.index, *entry.record);
    if (outcome.effect == fold::Effect::corrupt) {
      log_.fault(entry_place(*entry.bundle, entry.index), outcome.reason);
      folding_ = false;
      return;
    }
    const Payload& payload = entry.record->payload();
    if (fold::is_repo_kind(payload.kind)) {
      const fold::Place place{entry.index, entry.record->id()};
      outcome = fold::apply(log_.repos, place, log_.state.now_ms(), payload);
    }
    bool applied = outcome.effect == fold::Effect::applied;
    if (!applied) ++log_.inert;
    remember(entry, applied);
  }

  void remember(const Entry& entry, bool applied) {
    const Payload& payload = entry.record->payload();
    for (const BlobRef& ref : payload.blobs) {
      NamedBlob& named = log_.blobs[ref.digest];
      // A record that counts says more than one that does not.
      if (named.kind.empty() || (applied && !named.applied)) {
        named = {ref, entry.index, payload.kind, applied, payload.run};
        if (payload.kind == "run") named.run = entry.record->id();
      }
    }
    if (!applied) return;
    if (payload.kind == "contribution") {
      if (auto act = fold::parse_contribution(payload)) {
        log_.contributions.emplace(entry.record->id(), *std::move(act));
      }
    } else if (payload.kind == "score") {
      if (auto act = fold::parse_score(payload)) {
        log_.scores.emplace(entry.record->id(), *std::move(act));
      }
    } else if (payload.kind == "sample") {
      if (auto act = fold::parse_sample(payload)) {
        log_.samples.push_back(
            {{entry.index, entry.record->id()}, payload.author, *std::move(act)});
      }
    }
  }

  void settle_differences() {
    bool entries_right = by_entries_.root() == log_.checkpoint.root;
    bool tiles_right = by_tiles_.root() == log_.checkpoint.root;
    for (const Difference& difference : differences_) {
      if (entries_right) {
        log_.fault(difference.tile_place, "is not the hash of " + difference.bundle_place);
      } else if (tiles_right) {
        log_.fault(difference.bundle_place, "is not what " + difference.tile_place + " says");
      } else {
        log_.fault(difference.bundle_place, "and " + difference.tile_place +
                                                " contradict each "
                                                "other, and the signed root fits neither");
      }
    }
    // Upper hashes were computed from the entries: theirs are the right ones if the root says so.
    if (entries_right) {
      for (const std::string& place : upper_differences_) {
        log_.fault(place, "is not the hash of the tiles below it");
      }
    } else if (log_.faults_count == 0) {
      log_.fault("checkpoint", "its root is not the root of the entries");
    }
  }

  // What older tree sizes left behind must be a beginning of what is there now.
  Status check_leftovers() {
    Result<std::vector<std::string>> files = source_.stored_files();
    if (!files) return files.error();
    for (const std::string& path : *files) {
      Result<log::Tile> tile = log::parse_tile_path(path);
      if (!tile) continue;
      int width = log::tile_width(tile->level, tile->index, log_.checkpoint.size);
      if (tile->width >= width) continue;  // checked already, or beyond this checkpoint
      ++log_.tiles;
      Result<Content> old = source_.file(path);
      Result<Content> now = source_.file(log::tile_path({tile->level, tile->index, width}));
      if (!old) return old.error();
      if (!now) continue;  // noted before
      View prefix = now->bytes().first(std::min(now->bytes().size(), old->bytes().size()));
      bool whole = tile->level == log::kEntries
                       ? log::parse_bundle(old->bytes(), tile->width).ok()
                       : old->bytes().size() == static_cast<std::size_t>(tile->width) * 32;
      if (!whole ||
          !std::equal(prefix.begin(), prefix.end(), old->bytes().begin(), old->bytes().end())) {
        log_.fault(path,
                   "is not a beginning of " + log::tile_path({tile->level, tile->index, width}));
      }
    }
    return ok();
  }

  LogSource& source_;
  const VerifyLogOptions& options_;
  unsigned threads_;
  AuditedLog log_;
  bool folding_ = true;
  log::TileEdge by_entries_;
  log::Frontier by_tiles_;
  std::vector<std::pair<log::Tile, Bytes>> upper_;
  std::vector<Difference> differences_;
  std::vector<std::string> upper_differences_;
  std::unordered_map<KeyId, PublicKey, DigestHash> keys_;
};

}  // namespace

void AuditedLog::fault(std::string place, std::string what) {
  ++faults_count;
  if (faults.size() < kFaultsListedMax) faults.push_back({std::move(place), std::move(what)});
}

Result<AuditedLog> verify_log(LogSource& source, const VerifyLogOptions& options) {
  return Audit(source, options).run();
}

}  // namespace harambee::node
