#include "node/validator.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "exact/aggregate.h"
#include "fold/acts.h"
#include "fold/assignment.h"
#include "node/auditor.h"
#include "node/memory.h"
#include "node/own_rows.h"
#include "node/round_close.h"
#include "node/round_math.h"
#include "node/run_manifest.h"
#include "node/session.h"
#include "role/validator.h"

namespace harambee::node {
namespace {

namespace fs = std::filesystem;
using role::validator::Action;

constexpr std::int64_t kRevealPollMs = 200;
constexpr int kTrainerFailuresMax = 3;
constexpr int kLateLooksMax = 15;  // after the run's end, for states that are being uploaded

// One contribution on its way to a verdict.
struct Candidate {
  role::validator::ToScore asked;
  std::optional<Bytes> blob;
  Finding found;  // borrows blob
  Gains gains;
  std::optional<std::int64_t> own_nanos;
  [[nodiscard]] bool evaluated() const { return found.verdict == fold::kVerdictOk; }
};

// What the losses of one round are measured on.
struct Rows {
  std::vector<fs::path> files;
  std::vector<std::uint64_t> score;
  std::vector<std::uint64_t> report;
  std::uint64_t bytes = 0;  // of the files
};

// What a contribution is tried against.
struct Base {
  fs::path file;
  std::vector<float> weights;
  std::vector<std::int64_t> without;  // its losses on the score rows
};

class Validator {
 public:
  explicit Validator(Session& session)
      : session_(session), trainer_(session.make_trainer()), auditor_(session, *trainer_) {}

  Result<Stats> run();

 private:
  Result<bool> act(const role::validator::Wait& action);
  Result<bool> act(const role::validator::Identify& action);
  Result<bool> act(const role::validator::Score& action);
  Result<bool> act(const role::validator::AskTick& action);
  Result<bool> act(const role::validator::Done& action);
  Result<bool> act(const role::validator::Stranger& action);

  Status resume();
  Result<bool> after(const Status& status);
  Result<Auditor::Did> audit();
  Status score(const role::validator::Score& action);
  Result<Rows> rows(const role::validator::Score& action);
  Result<bool> gather(const role::validator::Score& action, std::vector<Candidate>& candidates);
  Result<bool> fetch(Candidate& candidate);
  Status examine(const role::validator::Score& action, std::vector<Candidate>& candidates);
  Status measure(const role::validator::Score& action, const Rows& rows,
                 std::vector<Candidate>& candidates, std::int64_t& report_nanos);
  Status measure_one(const Rows& rows, const Base& base, const std::optional<OwnTest>& own,
                     float factor, Candidate& candidate);
  Result<std::optional<OwnTest>> own_test(const role::validator::Score& action, const Base& base,
                                          const Candidate& candidate);
  Status publish(const role::validator::Score& action, const std::vector<Candidate>& candidates,
                 std::int64_t report_nanos);
  [[nodiscard]] bool still_wanted(const role::validator::Score& action) const;
  void trim();

