// harambee-trainer: the exact trainer behind the trainer protocol (spec/trainer-protocol.md).
// Requests on stdin, replies on stdout, its own log on stderr. Ends with exit code 0 at "bye" or
// the end of stdin, 1 when nobody listens any more, 2 for a wrong command line.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "trainer/exact/protocol.h"

namespace {

using namespace harambee::trainer;

constexpr std::string_view kUsage =
    "usage: harambee-trainer [--threads N] [--simd auto|scalar|neon|avx2|avx512] [--memory-mib N]\n"
    "Speaks the trainer protocol on stdin and stdout. HARAMBEE_SIMD is a default for --simd.\n"
    "Every level and every number of threads gives the same bits.\n";

std::optional<std::uint64_t> number(std::string_view text, std::uint64_t low, std::uint64_t high) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value < low || value > high) return std::nullopt;
  return value;
}

bool choose_simd(std::string_view text, SessionOptions& options) {
  options.kernels = nullptr;
  if (text == "auto") return true;
  const std::optional<Simd> simd = parse_simd(text);
  if (simd) options.kernels = kernels(*simd);
  if (options.kernels == nullptr) {
    std::fprintf(stderr, "harambee-trainer: this build or processor has no SIMD level '%s'\n",
                 std::string(text).c_str());
  }
  return options.kernels != nullptr;
}

std::optional<SessionOptions> parse_arguments(int argc, char** argv) {
  SessionOptions options;
  const unsigned processors = std::thread::hardware_concurrency();
  options.processors = processors == 0 ? 1 : std::min(processors, Pool::kThreadsMax);
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page = ::sysconf(_SC_PAGE_SIZE);
  if (pages > 0 && page > 0) {
    options.memory_bytes_max =
        static_cast<std::uint64_t>(pages) / 2 * static_cast<std::uint64_t>(page);
  }
  const char* const level = std::getenv("HARAMBEE_SIMD");
  if (level != nullptr && !choose_simd(level, options)) return std::nullopt;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view key = argv[i];
    const std::string_view value = i + 1 < argc ? argv[i + 1] : "";
    if (key == "--threads") {
      const auto n = number(value, 1, Pool::kThreadsMax);
      if (!n) return std::nullopt;
      options.threads = static_cast<unsigned>(*n);
    } else if (key == "--simd") {
      if (!choose_simd(value, options)) return std::nullopt;
    } else if (key == "--memory-mib") {
      const auto n = number(value, 1, 1u << 24);
      if (!n) return std::nullopt;
      options.memory_bytes_max = *n << 20;
    } else {
      return std::nullopt;
    }
  }
  return options;
}

bool send_line(const std::string& line) {
  return std::fwrite(line.data(), 1, line.size(), stdout) == line.size() &&
         std::fputc('\n', stdout) != EOF && std::fflush(stdout) == 0;
}

// Lines of stdin to the session, with a bound on what one line may hold in memory.
int serve(Session& session) {
  std::string buffer;
  bool skipping = false;  // inside a line that was too long and has been answered
  char chunk[65536];
  for (;;) {
    const ssize_t n = ::read(STDIN_FILENO, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    buffer.append(chunk, static_cast<std::size_t>(n));
    std::size_t begin = 0;
    for (std::size_t end; (end = buffer.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const std::string_view line = std::string_view(buffer).substr(begin, end - begin);
      if (!skipping && !session.handle(line)) return std::ferror(stdout) ? 1 : 0;
      skipping = false;
    }
    buffer.erase(0, begin);
    if (buffer.size() > kLineBytesMax) {
      if (!skipping && !session.refuse_long_line()) return 1;
      skipping = true;
      buffer.clear();
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a write that fails is how we learn that the node is gone
  if (argc == 2 && (std::string_view(argv[1]) == "--help" || std::string_view(argv[1]) == "-h")) {
    std::fwrite(kUsage.data(), 1, kUsage.size(), stdout);
    return 0;
  }
  const std::optional<SessionOptions> options = parse_arguments(argc, argv);
  if (!options) {
    std::fwrite(kUsage.data(), 1, kUsage.size(), stderr);
    return 2;
  }
  Session session(*options, send_line);
  return serve(session);
}
