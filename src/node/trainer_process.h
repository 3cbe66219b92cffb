// A trainer program as a child process (spec/trainer-protocol.md): JSON lines on its standard input
// and output, standard error into a log file. The program is chosen by the person at the machine
// and yet not believed: lines are limited and checked, the weights it writes must have the shapes
// of those it was given and finite values, silence for stall_ms ends it, and a crash is an error
// with the end of its log. It starts again with the next request.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"
#include "fold/recipe.h"
#include "format/model.h"

namespace harambee::node {

struct TrainerOptions {
  std::vector<std::string> argv;  // empty: harambee-trainer beside our own program, or in PATH
  std::filesystem::path dir;      // work directory of the trainer; trainer.log is in it
  int threads = 1;
  std::int64_t stall_ms = 300'000;  // no line for so long: killed
  std::size_t line_bytes_max = 4u << 20;
  // Asked several times a second while a request runs; false ends the program: cancelled.
  std::function<bool()> keep_going;
};

struct TrainerHello {
  std::string name;
  std::string version;
  std::string numeric_class;  // "exact-1": bit for bit the same on every machine
  std::string device;
  std::int64_t parameters = 0;
};

struct TrainRequest {
  std::filesystem::path base;
  std::optional<std::filesystem::path> state;  // optimizer state to go on from
  std::vector<std::filesystem::path> shards;
  Digest seed;
  std::int64_t first_step = 0;
  std::int64_t total_steps = 0;
  fold::InnerRule inner;
  std::filesystem::path out;
  std::filesystem::path state_out;
};

struct TrainProgress {
  std::int64_t step = 0;  // done in this request
  std::int64_t loss_nanos = 0;
  std::int64_t tokens = 0;
  std::int64_t tokens_per_second = 0;
};

struct TrainDone {
  std::int64_t steps = 0;
  std::int64_t tokens = 0;
  std::int64_t loss_first_nanos = 0;
  std::int64_t loss_last_nanos = 0;
  Digest state_digest;  // of the state file, recomputed here
};

class TrainerProcess {
 public:
  // Nothing is started before the first request.
  TrainerProcess(TrainerOptions options, const format::ModelConfig& model);
  ~TrainerProcess();  // says bye, then kills
  TrainerProcess(const TrainerProcess&) = delete;
  TrainerProcess& operator=(const TrainerProcess&) = delete;

  // All requests: unavailable when the program crashed, hung or could not be started (the next
  // request starts it again); invalid when it answered against the protocol or its files are
  // wrong; refused with its own message when it says error. Not thread-safe.
  [[nodiscard]] Result<TrainerHello> hello();
  // The first weights of a run, from the recipe's seed.
  [[nodiscard]] Status init(const Digest& seed, const std::filesystem::path& out);
  // on_progress returning false ends the work (the program is killed): cancelled.
  [[nodiscard]] Result<TrainDone> train(
      const TrainRequest& request, const std::function<bool(const TrainProgress&)>& on_progress);
  // Mean loss of each row of context + 1 bytes at `offsets` in the concatenated files, nano-nats.
  [[nodiscard]] Result<std::vector<std::int64_t>> evaluate(
      const std::filesystem::path& weights, const std::vector<std::filesystem::path>& files,
      const std::vector<std::uint64_t>& offsets);
  [[nodiscard]] Result<Bytes> generate(const std::filesystem::path& weights, View prompt,
                                       std::int64_t bytes, const Decimal& temperature,
                                       const Digest& seed);
  // Ends the program politely: exit code 0 within stall_ms, else killed and unavailable.
  [[nodiscard]] Status bye();

  // One raw line out, one line in: for conformance tests.
  [[nodiscard]] Result<std::string> exchange_line(const std::string& line);
  [[nodiscard]] bool running() const;
  [[nodiscard]] int pid() const;  // 0 if it does not run

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The canonical form of a weights file (the one whose SHA-256 is the weights digest), in place:
// a trainer may write its tensors in any order. Refuses other names or shapes than the model's,
// other types than F32, NaN and infinity. Returns the digest.
[[nodiscard]] Result<Digest> canonicalize_weights(const std::filesystem::path& file,
                                                  const format::ModelConfig& model);
// Path of the program that is started when argv is empty.
[[nodiscard]] std::string default_trainer();

}  // namespace harambee::node
