// A run's recipe: everything that the people who train together have agreed on. Plain data that
// travels on the log as JSON; it is never executed. Fields, units and limits: spec/run.md.
#pragma once

#include <cstdint>
#include <string>

#include "base/decimal.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/result.h"
#include "fold/credit.h"
#include "format/model.h"

namespace harambee::fold {

inline constexpr std::int64_t kRoundsMax = 1'000'000;
inline constexpr std::int64_t kOwnRoundsMin = 8;  // fewer cannot be significant
inline constexpr std::int64_t kOwnRoundsMax = 64;
inline constexpr std::int64_t kRoundCreditMax = 9'000'000'000;  // micro-credits
static_assert(kRoundCreditMax <= kJsonIntegerMax / kRoundsMax,
              "all credit a run can ever distribute is an integer that JSON can carry");
inline constexpr std::int64_t kPhaseMsMax = 7LL * 24 * 3600 * 1000;

// Parameters of a sparsifying codec, as values: `exact` knows what the name means.
struct CodecRule {
  std::string name;       // 1–16 of [a-z0-9-]
  std::int64_t keep = 0;  // entries kept per chunk
  Decimal feedback;       // factor on what was left over before
  bool operator==(const CodecRule&) const = default;
};

// The inner optimizer (AdamW) of one round on one machine.
struct InnerRule {
  std::int64_t batch = 0;  // rows per step
  Decimal beta1;
  Decimal beta2;
  Decimal clip;  // largest gradient norm; 0: none
  Decimal eps;
  Decimal final;  // learning rate at the end, as a fraction of lr
  Decimal lr;
  std::int64_t steps = 0;   // per round
  std::int64_t warmup = 0;  // steps
  Decimal weight_decay;
  bool operator==(const InnerRule&) const = default;
};

// The maintainer's own training before round 0, from the recipe's seed.
struct WarmRule {
  std::int64_t batch = 0;
  Decimal lr;
  std::int64_t steps = 0;  // 0: none
  std::int64_t warmup = 0;
  bool operator==(const WarmRule&) const = default;
};

// How contributions are scored. Both row counts may be 0: then a run needs no held-out text.
struct GateRule {
  std::int64_t report = 0;  // rows of the reported loss; 0: none is reported
  std::int64_t rows = 0;    // rows a contribution is scored on; 0: none is tried
  Decimal step;             // the fraction of the contribution that is tried
  bool operator==(const GateRule&) const = default;
};

// How accepted contributions become one step.
enum class AggregateRule {
  mean,        // each counts alike
  clip,        // none counts more than one of the median norm
  centered,    // centered clipping around the last update
  neighbours,  // each becomes the mean of its nearest, then the geometric median
  krum,        // the mean of those with the nearest neighbours
};
[[nodiscard]] const char* name(AggregateRule rule);

// What keeps strangers' work from doing harm, layer by layer; each can be switched off.
// Meanings: spec/run.md.
struct JudgeRule {
  AggregateRule aggregate = AggregateRule::centered;
  Decimal audit;                         // probability that a contribution is trained again
  Decimal audit_newcomer;                // the same for a newcomer's
  std::int64_t auditors = 0;             // for each audited contribution; 0: no audits
  std::int64_t centered_iterations = 0;  // of centered clipping
  std::int64_t cohort = 0;               // members that may commit in a round; 0: all
  std::int64_t committee = 0;            // validators that score a round; 0: all
  Decimal faulty;                        // share that may be malicious: neighbours and krum
  Decimal guard;                         // nats a domain may lose; 0: domains do not count
  std::int64_t newcomer_rounds = 0;  // accepted contributions until a member is none; 0: at once
  Decimal newcomer_share;            // of a round's weight, at most, for all newcomers together
  Decimal norm_max;                  // times the median norm; 0: any norm
  std::int64_t own_rounds = 0;       // window of the own-versus-random test; 0: none
  Decimal sample;                    // fraction of the chunks that similarity is measured on
  Decimal similar;                   // cosine above which contributions share a vote; 1: never
  Decimal step_max;                  // times the norm of the update before; 0: any
  Decimal void_rise;                 // nats the loss may rise above its best; 0: any
  bool operator==(const JudgeRule&) const = default;
};

struct Recipe {
  std::int64_t checkpoint_every = 0;  // rounds
  CodecRule codec;                    // way up: contributions
  std::int64_t commit_ms = 0;
  CreditRule credit;
  CodecRule down;  // way down: updates
  GateRule gate;
  InnerRule inner;
  JudgeRule judge;
  std::int64_t min_contributions = 0;
  format::ModelConfig model;
  Decimal outer_lr;
  std::int64_t reveal_ms = 0;
  std::int64_t rounds = 0;
  std::int64_t score_ms = 0;
  Digest seed;  // of the first weights
  std::int64_t shards_per_member = 0;
  WarmRule warm;
  bool operator==(const Recipe&) const = default;

  // Global inner steps of the whole run: the length of the learning-rate schedule.
  [[nodiscard]] std::int64_t total_steps() const { return rounds * inner.steps; }
  // Whether contributions are tried on held-out text; if not, what is well-formed is accepted.
  [[nodiscard]] bool gated() const { return gate.rows > 0; }
  // Whether validators say the loss of each round's base.
  [[nodiscard]] bool reports_loss() const { return gate.report > 0; }
  [[nodiscard]] bool needs_held_out_text() const { return gated() || reports_loss(); }
  // Whether the close of `round` carries a checkpoint: every checkpoint_every rounds and the last.
  [[nodiscard]] bool checkpoint_due(std::int64_t round) const;
};

// Refuses missing and unknown fields, wrong types, values outside their limits, and values that
// contradict each other; the message names the field.
[[nodiscard]] Result<Recipe> recipe_from_json(const Json& json);
[[nodiscard]] Json to_json(const Recipe& recipe);
// The small byte-level model that `harambee demo` trains.
[[nodiscard]] Recipe default_recipe();

}  // namespace harambee::fold
