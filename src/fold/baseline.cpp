#include "fold/baseline.h"

#include <algorithm>

#include "fold/act_frame.h"
#include "fold/fields.h"
#include "fold/state.h"

namespace harambee::fold {

namespace {

BaselineOver read_over(Fields& fields) {
  const std::string over = fields.plain("over", kNameBytesMax);
  if (over == name(BaselineOver::rounds)) return BaselineOver::rounds;
  if (over != name(BaselineOver::tokens)) {
    fields.refuse("over", "must be \"tokens\" or \"rounds\"");
  }
  return BaselineOver::tokens;
}

// None: no pair of integers within the limits.
std::optional<BaselinePoint> read_point(const Json& json) {
  const JsonArray* pair = json.array();
  if (!pair || pair->size() != 2) return std::nullopt;
  const std::int64_t* at = (*pair)[0].integer();
  const std::int64_t* loss = (*pair)[1].integer();
  if (!at || *at < 0 || *at > kTokensMax) return std::nullopt;
  if (!loss || *loss < 0 || *loss > kNanosMax) return std::nullopt;
  return BaselinePoint{*at, *loss};
}

std::vector<BaselinePoint> read_points(Fields& fields) {
  std::vector<BaselinePoint> points;
  for (const Json& json : fields.array("points", kBaselinePointsMax)) {
    const std::optional<BaselinePoint> point = read_point(json);
    if (!point) {
      fields.refuse("points", "must be pairs of integers: 0 to " + std::to_string(kTokensMax) +
                                  ", and a loss of 0 to " + std::to_string(kNanosMax));
      return {};
    }
    if (!points.empty() && point->at <= points.back().at) {
      fields.refuse("points", "must ascend");
      return {};
    }
    points.push_back(*point);
  }
  if (points.empty()) fields.refuse("points", "must not be empty");
  return points;
}

JsonArray points_json(const std::vector<BaselinePoint>& points) {
  JsonArray out;
  out.reserve(points.size());
  for (const BaselinePoint& point : points) out.push_back(JsonArray{point.at, point.loss_nanos});
  return out;
}

}  // namespace

const char* name(BaselineOver over) { return over == BaselineOver::tokens ? "tokens" : "rounds"; }

Payload write(const Baseline& act) {
  return frame(
      "baseline", act.run,
      {{"label", act.label}, {"over", name(act.over)}, {"points", points_json(act.points)}});
}

Result<Baseline> parse_baseline(const Payload& payload) {
  if (const Status status = check(payload, "baseline", Belongs::to_run, {}); !status) {
    return status.error();
  }
  Fields fields(payload.body, "body");
  Baseline act;
  act.run = *payload.run;
  act.label = fields.plain("label", kNameBytesMax);
  act.over = read_over(fields);
  act.points = read_points(fields);
  return finish(fields, std::move(act));
}

std::optional<std::string> object_to_baseline(const RunState& run, const KeyId& author,
                                              const Baseline& act) {
  if (author != run.maintainer) return "only the run's maintainer puts baselines on the log";
  const auto same = [&act](const LoggedBaseline& one) { return one.act.label == act.label; };
  if (std::ranges::any_of(run.baselines, same)) {
    return "label: the run has a baseline " + act.label;
  }
  if (run.baselines.size() >= kBaselinesMax) {
    return "the run has " + std::to_string(kBaselinesMax) + " baselines, and takes no more";
  }
  return std::nullopt;
}

Json baseline_json(const LoggedBaseline& baseline) {
  return JsonObject{{"id", baseline.place.id.hex()},
                    {"index", baseline.place.index},
                    {"label", baseline.act.label},
                    {"over", name(baseline.act.over)},
                    {"points", points_json(baseline.act.points)}};
}

}  // namespace harambee::fold
