#include "cli/baseline_file.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace harambee::cli {
namespace {

constexpr double kNanosInNat = 1e9;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\"";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  for (;;) {
    const std::size_t comma = line.find(',');
    cells.push_back(trimmed(line.substr(0, comma)));
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Loggers write tokens as 1e6, too.
Result<fold::BaselinePoint> point(double at, double loss) {
  if (!(at >= 0) || at > static_cast<double>(fold::kTokensMax) || at != std::floor(at)) {
    return invalid(fmt::format("{} is no number of tokens or rounds", at));
  }
  if (!(loss >= 0) || loss > static_cast<double>(fold::kNanosMax) / kNanosInNat) {
    return invalid(fmt::format("{} is no loss in nats", loss));
  }
  return fold::BaselinePoint{static_cast<std::int64_t>(at), std::llround(loss * kNanosInNat)};
}

std::optional<fold::BaselineOver> over_named(std::string_view name) {
  if (name == "tokens") return fold::BaselineOver::tokens;
  if (name == "round" || name == "rounds") return fold::BaselineOver::rounds;
  return std::nullopt;
}

class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  std::optional<std::string_view> next() {
    if (rest_.empty()) return std::nullopt;
    const std::size_t end = rest_.find('\n');
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    ++number_;
    return line;
  }
  [[nodiscard]] Error wrong(std::string_view what) const {
    return invalid(fmt::format("line {}: {}", number_, what));
  }

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

struct Columns {
  std::size_t at = 0;
  std::size_t loss = 0;
  fold::BaselineOver over = fold::BaselineOver::tokens;
};

Result<Columns> read_head(const std::vector<std::string_view>& cells) {
  Columns columns;
  bool has_at = false;
  bool has_loss = false;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (const auto over = over_named(cells[i])) {
      if (has_at) return invalid("line 1: name one of tokens and round, not both");
      columns.at = i, columns.over = *over, has_at = true;
    }
    if (cells[i] == "loss") columns.loss = i, has_loss = true;
  }
  if (!has_at || !has_loss) {
    return invalid("line 1: must name a column loss and a column tokens or round");
  }
  return columns;
}

Result<BaselineFile> parse_csv(std::string_view text) {
  Lines lines(text);
  const auto first = lines.next();
  const Result<Columns> columns = read_head(cells_of(first.value_or("")));
  if (!columns) return columns.error();
  BaselineFile file;
  file.over = columns->over;
  while (const auto line = lines.next()) {
    const std::vector<std::string_view> cells = cells_of(*line);
    if (cells.size() <= columns->loss || cells[columns->loss].empty()) continue;
    if (cells.size() <= columns->at) return lines.wrong("too few columns");
    const auto at = number(cells[columns->at]);
    const auto loss = number(cells[columns->loss]);
    if (!at || !loss) return lines.wrong("not a number");
    const Result<fold::BaselinePoint> one = point(*at, *loss);
    if (!one) return lines.wrong(one.error().message);
    file.points.push_back(*one);
  }
  return file;
}

Result<BaselineFile> read_json_points(const nlohmann::json& list) {
  if (!list.is_array()) return invalid("must be a list of points, or an object with points");
  BaselineFile file;
  std::optional<fold::BaselineOver> over;
  for (const auto& item : list) {
    const std::string where = fmt::format("point {}", file.points.size() + 1);
    if (!item.is_object()) return invalid(where + ": must be an object");
    const auto loss = item.find("loss");
    if (loss == item.end() || loss->is_null()) continue;
    const bool has_tokens = item.contains("tokens");
    const auto at = item.find(has_tokens ? "tokens" : item.contains("round") ? "round" : "rounds");
    if (at == item.end() || !at->is_number() || !loss->is_number()) {
      return invalid(where + ": needs numbers, loss and tokens or round");
    }
    const auto here = has_tokens ? fold::BaselineOver::tokens : fold::BaselineOver::rounds;
    if (over.value_or(here) != here) return invalid(where + ": tokens here, rounds elsewhere");
    over = here;
    const Result<fold::BaselinePoint> one = point(at->get<double>(), loss->get<double>());
    if (!one) return wrap(one.error(), where);
    file.points.push_back(*one);
  }
  file.over = over.value_or(fold::BaselineOver::tokens);
  return file;
}

Result<BaselineFile> parse_json(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) return invalid("is no JSON");
  if (json.is_object()) {
    const auto points = json.find("points");
    return read_json_points(points == json.end() ? nlohmann::json() : *points);
  }
  return read_json_points(json);
}

// Evenly, with the first and the last.
std::vector<fold::BaselinePoint> thinned(const std::vector<fold::BaselinePoint>& all) {
  if (all.size() <= fold::kBaselinePointsMax) return all;
  std::vector<fold::BaselinePoint> some;
  constexpr std::size_t kLast = fold::kBaselinePointsMax - 1;
  for (std::size_t i = 0; i <= kLast; ++i) some.push_back(all[i * (all.size() - 1) / kLast]);
  return some;
}

}  // namespace

Result<BaselineFile> parse_baseline_file(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const bool is_json =
      first != std::string_view::npos && (text[first] == '[' || text[first] == '{');
  Result<BaselineFile> file = is_json ? parse_json(text) : parse_csv(text);
  if (!file) return file.error();
  if (file->points.empty()) return invalid("has no points");
  for (std::size_t i = 1; i < file->points.size(); ++i) {
    if (file->points[i].at <= file->points[i - 1].at) {
      return invalid(fmt::format("the {} do not ascend: {} after {}", name(file->over),
                                 file->points[i].at, file->points[i - 1].at));
    }
  }
  file->points_in_file = file->points.size();
  file->points = thinned(file->points);
  return file;
}

}  // namespace harambee::cli
