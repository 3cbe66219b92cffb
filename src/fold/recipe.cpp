#include "fold/recipe.h"

#include "base/check.h"
#include "fold/acts.h"
#include "fold/fields.h"
#include "format/data.h"

namespace harambee::fold {

namespace {

constexpr std::int64_t kBillion = 1'000'000'000;  // Decimal's nanos in 1
constexpr Decimal kZero{0};
constexpr Decimal kOne{kBillion};
constexpr Decimal kLeast{1};  // the smallest positive Decimal
constexpr std::int64_t kStepsMax = 1'000'000;
constexpr std::int64_t kBatchMax = 65536;
constexpr std::int64_t kStepTokensMax = std::int64_t{1} << 26;  // batch × context
constexpr std::int64_t kKeepMax = 65536;
constexpr std::int64_t kGateRowsMax = 4096;
constexpr std::int64_t kAuditorsMax = 16;
constexpr std::int64_t kCenteredIterationsMax = 8;
constexpr std::int64_t kCommitteeMin = 3;  // fewer have no majority that outvotes a liar

static_assert(kRoundsMax * kStepsMax <= kJsonIntegerMax);

CodecRule read_codec(const Json& json, const std::string& where, Fields& parent) {
  Fields fields(json, where);
  CodecRule codec;
  codec.feedback = fields.decimal("feedback", kZero, kOne);
  codec.keep = fields.integer("keep", 1, kKeepMax);
  codec.name = fields.slug("name", 16);
  if (const Status status = fields.finish(); !status) parent.refuse(status.error());
  return codec;
}

CreditRule read_credit(const Json& json, Fields& parent) {
  Fields fields(json, "credit");
  CreditRule credit;
  credit.coordinator_percent = fields.integer("coordinator", 0, 100);
  credit.round = MicroCredit(fields.integer("round", 0, kRoundCreditMax));
  credit.trainer_percent = fields.integer("trainer", 0, 100);
  credit.validator_percent = fields.integer("validator", 0, 100);
  const std::int64_t sum =
      credit.coordinator_percent + credit.trainer_percent + credit.validator_percent;
  if (sum != 100) fields.refuse("trainer", "the three percentages must sum to 100");
  if (const Status status = fields.finish(); !status) parent.refuse(status.error());
  return credit;
}

GateRule read_gate(const Json& json, Fields& parent) {
  Fields fields(json, "gate");
  GateRule gate;
  gate.report = fields.integer("report", 0, kGateRowsMax);
  gate.rows = fields.integer("rows", 0, kGateRowsMax);
  gate.step = fields.decimal("step", kLeast, Decimal{100 * kBillion});
  if (const Status status = fields.finish(); !status) parent.refuse(status.error());
  return gate;
}

InnerRule read_inner(const Json& json, Fields& parent) {
  Fields fields(json, "inner");
  InnerRule inner;
  inner.batch = fields.integer("batch", 1, kBatchMax);
  inner.beta1 = fields.decimal("beta1", kZero, Decimal{kBillion - 1});
  inner.beta2 = fields.decimal("beta2", kZero, Decimal{kBillion - 1});
  inner.clip = fields.decimal("clip", kZero, Decimal{kBillion * 1'000'000});
  inner.eps = fields.decimal("eps", kLeast, kOne);
  inner.final = fields.decimal("final", kZero, kOne);
  inner.lr = fields.decimal("lr", kLeast, Decimal{10 * kBillion});
  inner.steps = fields.integer("steps", 1, kStepsMax);
  inner.warmup = fields.integer("warmup", 0, kStepsMax);
  inner.weight_decay = fields.decimal("weight_decay", kZero, Decimal{10 * kBillion});
  if (const Status status = fields.finish(); !status) parent.refuse(status.error());
  return inner;
}

AggregateRule read_aggregate(Fields& fields) {
  const std::string written = fields.slug("aggregate", 16);
  for (const AggregateRule rule :
       {AggregateRule::mean, AggregateRule::clip, AggregateRule::centered,
        AggregateRule::neighbours, AggregateRule::krum}) {
    if (written == name(rule)) return rule;
  }
  fields.refuse("aggregate",
                "must be \"mean\", \"clip\", \"centered\", \"neighbours\" or \"krum\"");
  return {};
}

JudgeRule read_judge(const Json& json, Fields& parent) {
  constexpr Decimal kThousand{1000 * kBillion};
  Fields fields(json, "judge");
  JudgeRule judge;
  judge.aggregate = read_aggregate(fields);
  judge.audit = fields.decimal("audit", kZero, kOne);
  judge.audit_newcomer = fields.decimal("audit_newcomer", kZero, kOne);
  judge.auditors = fields.integer("auditors", 0, kAuditorsMax);
  judge.centered_iterations = fields.integer("centered_iterations", 1, kCenteredIterationsMax);
  judge.cohort = fields.integer("cohort", 0, kContributionsPerRoundMax);
  judge.committee = fields.integer("committee", 0, kValidatorsMax);
  judge.faulty = fields.decimal("faulty", kZero, Decimal{kBillion / 2 - 1});
  judge.guard = fields.decimal("guard", kZero, kThousand);
  judge.newcomer_rounds = fields.integer("newcomer_rounds", 0, kRoundsMax);
  judge.newcomer_share = fields.decimal("newcomer_share", kZero, Decimal{kBillion - 1});
  judge.norm_max = fields.decimal("norm_max", kZero, kThousand);
  judge.own_rounds = fields.integer("own_rounds", 0, kOwnRoundsMax);
  judge.sample = fields.decimal("sample", kLeast, kOne);
  judge.similar = fields.decimal("similar", kLeast, kOne);
  judge.step_max = fields.decimal("step_max", kZero, kThousand);
  judge.void_rise = fields.decimal("void_rise", kZero, kThousand);
  if (judge.committee > 0 && judge.committee < kCommitteeMin) {
    fields.refuse("committee", "must be 0 or at least " + std::to_string(kCommitteeMin));
  }
  if (judge.own_rounds > 0 && judge.own_rounds < kOwnRoundsMin) {
    fields.refuse("own_rounds", "must be 0 or at least " + std::to_string(kOwnRoundsMin));
  }
  if (judge.norm_max > kZero && judge.norm_max < kOne) {
    fields.refuse("norm_max", "must be 0 or at least 1");
  }
  if (judge.step_max > kZero && judge.step_max < kOne) {
    fields.refuse("step_max", "must be 0 or at least 1");
  }
  if (const Status status = fields.finish(); !status) parent.refuse(status.error());
  return judge;
}

Decimal read_outer(const Json& json, Fields& parent) {
  Fields fields(json, "outer");
  const Decimal lr = fields.decimal("lr", kLeast, Decimal{1000 * kBillion});
  if (const Status status = fields.finish(); !status) parent.refuse(status.error());
  return lr;
}

WarmRule read_warm(const Json& json, Fields& parent) {
  Fields fields(json, "warm");
  WarmRule warm;
  warm.batch = fields.integer("batch", 1, kBatchMax);
  warm.lr = fields.decimal("lr", kLeast, Decimal{10 * kBillion});
  warm.steps = fields.integer("steps", 0, kStepsMax);
  warm.warmup = fields.integer("warmup", 0, kStepsMax);
  if (const Status status = fields.finish(); !status) parent.refuse(status.error());
  return warm;
}

format::ModelConfig read_model(const Json& json, Fields& parent) {
  if (parent.failed()) return {};
  Result<format::ModelConfig> model = format::model_from_json(json);
  if (model) return *model;
  parent.refuse(wrap(model.error(), "model"));
  return {};
}

// What is measured needs text to measure it on.
void check_held_out(const Recipe& recipe, Fields& fields) {
  const JudgeRule& judge = recipe.judge;
  if (recipe.gated()) {
    if (!recipe.reports_loss()) {
      fields.refuse("gate.report",
                    "must not be 0 unless gate.rows is: a score tells the loss, too");
    }
    return;
  }
  const std::string without = "must be 0 in a run whose gate.rows is 0: nothing is tried on text";
  if (judge.guard > kZero) fields.refuse("judge.guard", without);
  if (judge.own_rounds > 0) fields.refuse("judge.own_rounds", without);
  if (judge.void_rise > kZero && !recipe.reports_loss()) {
    fields.refuse("judge.void_rise",
                  "must be 0 where gate.report is 0: nobody says what the loss is");
  }
}

// What single limits cannot say.
void check_together(const Recipe& recipe, Fields& fields) {
  if (fields.failed()) return;
  check_held_out(recipe, fields);
  const auto context = static_cast<std::int64_t>(recipe.model.context);
  if (recipe.inner.batch * context > kStepTokensMax) {
    fields.refuse("inner.batch",
                  "a step must not have more than " + std::to_string(kStepTokensMax) + " tokens");
  }
  if (recipe.warm.batch * context > kStepTokensMax) {
    fields.refuse("warm.batch",
                  "a step must not have more than " + std::to_string(kStepTokensMax) + " tokens");
  }
  if (recipe.judge.cohort > 0 && recipe.judge.cohort < recipe.min_contributions) {
    fields.refuse("judge.cohort", "fewer than min_contributions: no round could end");
  }
}

Json to_json(const CodecRule& codec) {
  return JsonObject{{"feedback", codec.feedback.str()}, {"keep", codec.keep}, {"name", codec.name}};
}

Json to_json(const JudgeRule& judge) {
  return JsonObject{{"aggregate", name(judge.aggregate)},
                    {"audit", judge.audit.str()},
                    {"audit_newcomer", judge.audit_newcomer.str()},
                    {"auditors", judge.auditors},
                    {"centered_iterations", judge.centered_iterations},
                    {"cohort", judge.cohort},
                    {"committee", judge.committee},
                    {"faulty", judge.faulty.str()},
                    {"guard", judge.guard.str()},
                    {"newcomer_rounds", judge.newcomer_rounds},
                    {"newcomer_share", judge.newcomer_share.str()},
                    {"norm_max", judge.norm_max.str()},
                    {"own_rounds", judge.own_rounds},
                    {"sample", judge.sample.str()},
                    {"similar", judge.similar.str()},
                    {"step_max", judge.step_max.str()},
                    {"void_rise", judge.void_rise.str()}};
}

JudgeRule default_judge() {
  return {.aggregate = AggregateRule::centered,
          .audit = Decimal{50'000'000},
          .audit_newcomer = Decimal{500'000'000},
          .auditors = 1,
          .centered_iterations = 2,
          .cohort = 64,
          .committee = 0,
          .faulty = Decimal{300'000'000},
          .guard = Decimal{50'000'000},
          .newcomer_rounds = 3,
          .newcomer_share = Decimal{100'000'000},
          .norm_max = Decimal{10 * kBillion},
          .own_rounds = 24,
          .sample = kOne,
          .similar = Decimal{500'000'000},
          .step_max = Decimal{3 * kBillion},
          .void_rise = Decimal{500'000'000}};
}

}  // namespace

const char* name(AggregateRule rule) {
  switch (rule) {
    case AggregateRule::mean:
      return "mean";
    case AggregateRule::clip:
      return "clip";
    case AggregateRule::centered:
      return "centered";
    case AggregateRule::neighbours:
      return "neighbours";
    case AggregateRule::krum:
      return "krum";
  }
  HARAMBEE_CHECK(false);
  return "";
}

bool Recipe::checkpoint_due(std::int64_t round) const {
  return (round + 1) % checkpoint_every == 0 || round + 1 == rounds;
}

Result<Recipe> recipe_from_json(const Json& json) {
  Fields fields(json, "recipe");
  Recipe recipe;
  recipe.checkpoint_every = fields.integer("checkpoint_every", 1, kRoundsMax);
  recipe.codec = read_codec(fields.any("codec"), "codec", fields);
  recipe.commit_ms = fields.integer("commit_ms", 1, kPhaseMsMax);
  recipe.credit = read_credit(fields.any("credit"), fields);
  recipe.down = read_codec(fields.any("down"), "down", fields);
  recipe.gate = read_gate(fields.any("gate"), fields);
  recipe.inner = read_inner(fields.any("inner"), fields);
  recipe.judge = read_judge(fields.any("judge"), fields);
  recipe.min_contributions = fields.integer("min_contributions", 1, kContributionsPerRoundMax);
  recipe.model = read_model(fields.any("model"), fields);
  recipe.outer_lr = read_outer(fields.any("outer"), fields);
  recipe.reveal_ms = fields.integer("reveal_ms", 0, kPhaseMsMax);
  recipe.rounds = fields.integer("rounds", 1, kRoundsMax);
  recipe.score_ms = fields.integer("score_ms", 1, kPhaseMsMax);
  recipe.seed = fields.digest("seed");
  recipe.shards_per_member =
      fields.integer("shards_per_member", 1, static_cast<std::int64_t>(format::kDataShardsMax));
  recipe.warm = read_warm(fields.any("warm"), fields);
  check_together(recipe, fields);
  if (const Status status = fields.finish(); !status) return status.error();
  return recipe;
}

Json to_json(const Recipe& recipe) {
  const InnerRule& inner = recipe.inner;
  return JsonObject{{"checkpoint_every", recipe.checkpoint_every},
                    {"codec", to_json(recipe.codec)},
                    {"commit_ms", recipe.commit_ms},
                    {"credit", JsonObject{{"coordinator", recipe.credit.coordinator_percent},
                                          {"round", recipe.credit.round.micros()},
                                          {"trainer", recipe.credit.trainer_percent},
                                          {"validator", recipe.credit.validator_percent}}},
                    {"down", to_json(recipe.down)},
                    {"gate", JsonObject{{"report", recipe.gate.report},
                                        {"rows", recipe.gate.rows},
                                        {"step", recipe.gate.step.str()}}},
                    {"inner", JsonObject{{"batch", inner.batch},
                                         {"beta1", inner.beta1.str()},
                                         {"beta2", inner.beta2.str()},
                                         {"clip", inner.clip.str()},
                                         {"eps", inner.eps.str()},
                                         {"final", inner.final.str()},
                                         {"lr", inner.lr.str()},
                                         {"steps", inner.steps},
                                         {"warmup", inner.warmup},
                                         {"weight_decay", inner.weight_decay.str()}}},
                    {"judge", to_json(recipe.judge)},
                    {"min_contributions", recipe.min_contributions},
                    {"model", format::to_json(recipe.model)},
                    {"outer", JsonObject{{"lr", recipe.outer_lr.str()}}},
                    {"reveal_ms", recipe.reveal_ms},
                    {"rounds", recipe.rounds},
                    {"score_ms", recipe.score_ms},
                    {"seed", recipe.seed.hex()},
                    {"shards_per_member", recipe.shards_per_member},
                    {"warm", JsonObject{{"batch", recipe.warm.batch},
                                        {"lr", recipe.warm.lr.str()},
                                        {"steps", recipe.warm.steps},
                                        {"warmup", recipe.warm.warmup}}}};
}

Recipe default_recipe() {
  Recipe recipe;
  recipe.checkpoint_every = 10;
  recipe.codec = {.name = "sign", .keep = 32, .feedback = Decimal{950'000'000}};
  recipe.commit_ms = 8000;
  recipe.credit = {.round = MicroCredit(1'000'000),
                   .trainer_percent = 80,
                   .validator_percent = 15,
                   .coordinator_percent = 5};
  recipe.down = {.name = "sign", .keep = 256, .feedback = kOne};
  recipe.gate = {.report = 64, .rows = 32, .step = Decimal{250'000'000}};
  recipe.inner = {.batch = 4,
                  .beta1 = Decimal{900'000'000},
                  .beta2 = Decimal{990'000'000},
                  .clip = kOne,
                  .eps = Decimal{10},
                  .final = Decimal{100'000'000},
                  .lr = Decimal{3'000'000},
                  .steps = 5,
                  .warmup = 20,
                  .weight_decay = Decimal{100'000'000}};
  recipe.judge = default_judge();
  recipe.min_contributions = 2;
  recipe.model = {.hidden = 128,
                  .layers = 6,
                  .heads = 4,
                  .kv_heads = 2,
                  .ffn = 384,
                  .vocab = 256,
                  .context = 128,
                  .rope_theta = Decimal{10'000 * kBillion},
                  .norm_eps = Decimal{10'000},
                  .tied = false};
  recipe.outer_lr = Decimal{3 * kBillion};
  recipe.reveal_ms = 5000;
  recipe.rounds = 80;
  recipe.score_ms = 15000;
  recipe.seed = sha256(view("harambee default recipe v1\n"));
  recipe.shards_per_member = 4;
  recipe.warm = {.batch = 16, .lr = Decimal{3'000'000}, .steps = 200, .warmup = 20};
  return recipe;
}

}  // namespace harambee::fold