  Session& session_;
  std::unique_ptr<TrainerProcess> trainer_;
  Auditor auditor_;
  role::ValidatorFacts facts_;
  std::size_t trimmed_ = 0;
  std::int64_t rounds_here_ = 0;
  int trainer_failures_ = 0;
  int late_looks_ = 0;
};

bool Validator::still_wanted(const role::validator::Score& action) const {
  const fold::RunState& run = session_.run();
  return run.phase == fold::Phase::score && run.round.number == action.round &&
         !run.score_of(session_.me());
}

// Deltas of closed rounds have been scored.
void Validator::trim() {
  const auto& history = session_.run().history;
  for (; trimmed_ < history.size(); ++trimmed_) {
    for (const auto& contribution : history[trimmed_].contributions) {
      static_cast<void>(session_.blobs().remove(contribution.delta.digest));
    }
  }
}

Result<bool> Validator::after(const Status& status) {
  if (status) return true;
  return session_.wait_out(status.error());
}

// A score that was on its way when the last process ended, if its round still takes it.
Status Validator::resume() {
  const auto pending = session_.publisher().pending();
  if (!pending) return session_.publisher().drop();
  if (!pending->has_value()) return ok();
  const fold::RunState& run = session_.run();
  const Payload& payload = **pending;
  if (payload.kind == "audit") {  // said twice it is inert the second time
    const auto posted = session_.publisher().finish();
    return posted || posted.error().code == ErrorCode::refused ? ok() : Status(posted.error());
  }
  const bool wanted = payload.kind == "score" && payload.run == run.id &&
                      run.phase == fold::Phase::score && payload.round == run.round.number &&
                      !run.score_of(session_.me());
  if (!wanted) return session_.publisher().drop();
  const auto posted = session_.publisher().finish();
  if (!posted) return posted.error();
  facts_.attempted_round = payload.round;
  ++session_.stats.rounds;
  ++rounds_here_;
  return ok();
}

Result<Stats> Validator::run() {
  if (Status resumed = resume(); !resumed) {
    const auto waited = session_.wait_out(resumed.error());
    if (!waited) return waited.error();
    if (!*waited) return session_.stats;
  }
  for (;;) {
    trim();
    const fold::RunState& run = session_.run();
    session_.stats.round = run.round.number;
    facts_.clock.now_ms = session_.log_time_ms();
    const Action action = role::decide_validator(session_.state(), run, session_.me(), facts_);
    const auto go_on = std::visit([this](const auto& what) { return act(what); }, action);
    session_.save_stats();
    if (!go_on) return go_on.error();
    const auto max = session_.options().rounds_max;
    if (!*go_on || (max > 0 && rounds_here_ >= max)) return session_.stats;
  }
}

// Between the rounds' work; a trainer that fails now may be better later.
Result<Auditor::Did> Validator::audit() {
  auto did = auditor_.step();
  if (did) return did;
  if (did.error().code != ErrorCode::unavailable || ++trainer_failures_ >= kTrainerFailuresMax) {
    return did.error();
  }
  session_.tell(Event::Kind::note, did.error().message);
  return Auditor::Did::later;
}

Result<bool> Validator::act(const role::validator::Wait& action) {
  const auto did = audit();
  if (!did) return after(did.error());
  if (*did == Auditor::Did::audit) return session_.follow(0);
  session_.tell_state(action.why);
  return session_.follow_as_timekeeper();
}

Result<bool> Validator::act(const role::validator::Identify&) {
  const Status posted = session_.publisher().ensure_identity();
  facts_.identify_sent = posted.ok();
  return after(posted);
}

Result<bool> Validator::act(const role::validator::AskTick&) {
  facts_.clock.asked_ms = facts_.clock.now_ms;
  return session_.tick();
}

Result<bool> Validator::act(const role::validator::Done&) {
  const auto did = audit();
  if (!did) return after(did.error());
  if (*did == Auditor::Did::audit) return session_.follow(0);
  // States of the last rounds may still be on their way; they are not waited for for ever.
  if (*did == Auditor::Did::later && ++late_looks_ < kLateLooksMax) return session_.follow();
  session_.tell_state("finished");
  return false;
}

Result<bool> Validator::act(const role::validator::Stranger&) {
  return fail(ErrorCode::refused,
              "the run does not list " + session_.me().hex() + " as a validator");
}

Result<bool> Validator::act(const role::validator::Score& action) {
  const Status scored = score(action);
  if (scored) {
    trainer_failures_ = 0;
    return session_.follow(0);
  }
  if (scored.error().code == ErrorCode::unavailable && ++trainer_failures_ >= kTrainerFailuresMax) {
    return scored.error();
  }
  const auto waited = after(scored);
  if (!waited || !*waited) return waited;
  return session_.follow(0);
}

Result<Rows> Validator::rows(const role::validator::Score& action) {
  const fold::RunState& run = session_.run();
  const auto manifest = session_.manifest();
  if (!manifest) return manifest.error();
  auto files = session_.shard_files(manifest->heldout);
  if (!files) return files.error();
  const std::uint64_t total = manifest->heldout_bytes();
  const std::uint64_t context = run.recipe.model.context;
  if (total <= context) return fail(ErrorCode::corrupt, "the held-out text is too short");
  const auto count = [](std::int64_t rows) { return static_cast<std::uint64_t>(rows); };
  return Rows{std::move(*files),
              fold::score_rows(action.seed, count(run.recipe.gate.rows), *manifest, context,
                               run.guarded().empty() ? fold::Guarded::no : fold::Guarded::yes),
              fold::row_offsets(fold::report_seed(run.id), 0, count(run.recipe.gate.report), total,
                                context),
              total};
}

// True when there is nothing more to wait for with this candidate.
Result<bool> Validator::fetch(Candidate& candidate) {
  if (candidate.asked.delta.size > delta_bytes_max(session_.layout().parameters())) {
    return true;  // nobody downloads it; examine() says why
  }
  auto blob = session_.blobs().fetch_bytes(candidate.asked.delta);
  if (blob) {
    candidate.blob = std::move(*blob);
    return true;
  }
  switch (blob.error().code) {
    case ErrorCode::not_found:
    case ErrorCode::corrupt:      // the hub's copy is spoilt: as good as none
    case ErrorCode::unavailable:  // an outage; log time stands still meanwhile
      return false;
    default:
      return blob.error();
  }
}

// Waits for the blobs until the reveal deadline in log time. False: the round went on without us,
// or the person has asked to stop.
Result<bool> Validator::gather(const role::validator::Score& action,
                               std::vector<Candidate>& candidates) {
  std::vector<bool> done(candidates.size(), false);
  for (;;) {
    const bool last_look = session_.state().now_ms() >= action.reveal_deadline_ms;
    bool all = true;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (done[i]) continue;
      const auto got = fetch(candidates[i]);
      if (!got) return got.error();
      done[i] = *got;
      all = all && *got;
    }
    if (all || last_look) return true;
    session_.tell_state("waiting for contributions to be revealed");
    const bool late = session_.log_time_ms() >= action.reveal_deadline_ms;
    const auto went_on = late ? session_.tick() : session_.follow(kRevealPollMs);
    if (!went_on) return went_on.error();
    if (!*went_on || !still_wanted(action)) return false;
    // The long poll may have come back at once: breathe before the hub is asked again.
    if (!session_.clock().wait_ms(kRevealPollMs / 2)) return false;
  }
}

Status Validator::examine(const role::validator::Score& action,
                          std::vector<Candidate>& candidates) {
  const auto manifest = session_.manifest();
  if (!manifest) return manifest.error();
  std::vector<Revealed> revealed;
  for (const Candidate& candidate : candidates) {
    const role::validator::ToScore& asked = candidate.asked;
    revealed.push_back({asked.delta, asked.author, std::nullopt,
                        is_foreign_domain(session_.run(), *manifest, asked.author, asked.domain)});
    if (candidate.blob) revealed.back().bytes = View(*candidate.blob);
  }
  const RoundContext context{session_.run().recipe, session_.layout().parameters(), action.base,
                             action.seed};
  auto findings = node::examine(context, revealed);
  if (!findings) return findings.error();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    candidates[i].found = std::move((*findings)[i]);
  }
  return ok();
}

