// How fast a log is verified, per core, beside what its signatures alone cost: the goal is 10,000
// records a second a core, tiles, canonical form, signatures and fold together.
#include <benchmark/benchmark.h>
#include <time.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/sign.h"
#include "fold/acts.h"
#include "log/checkpoint.h"
#include "log/tile.h"
#include "node/log_source.h"
#include "node/verify_log.h"
#include "record/build.h"
#include "record/record.h"

namespace harambee::node {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOrigin = "bench.test/log";
constexpr int kAuthors = 8;

SecretKey key(const std::string& who) {
  return SecretKey::from_seed(sha256(view("key of " + who)).bytes);
}

// A log of contributions (the most frequent record) by a few authors. Of no run, so the fold's own
// work is small; fold_bench measures that.
class WrittenLog {
 public:
  explicit WrittenLog(int count) : dir_(fs::temp_directory_path() / "harambee-verify-bench") {
    fs::remove_all(dir_);
    SecretKey hub = key("hub");
    std::string vkey = log::VerifierKey{kOrigin, log::NoteKeyType::ed25519, hub.public_key()}.str();
    add(hub, fold::write(fold::Genesis{hub.public_key(), "bench", 1000, vkey}));
    std::vector<SecretKey> authors;
    for (int i = 0; i < kAuthors; ++i) authors.push_back(key("author " + std::to_string(i)));
    for (const SecretKey& author : authors) {
      add(author, fold::write(fold::Identity{author.public_key()}));
    }
    fold::Contribution act;
    act.run = sha256(view("run"));
    act.numeric_class = "exact-1";
    act.error_feedback.before = act.optimizer.before = sha256(view("state"));
    act.delta = {sha256(view("delta")), 12'345, std::string(fold::kDeltaType)};
    for (int i = 0; i < count; ++i) {
      act.round = i / kAuthors;
      add(authors[static_cast<std::size_t>(i % kAuthors)], fold::write(act));
    }
    write_files(hub);
  }
  ~WrittenLog() { fs::remove_all(dir_); }

  [[nodiscard]] std::string dir() const { return dir_.string(); }
  [[nodiscard]] const std::vector<Bytes>& entries() const { return entries_; }

 private:
  struct Chain {
    std::uint64_t seq = 0;
    std::optional<RecordId> prev;
  };
  void add(const SecretKey& author, Payload payload) {
    Chain& chain = chains_[author.id()];
    payload.log = kOrigin;
    payload.author = author.id();
    payload.seq = chain.seq++;
    payload.prev = chain.prev;
    entries_.push_back(sign_record(payload, author).value());
    chain.prev = parse_envelope(entries_.back())->id();
  }
  void put(const std::string& name, View bytes) const {
    fs::create_directories((dir_ / name).parent_path());
    std::ofstream(dir_ / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  void write_files(const SecretKey& hub) const {
    put("format", view("harambee-hub 1\n"));
    log::TileEdge edge;
    std::vector<View> bundle;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      bundle.push_back(entries_[i]);
      edge.append(log::leaf_hash(entries_[i]),
                  [&](const log::Tile& tile, std::span<const Digest> hashes) {
                    put(log::tile_path(tile), log::encode_tile(hashes));
                  });
      if (bundle.size() < log::kTileWidth && i + 1 < entries_.size()) continue;
      put(log::tile_path({log::kEntries, i / log::kTileWidth, static_cast<int>(bundle.size())}),
          log::encode_bundle(bundle));
      bundle.clear();
    }
    for (const auto& [tile, bytes] : edge.partials()) put(log::tile_path(tile), bytes);
    put("checkpoint", view(log::sign_checkpoint({kOrigin, entries_.size(), edge.root(), {}}, hub)));
  }

  fs::path dir_;
  std::vector<Bytes> entries_;
  std::map<KeyId, Chain> chains_;
};

const WrittenLog& written() {
  static const WrittenLog log(8192);
  return log;
}

void VerifyLog(benchmark::State& state) {
  auto source = open_directory_source(written().dir()).value();
  VerifyLogOptions options;
  options.threads = static_cast<unsigned>(state.range(0));
  std::uint64_t records = 0;
  for (auto _ : state) {
    AuditedLog log = verify_log(*source, options).value();
    HARAMBEE_CHECK(log.faults_count == 0);
    records += log.entries;
    state.counters["records_per_cpu_second"] = static_cast<double>(log.entries) / log.cpu_seconds;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(records));
}
BENCHMARK(VerifyLog)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

// The reference: libsodium's verification of the same signatures and nothing else.
void SignaturesAlone(benchmark::State& state) {
  SecretKey author = key("author 0");
  Bytes message(900, 7);
  Signature signature = author.sign(message);
  for (auto _ : state) {
    benchmark::DoNotOptimize(verify(author.public_key(), message, signature));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(SignaturesAlone)->Unit(benchmark::kMicrosecond);

void FormAlone(benchmark::State& state) {
  std::size_t i = 0;
  const std::vector<Bytes>& entries = written().entries();
  for (auto _ : state) benchmark::DoNotOptimize(parse_envelope(entries[i++ % entries.size()]));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(FormAlone)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace harambee::node
