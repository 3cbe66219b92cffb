// What the demo shows while it runs, as text made from values. Pure: the lines are tested as they
// are; Ui decides whether they are redrawn in place (a terminal) or printed now and then.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace harambee::cli {

enum class Mood { calm, good, bad, gone };

// One volunteer as it is now.
struct VolunteerRow {
  std::string name;
  std::string state;  // "training", "joins in round 18", "excluded"
  Mood mood = Mood::calm;
  std::int64_t step = 0;
  std::int64_t steps = 0;
  std::int64_t loss_nanos = 0;
  std::int64_t tokens_per_second = 0;
  std::int64_t credit_micros = 0;
  std::uint64_t sent_bytes = 0;
};

struct DemoView {
  std::vector<VolunteerRow> rows;
  std::int64_t round = 0;  // closed ones
  std::int64_t rounds = 0;
  std::optional<std::int64_t> loss_start_nanos;  // held-out
  std::optional<std::int64_t> loss_now_nanos;
  std::uint64_t parameters = 0;
  std::uint64_t sent_bytes = 0;           // mean of the honest volunteers
  std::uint64_t data_parallel_bytes = 0;  // the same for the same steps
  std::optional<double> seconds_left;
  std::string phase;  // "training", "scoring", …
};

// Paints a text for a mood, or leaves it as it is.
using Paint = std::function<std::string(Mood mood, const std::string& text)>;
[[nodiscard]] Paint no_paint();

// The live block: a headline, a bar, one line a volunteer, the bytes.
[[nodiscard]] std::vector<std::string> block_lines(const DemoView& view, const Paint& paint);
// One line for a closed round, where there is no terminal.
[[nodiscard]] std::string round_line(const DemoView& view);
// "1,063 times fewer", or "-" while nothing was sent.
[[nodiscard]] std::string fewer(std::uint64_t data_parallel_bytes, std::uint64_t sent_bytes);

}  // namespace harambee::cli