// None: there is no such test of this contribution, or its author's shards cannot be had.
Result<std::optional<OwnTest>> Validator::own_test(const role::validator::Score& action,
                                                   const Base& base, const Candidate& candidate) {
  const auto manifest = session_.manifest();
  if (!manifest) return manifest.error();
  std::optional<OwnPlaces> places =
      own_places(session_.run(), *manifest,
                 {action.round, candidate.asked.author, session_.me(), action.seed});
  if (!places) return std::optional<OwnTest>();
  auto files = session_.shard_files(places->shards);
  if (!files) {
    if (files.error().code == ErrorCode::cancelled) return files.error();
    return std::optional<OwnTest>();
  }
  auto without = trainer_->evaluate(base.file, *files, places->offsets);
  if (!without) return without.error();
  return std::optional(OwnTest{std::move(*files), std::move(places->offsets), std::move(*without)});
}

// One evaluation of the tried weights on all rows: loading them costs as much as many rows.
Status Validator::measure_one(const Rows& rows, const Base& base, const std::optional<OwnTest>& own,
                              float factor, Candidate& candidate) {
  std::vector<float> weights = base.weights;
  exact::add_scaled(*candidate.found.delta, factor, weights);
  // A name for each: a trainer may keep files mapped.
  const fs::path file = session_.work(
      "candidate." + candidate.asked.contribution.hex().substr(0, 16) + ".safetensors");
  const Bytes bytes = format::weights_file(session_.layout(), weights);
  {
    // Not durable, it is thrown away below.
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    if (!out.flush()) return fail(ErrorCode::io, "cannot write " + file.string());
  }
  std::vector<fs::path> files = rows.files;
  std::vector<std::uint64_t> offsets = rows.score;
  if (own) own->follow(rows.bytes, files, offsets);
  const auto with = trainer_->evaluate(file, files, offsets);
  std::error_code error;
  fs::remove(file, error);
  if (with) {
    const auto rows_each = static_cast<std::size_t>(session_.run().recipe.gate.rows);
    const auto losses = std::span(*with);
    candidate.gains = gains_of(base.without, losses.first(rows.score.size()), rows_each);
    if (own) {
      candidate.own_nanos = own_nanos(own->without, losses.subspan(rows.score.size()));
    }
  } else if (with.error().code == ErrorCode::refused) {
    candidate.gains = worst_gains(session_.run().guarded().size());
  } else {
    return with.error();
  }
  return ok();
}

