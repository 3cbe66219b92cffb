// The show itself: coordinator, validator and volunteers train together, one joins late, one is
// killed in mid-round, one cheats; and what of it is drawn.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/demo_view.h"
#include "cli/demo_world.h"

namespace harambee::cli {

// A volunteer's own account, from its events and its stats.json.
struct VolunteerStats {
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t once_received_bytes = 0;
  std::int64_t contributions = 0;
  std::int64_t round = -1;
  std::int64_t step = 0;
  std::int64_t loss_nanos = 0;
  std::int64_t tokens_per_second = 0;
  std::string state;
};
// Zeros where the file is not there yet or not readable.
[[nodiscard]] VolunteerStats read_stats(const std::filesystem::path& role_dir);

class Rounds {
 public:
  explicit Rounds(World& world);
  ~Rounds();
  // Until the run is finished. cancelled: stopped by the person; everything is kept.
  [[nodiscard]] Status run();
  [[nodiscard]] DemoView view() const;

 private:
  [[nodiscard]] Status start_roles();
  [[nodiscard]] Status start_volunteer(const Part& part);
  [[nodiscard]] Status act();  // the script's events, when their time has come
  void news();                 // what the log says that it did not say before
  void news_of(const Part& part, const fold::RunState& run);
  void draw();
  [[nodiscard]] Status check_progress();
  void heard(const std::string& name, const nlohmann::json& event);
  void ended(const std::string& name, const ChildEnd& end, bool comes_back);

  World& world_;
  std::map<std::string, VolunteerStats> stats_;
  std::map<std::string, std::string> said_;  // by volunteer: the last thing said of its fate
  std::int64_t round_seen_ = -1;             // closed rounds at the last look
  std::int64_t moved_ms_ = 0;                // when the log last changed the run's phase
  std::uint64_t phase_seen_ = 0;
  std::deque<std::int64_t> closes_ms_;  // when the last rounds were seen to close
  bool waiting_for_comeback_ = false;
};

// Mean bytes of the honest volunteers, and what data-parallel training would have sent for the
// very steps they did.
struct TrafficSummary {
  double up = 0;     // all that was sent
  double down = 0;   // what was received round by round
  double once = 0;   // data, first weights and the log before joining
  double steps = 0;  // inner steps
};
[[nodiscard]] TrafficSummary mean_traffic(const std::vector<Part>& parts,
                                          const std::map<std::string, VolunteerStats>& stats,
                                          std::int64_t inner_steps);

}  // namespace harambee::cli
