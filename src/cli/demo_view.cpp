#include "cli/demo_view.h"

#include <algorithm>

#include <fmt/format.h>

#include "cli/ui.h"

namespace harambee::cli {
namespace {

constexpr int kBarWidth = 24;

std::string bar(std::int64_t done, std::int64_t all) {
  const std::int64_t full =
      all > 0 ? std::clamp<std::int64_t>(done * kBarWidth / all, 0, kBarWidth) : 0;
  return fmt::format("[{:=<{}}{:.<{}}]", "", full, "", kBarWidth - full);
}

std::string loss_text(const DemoView& view) {
  if (!view.loss_now_nanos) return "held-out loss not yet measured";
  std::string text = fmt::format("held-out loss {}", human_nats(*view.loss_now_nanos));
  if (view.loss_start_nanos) {
    text += fmt::format(" (began at {})", human_nats(*view.loss_start_nanos));
  }
  return text;
}

std::string left_text(const DemoView& view) {
  return view.seconds_left ? fmt::format("about {} left", human_seconds(*view.seconds_left)) : "";
}

// 80 columns: name 13, state 24, then numbers under the words of kHeader.
constexpr const char* kHeader =
    "                state                     step     loss    tok/s   credits";

std::string shorten(const std::string& text, std::size_t width) {
  return text.size() <= width ? text : text.substr(0, width - 2) + "..";
}

std::string row_line(const VolunteerRow& row, const Paint& paint) {
  const std::string who = fmt::format("  {:<13} ", row.name);
  if (row.mood == Mood::gone) return who + paint(row.mood, row.state);
  const std::string state = paint(row.mood, fmt::format("{:<24}", shorten(row.state, 24)));
  if (row.steps == 0) return who + state;
  const auto speed = static_cast<std::uint64_t>(std::max<std::int64_t>(0, row.tokens_per_second));
  return fmt::format("{}{} {:>3}/{:<2} {:>7} {:>8} {:>9.3f}", who, state, row.step, row.steps,
                     row.loss_nanos > 0 ? human_nats(row.loss_nanos) : "-",
                     speed > 0 ? human_count(speed) : "-",
                     static_cast<double>(row.credit_micros) / 1e6);
}

std::string bytes_text(const DemoView& view) {
  return fmt::format("sent by each: {}; by data-parallel training: {}; {}",
                     human_bytes(view.sent_bytes), human_bytes(view.data_parallel_bytes),
                     fewer(view.data_parallel_bytes, view.sent_bytes));
}

}  // namespace

Paint no_paint() {
  return [](Mood, const std::string& text) { return text; };
}

std::string fewer(std::uint64_t data_parallel_bytes, std::uint64_t sent_bytes) {
  if (sent_bytes == 0 || data_parallel_bytes < sent_bytes) return "-";
  return human_count(data_parallel_bytes / sent_bytes) + " times fewer";
}

std::vector<std::string> block_lines(const DemoView& view, const Paint& paint) {
  std::vector<std::string> lines;
  lines.push_back(fmt::format("{} round {}/{}  {}  {}", bar(view.round, view.rounds),
                              std::min(view.round + 1, view.rounds), view.rounds, view.phase,
                              left_text(view)));
  lines.push_back("  " + loss_text(view));
  lines.push_back(paint(Mood::gone, kHeader));
  for (const VolunteerRow& row : view.rows) lines.push_back(row_line(row, paint));
  lines.push_back("  " + bytes_text(view));
  return lines;
}

std::string round_line(const DemoView& view) {
  std::string losses;
  for (const VolunteerRow& row : view.rows) {
    if (row.steps == 0 || row.loss_nanos <= 0 || row.mood == Mood::gone) continue;
    losses += (losses.empty() ? "" : " ") + human_nats(row.loss_nanos, 3);
  }
  return fmt::format("round {:>3}/{}  {}  volunteers {}  sent {} ({})  {}", view.round, view.rounds,
                     loss_text(view), losses.empty() ? "-" : losses, human_bytes(view.sent_bytes),
                     fewer(view.data_parallel_bytes, view.sent_bytes), left_text(view));
}

}  // namespace harambee::cli
