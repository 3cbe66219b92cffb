// The trainer protocol: one JSON object a line in, one or more out (spec/trainer-protocol.md).
// Parsing is pure and takes any bytes; Session does the work.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "format/model.h"
#include "trainer/exact/trainer.h"

namespace harambee::trainer {

inline constexpr int kProtocolVersion = 1;
inline constexpr std::size_t kLineBytesMax = 4u << 20;
inline constexpr std::size_t kPathBytesMax = 4'096;

struct HelloRequest {
  format::ModelConfig model;
  std::uint32_t threads = 0;  // 0: the trainer chooses
  std::string dir;            // relative paths of later requests start here
};
struct InitRequest {
  Digest seed;
  std::string out;
};
struct TrainRequest {
  TrainTask task;
};
struct EvaluateRequest {
  std::string weights;
  std::vector<std::string> files;
  std::vector<std::uint64_t> offsets;
};
struct GenerateRequest {
  std::string weights;
  Bytes prompt;
  std::size_t bytes = 0;
  double temperature = 0;
  Digest seed;
};
struct ByeRequest {};

struct Request {
  std::optional<std::int64_t> id;
  std::variant<HelloRequest, InitRequest, TrainRequest, EvaluateRequest, GenerateRequest,
               ByeRequest>
      body;
};

// The id of a line that is JSON enough to have one, for error replies.
[[nodiscard]] std::optional<std::int64_t> request_id(std::string_view line);
[[nodiscard]] Result<Request> parse_request(std::string_view line);

struct SessionOptions {
  const Kernels* kernels = nullptr;  // null: the best of this processor
  unsigned threads = 0;              // 0: what hello asks for
  unsigned processors = 1;           // the choice when nobody says anything
  std::uint64_t memory_bytes_max = std::uint64_t{4} << 30;
};

// One conversation. Bad requests are answered with an error and change nothing that was agreed.
// Not thread-safe.
class Session {
 public:
  // `send` takes a line without its end and answers false when nobody listens any more.
  using Send = std::function<bool(const std::string& line)>;
  Session(const SessionOptions& options, Send send);

  // False when the conversation is over: bye, or nobody listens.
  [[nodiscard]] bool handle(std::string_view line);
  // What to answer to a line that was longer than kLineBytesMax.
  [[nodiscard]] bool refuse_long_line();

 private:
  [[nodiscard]] bool error(const std::optional<std::int64_t>& id, const std::string& message);
  [[nodiscard]] bool run(const Request& request, const HelloRequest& hello);
  [[nodiscard]] bool run(const Request& request, const InitRequest& init);
  [[nodiscard]] bool run(const Request& request, const TrainRequest& train);
  [[nodiscard]] bool run(const Request& request, const EvaluateRequest& evaluate);
  [[nodiscard]] bool run(const Request& request, const GenerateRequest& generate);
  [[nodiscard]] bool run(const Request& request, const ByeRequest& bye);
  [[nodiscard]] std::string path(const std::string& path) const;

  SessionOptions options_;
  Send send_;
  std::unique_ptr<Trainer> trainer_;
  std::string dir_;
};

}  // namespace harambee::trainer
