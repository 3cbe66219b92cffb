// What a simulation is told, and what it draws from the seed ("swarm" options, Groce and others
// 2012: each seed gets its own mixture, so that faults do not drown one another).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "fold/recipe.h"

namespace harambee::sim {

inline constexpr const char* kInexactClass = "torch-2";  // what some seeds' members train in

// The fault menu. Append only: a seed's draws depend on the order.
enum class Fault : std::uint8_t {
  delay,        // messages take long
  loss,         // messages are lost
  duplicate,    // messages come twice
  partition,    // some peers cannot reach the hub for a while
  sleep,        // laptops sleep, for minutes to hours
  slow,         // slow uplinks
  crash,        // any peer's process ends at any of its effects, and starts again
  coordinator,  // the coordinator's process ends while it closes a round
  hub_crash,    // the hub's process ends at any durable step
  torn,         // a crash of the hub leaves a torn tile file: damage that must be seen
  bit_flip,     // blobs arrive changed
  backup,       // the hub's database is put back to an old copy
  two_faced,    // the hub shows some peers another log
  censor,       // the hub drops some peers' records
  clock,        // wall clocks jump
  mixed,        // newer versions write kinds that nobody here knows, and nonsense
  liars,        // a minority of the validators lies
  attackers,    // some members send harmful work
  overstep,     // the maintainer chose far too large an outer step
};
inline constexpr std::size_t kFaults = 19;
[[nodiscard]] std::string_view name(Fault fault);

class Faults {
 public:
  [[nodiscard]] static Faults all();
  [[nodiscard]] static Faults none() { return {}; }
  // "all", "none", or names with commas between them.
  [[nodiscard]] static Result<Faults> parse(std::string_view text);
  [[nodiscard]] bool has(Fault fault) const { return on_[static_cast<std::size_t>(fault)]; }
  void set(Fault fault, bool on) { on_[static_cast<std::size_t>(fault)] = on; }
  [[nodiscard]] std::string str() const;

 private:
  std::array<bool, kFaults> on_{};
};

// How a member of the run behaves.
enum class Conduct : std::uint8_t {
  honest,
  sign_flip,    // −Δ
  scaled,       // 100 Δ
  noise,        // random directions of the same size
  collude,      // all of these send the same direction
  stale,        // trained from older weights
  copy,         // commits to bytes that somebody else has committed to
  withhold,     // commits, never reveals
  malformed,    // reveals bytes that are no delta
  sybil,        // all of these send one member's honest work under many keys
  lazy,         // trains fewer steps than it says: only doing it again shows that
  lazy_hidden,  // … and reveals no states to auditors
  fixture,      // choose together, knowing what the honest will send (sim/attacks)
  partisan,     // helps the whole and harms a guarded domain, or declares a domain of its choice
  stranger,     // work on others' rows, and against its own
};
inline constexpr std::size_t kConducts = 15;
inline constexpr std::size_t kConductsDrawn = 13;  // the rest: draw_texts
[[nodiscard]] std::string_view name(Conduct conduct);

struct Config {
  std::uint64_t seed = 1;
  std::uint32_t peers = 24;
  std::uint32_t rounds = 8;
  Faults faults = Faults::all();
};

// Drawn from the seed. Ratios are per 10,000.
struct Plan {
  fold::Recipe recipe;
  Faults faults;  // those that this seed uses
  std::uint32_t validators = 3;
  bool coordinator_judges = false;  // it is listed as a validator
  std::uint32_t liars = 0;
  bool sly = false;        // they score contributions truthfully and lie about the loss alone
  bool watched = false;    // honest members bring forgeries before all auditors
  bool slandered = false;  // attackers bring honest work before them
  bool inexact = false;    // a third of the members train in kInexactClass
  [[nodiscard]] bool audits() const { return recipe.judge.auditors > 0 || watched || slandered; }
  std::vector<Conduct> attackers;    // the first members
  std::uint64_t attack = 0;          // which one of sim/collusion.cpp
  std::vector<std::string> domains;  // of the held-out rows
  std::int64_t tick_ms = 1000;
  std::int64_t batch_ms = 20;
  std::int64_t latency_ms_min = 5;
  std::int64_t latency_ms_max = 80;
  std::int64_t jitter_ms = 20;
  std::int64_t delay_ms_max = 0;  // of a delayed message
  std::uint64_t delayed = 0;
  std::uint64_t lost = 0;
  std::uint64_t doubled = 0;
  std::uint64_t flipped = 0;
  std::uint64_t crashes = 0;    // at each effect of a peer
  std::int64_t trouble_ms = 0;  // mean time between two placed faults; 0: none
  std::int64_t join_ms = 2000;  // over which people arrive
  std::int64_t train_ms_min = 400;
  std::int64_t train_ms_max = 4000;
  std::int64_t safety_ms = 0;    // then everything heals
  std::int64_t liveness_ms = 0;  // a round must close at least so often after it
};
[[nodiscard]] Plan draw_plan(const Config& config);

}  // namespace harambee::sim
