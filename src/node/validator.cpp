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
#include "node/candidates.h"
#include "node/memory.h"
#include "node/own_rows.h"
#include "node/round_math.h"
#include "node/session.h"
#include "role/validator.h"

namespace harambee::node {
namespace {

namespace fs = std::filesystem;
using role::validator::Action;

constexpr int kTrainerFailuresMax = 3;
constexpr int kLateLooksMax = 15;  // after the run's end, for states that are being uploaded

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
  Validator(Session& session, const std::vector<AuditTrainer>& inexact)
      : session_(session),
        trainer_(session.make_trainer()),
        auditor_(session, *trainer_, inexact) {}

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
  Status measure(const role::validator::Score& action, const Rows& rows,
                 std::vector<Candidate>& candidates, std::optional<std::int64_t>& loss_nanos);
  Status measure_all(const role::validator::Score& action, const Rows& rows, Base& base,
                     std::vector<Candidate>& candidates);
  Status measure_one(const Rows& rows, const Base& base, const std::optional<OwnTest>& own,
                     float factor, Candidate& candidate);
  Result<std::optional<OwnTest>> own_test(const role::validator::Score& action, const Base& base,
                                          const Candidate& candidate);
  Status publish(const role::validator::Score& action, const std::vector<Candidate>& candidates,
                 const std::optional<std::int64_t>& loss_nanos);
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
                          std::vector<Candidate>& candidates,
                          std::optional<std::int64_t>& loss_nanos) {
  Base base{session_.model().path(action.base), {}, {}};
  auto weights = session_.model().load(session_.layout(), action.base);
  if (!weights) return weights.error();
  base.weights = std::move(*weights);
  if (session_.run().recipe.reports_loss()) {
    const auto report = trainer_->evaluate(base.file, rows.files, rows.report);
    if (!report) return report.error();
    loss_nanos = mean_nanos(*report);
    session_.stats.loss_nanos = *loss_nanos;
  }
  return session_.run().recipe.gated() ? measure_all(action, rows, base, candidates) : ok();
}

Status Validator::measure_all(const role::validator::Score& action, const Rows& rows, Base& base,
                              std::vector<Candidate>& candidates) {
  std::vector<exact::SquaredNorm> norms;
  for (const Candidate& candidate : candidates) {
    if (candidate.well_formed()) norms.push_back(candidate.found.delta->squared_norm());
  }
  if (norms.empty()) return ok();
  const exact::SquaredNorm median = exact::median(norms);
  auto without = trainer_->evaluate(base.file, rows.files, rows.score);
  if (!without) return without.error();
  base.without = std::move(*without);
  std::int64_t done = 0;
  for (Candidate& candidate : candidates) {
    if (!candidate.well_formed()) continue;
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
                          const std::vector<Candidate>& candidates,
                          const std::optional<std::int64_t>& loss_nanos) {
  const auto posted = session_.publisher().post(
      fold::write(score_record(session_.run().id, action, candidates, loss_nanos)));
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
  // Fetched while the contributions are being revealed; none where no text decides.
  std::optional<Rows> where;
  if (session_.run().recipe.needs_held_out_text()) {
    auto found = rows(action);
    if (!found) return found.error();
    where = *std::move(found);
  }
  session_.count_once(false);
  std::vector<Candidate> candidates = candidates_of(action);
  const auto gathered = gather(session_, action, candidates);
  if (!gathered) return gathered.error();
  if (!*gathered) return ok();
  session_.tell_state("scoring");
  if (Status examined = examine(session_, action, candidates); !examined) return examined;
  std::optional<std::int64_t> loss_nanos;
  if (where) {
    if (Status done = measure(action, *where, candidates, loss_nanos); !done) return done;
  }
  const auto followed = session_.follow(0);
  if (!followed) return followed.error();
  if (!*followed || !still_wanted(session_, action)) return ok();
  return publish(action, candidates, loss_nanos);
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
  for (const AuditTrainer& each : options.audit_trainers) {
    const auto started = start_audit_trainer(each, (*session)->trainer_options("audit"),
                                             (*session)->run().recipe.model);
    if (!started) return started.error();
  }
  return Validator(**session, options.audit_trainers).run();
}

}  // namespace harambee::node