Status Validator::measure(const role::validator::Score& action, const Rows& rows,
                          std::vector<Candidate>& candidates, std::int64_t& report_nanos) {
  Base base{session_.model().path(action.base), {}, {}};
  auto weights = session_.model().load(session_.layout(), action.base);
  if (!weights) return weights.error();
  base.weights = std::move(*weights);
  const auto report = trainer_->evaluate(base.file, rows.files, rows.report);
  if (!report) return report.error();
  report_nanos = mean_nanos(*report);
  session_.stats.loss_nanos = report_nanos;
  std::vector<exact::SquaredNorm> norms;
  for (const Candidate& candidate : candidates) {
    if (candidate.evaluated()) norms.push_back(candidate.found.delta->squared_norm());
  }
  if (norms.empty()) return ok();
  const exact::SquaredNorm median = exact::median(norms);
  auto without = trainer_->evaluate(base.file, rows.files, rows.score);
  if (!without) return without.error();
  base.without = std::move(*without);
  std::int64_t done = 0;
  for (Candidate& candidate : candidates) {
    if (!candidate.evaluated()) continue;
    const float factor =
        gate_factor(session_.run().recipe.gate.step, candidate.found.delta->squared_norm(), median);
    const auto own = own_test(action, base, candidate);
    if (!own) return own.error();
    if (Status measured = measure_one(rows, base, *own, factor, candidate); !measured) {
      return measured;
    }
    session_.stats.step = ++done;
    session_.tell(Event::Kind::progress, fmt::format("scored {} of {}", done, norms.size()));
  }
  return ok();
}

Status Validator::publish(const role::validator::Score& action,
                          const std::vector<Candidate>& candidates, std::int64_t report_nanos) {
  fold::Score act;
  act.run = session_.run().id;
  act.round = action.round;
  act.base = action.base;
  act.seed = action.seed;
  act.loss_nanos = report_nanos;
  for (const Candidate& candidate : candidates) {
    fold::ScoreEntry entry;
    entry.gain_nanos = candidate.gains.all_nanos;
    entry.domain_gains = candidate.gains.domains_nanos;
    entry.own_nanos = candidate.own_nanos;
    entry.verdict = candidate.found.verdict;
    entry.group = candidate.found.group;
    if (candidate.found.delta) {
      entry.squared_norm = candidate.found.delta->squared_norm().digits();
      entry.norm_exponent = candidate.found.delta->squared_norm().exponent;
    }
    act.entries.push_back(std::move(entry));
  }
  const auto posted = session_.publisher().post(fold::write(act));
  facts_.attempted_round = action.round;
  if (!posted) return posted.error();
  ++session_.stats.rounds;
  ++rounds_here_;
  session_.tell(Event::Kind::round,
                fmt::format("round {}: scored {} contributions", action.round, candidates.size()));
  return ok();
}

Status Validator::score(const role::validator::Score& action) {
  session_.count_once(session_.stats.rounds == 0);
  const auto base = session_.model().catch_up(session_.run());
  if (!base) return base.error();
  const auto where = rows(action);
  if (!where) return where.error();
  session_.count_once(false);
  std::vector<Candidate> candidates;
  for (const auto& asked : action.contributions) {
    Candidate candidate;
    candidate.asked = asked;
    candidates.push_back(std::move(candidate));
  }
  const auto gathered = gather(action, candidates);
  if (!gathered) return gathered.error();
  if (!*gathered) return ok();
  session_.tell_state("scoring");
  if (Status examined = examine(action, candidates); !examined) return examined;
  std::int64_t report_nanos = 0;
  if (Status measured = measure(action, *where, candidates, report_nanos); !measured) {
    return measured;
  }
  const auto followed = session_.follow(0);
  if (!followed) return followed.error();
  if (!*followed || !still_wanted(action)) return ok();
  return publish(action, candidates, report_nanos);
}

}  // namespace

Result<Stats> run_validator(const ValidatorOptions& options, Wire& wire, Clock& clock,
                            const Observer& observer) {
  auto session = Session::open(options.role, wire, clock, observer);
  if (!session) {
    if (session.error().code == ErrorCode::cancelled) return Stats{};
    return session.error();
  }
  if (Status fits = check_memory((*session)->run().recipe, available_memory_bytes(),
                                 static_cast<unsigned>(std::max(1, options.role.threads)));
      !fits) {
    return fits.error();
  }
  return Validator(**session).run();
}

}  // namespace harambee::node
