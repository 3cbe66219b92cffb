// What the demo has to show at its end: numbers, whether each promise was kept, and how both are
// said. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/sign.h"
#include "cli/demo_plan.h"
#include "cli/demo_rounds.h"
#include "fold/state.h"

namespace harambee::cli {

struct SummaryCredit {
  std::string key;
  std::string name;    // "volunteer-1", "coordinator", …
  std::string amount;  // "12.345678" credits
};
struct SummaryExclusion {
  std::string key;
  std::string name;
  std::string reason;
};

struct DemoSummary {
  std::int64_t rounds = 0;
  unsigned volunteers = 0;
  std::uint64_t parameters = 0;
  std::int64_t tokens = 0;  // trained on in contributions that were accepted
  // Held-out, mean over the same rows, nano-nats.
  std::int64_t loss_start_nanos = 0;
  std::int64_t loss_end_nanos = 0;
  std::int64_t loss_single_nanos = 0;
  std::int64_t loss_parallel_nanos = 0;
  TrafficSummary traffic;
  std::uint64_t data_parallel_bytes = 0;
  std::vector<SummaryExclusion> excluded;
  std::vector<SummaryCredit> credits;
  std::uint64_t retrained = 0;
  std::uint64_t retrained_exact = 0;
  bool verified = false;
  std::uint64_t records = 0;  // on the log
  std::string weights;
  std::string model_dir;
  std::string hub_data_dir;
  std::string run_url;
  std::string sample_prompt;
  std::string sample;
  double seconds = 0;
  std::vector<std::string> broken;  // promises that were not kept
};

// The part that follows from the log.
void fill_from_log(DemoSummary& summary, const fold::RunState& run, const DemoPlan& plan,
                   const std::vector<std::pair<std::string, KeyId>>& names);
// Fills `broken`: everything that the demo promised and that did not happen.
void judge_promises(DemoSummary& summary, const fold::RunState& run, const DemoPlan& plan,
                    const std::vector<std::pair<std::string, KeyId>>& names);

// The object that `harambee demo --json` prints last (docs/reference-commands.md), on one line.
[[nodiscard]] std::string to_json(const DemoSummary& summary);
// The same for people.
[[nodiscard]] std::vector<std::string> report_lines(const DemoSummary& summary,
                                                    const std::string& program);

}  // namespace harambee::cli
