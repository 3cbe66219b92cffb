#include "node/coordinator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "exact/outer_step.h"
#include "fold/acts.h"
#include "fold/judge.h"
#include "fold/void_fold.h"
#include "node/candidates.h"
#include "node/coordinator_samples.h"
#include "node/replay.h"
#include "node/round_close.h"
#include "node/round_math.h"
#include "node/session.h"
#include "role/coordinator.h"

namespace harambee::node {
namespace {

namespace fs = std::filesystem;
using role::coordinator::Action;

// Closed rounds whose uploads are made sure of again.
constexpr std::size_t kUpdatesLookedAt = 2;

class Coordinator {
 public:
  Coordinator(Session& session, SampleRule samples)
      : session_(session), samples_(session, std::move(samples)) {}

  Result<Stats> run();

 private:
  Result<bool> act(const role::coordinator::Wait& action);
  Result<bool> act(const role::coordinator::Identify& action);
  Result<bool> act(const role::coordinator::Score& action);
  Result<bool> act(const role::coordinator::Close& action);
  Result<bool> act(const role::coordinator::GoBack& action);
  Result<bool> act(const role::coordinator::AskTick& action);
  Result<bool> act(const role::coordinator::Done& action);
  Result<bool> act(const role::coordinator::Stranger& action);

  Status resume();
  Result<bool> after(const Status& status);
  Status score(const role::coordinator::Score& action);
  Status close(const role::coordinator::Close& action);
  Status checkpoint(const role::coordinator::GoBack& action, fold::Void& act);
  Result<exact::RunNumbers> numbers(const role::coordinator::Close& action);
  Result<exact::RunNumbers> rebuild(const role::coordinator::Close& action);
  Status step(const role::coordinator::Close& action, exact::RunNumbers& numbers, fold::Close& act);
  Status keep(const exact::RunNumbers& numbers, fold::Close& act, bool checkpoint_due);
  void look_back();
  Status upload_closed();
  Status serve();
  Status remake(const fold::ClosedRound& closed);
  Status upload(const BlobRef& ref);
  FetchBlob fetcher();
  Result<Replay> replay(std::size_t rounds);
  void trim();
  [[nodiscard]] fs::path residual_path(const Digest& digest) const {
    return session_.options().dir / "residual" / digest.hex();
  }

  Session& session_;
  CoordinatorSamples samples_;
  role::CoordinatorFacts facts_;
  std::int64_t rounds_here_ = 0;
  std::size_t uploaded_ = 0;  // closed rounds whose blobs are on the hub
};

Result<bool> Coordinator::after(const Status& status) {
  if (status) return true;
  return session_.wait_out(status.error());
}

void Coordinator::look_back() {
  const std::size_t closed = session_.run().history.size();
  uploaded_ = std::min(uploaded_, closed - std::min(closed, kUpdatesLookedAt));
}

// A score or a close that was on its way: sent if its round is still to be closed. Computing it
// again would give the same bytes but for the sequence number.
Status Coordinator::resume() {
  uploaded_ = session_.run().history.size();
  look_back();
  const auto pending = session_.publisher().pending();
  if (!pending) return session_.publisher().drop();
  if (!pending->has_value()) return ok();
  const fold::RunState& run = session_.run();
  const Payload& payload = **pending;
  const bool ends = payload.kind == "close" || payload.kind == "void";
  const fold::Phase phase = payload.kind == "score" ? fold::Phase::score : fold::Phase::closing;
  const bool wanted = (ends || payload.kind == "score") && payload.run == run.id &&
                      run.phase == phase && payload.round == run.round.number;
  if (!wanted) return session_.publisher().drop();
  const auto posted = session_.publisher().finish();
  if (!posted) return posted.error();
  if (!ends) return ok();
  ++session_.stats.rounds;
  ++rounds_here_;
  return ok();
}

Result<Stats> Coordinator::run() {
  session_.count_once(false);
  if (Status resumed = resume(); !resumed) {
    const auto waited = session_.wait_out(resumed.error());
    if (!waited) return waited.error();
    if (!*waited) return session_.stats;
  }
  for (;;) {
    const Status served = serve();
    if (!served) {
      const auto waited = after(served);
      if (!waited) return waited.error();
      if (!*waited) return session_.stats;
      const auto followed = session_.follow(0);
      if (!followed) return followed.error();
      if (!*followed) return session_.stats;
      continue;
    }
    const fold::RunState& run = session_.run();
    session_.stats.round = run.round.number;
    facts_.clock.now_ms = session_.log_time_ms();
    const Action action = role::decide_coordinator(session_.state(), run, session_.me(), facts_);
    const auto go_on = std::visit([this](const auto& what) { return act(what); }, action);
    session_.save_stats();
    if (!go_on) return go_on.error();
    const auto max = session_.options().rounds_max;
    const bool enough =
        max > 0 && rounds_here_ >= max && uploaded_ == session_.run().history.size();
    if (!*go_on || enough) return session_.stats;
  }
}

Result<bool> Coordinator::act(const role::coordinator::Wait& action) {
  session_.tell_state(action.why);
  return session_.follow_as_timekeeper();
}

Result<bool> Coordinator::act(const role::coordinator::Identify&) {
  const Status posted = session_.publisher().ensure_identity();
  facts_.identify_sent = posted.ok();
  return after(posted);
}

Result<bool> Coordinator::act(const role::coordinator::AskTick&) {
  facts_.clock.asked_ms = facts_.clock.now_ms;
  return session_.tick();
}

Result<bool> Coordinator::act(const role::coordinator::Done&) {
  session_.tell_state("finished");
  const auto written = samples_.finish();
  if (!written) return session_.wait_out(written.error());
  return false;
}

Result<bool> Coordinator::act(const role::coordinator::Stranger&) {
  return fail(ErrorCode::refused,
              "the run's coordinator is " + session_.run().coordinator.hex() + ", not this key");
}

Result<bool> Coordinator::act(const role::coordinator::Score& action) {
  const auto waited = after(score(action));
  if (!waited || !*waited) return waited;
  return session_.follow(0);
}

// What the blobs of the round are, where nobody else needs to be asked (spec/run.md §9).
Status Coordinator::score(const role::coordinator::Score& action) {
  std::vector<Candidate> candidates = candidates_of(action);
  const auto gathered = gather(session_, action, candidates);
  if (!gathered) return gathered.error();
  if (!*gathered) return ok();
  if (Status examined = examine(session_, action, candidates); !examined) return examined;
  const auto posted = session_.publisher().post(
      fold::write(score_record(session_.run().id, action, candidates, std::nullopt)));
  facts_.scored_round = action.round;
  return posted ? ok() : Status(posted.error());
}

Result<bool> Coordinator::act(const role::coordinator::Close& action) {
  session_.tell_state("closing the round");
  const auto waited = after(close(action));
  if (!waited || !*waited) return waited;
  return session_.follow(0);
}

// Needs no arithmetic: the weights and the residual are those of an earlier round.
Result<bool> Coordinator::act(const role::coordinator::GoBack& action) {
  session_.tell_state("going back to the last good weights");
  const std::vector<float> zeros(session_.layout().parameters(), 0.0F);
  fold::Void act{session_.run().id,
                 action.round,
                 action.weights,
                 action.residual.value_or(exact::floats_digest(zeros)),
                 {}};
  if (action.checkpoint_due) {
    const auto made = after(checkpoint(action, act));
    if (!made || !*made || !act.checkpoint) return made;
  }
  // COMMIT POINT: a restart sends this record, or finds that it was taken.
  const auto posted = session_.publisher().post(fold::write(act));
  facts_.attempted_round = action.round;
  if (!posted) return after(posted.error());
  ++session_.stats.rounds;
  ++rounds_here_;
  session_.tell(Event::Kind::round, fmt::format("round {}: void, {}", action.round, action.why));
  return session_.follow(0);
}

Status Coordinator::checkpoint(const role::coordinator::GoBack& action, fold::Void& act) {
  const auto weights = session_.model().has(action.weights)
                           ? session_.model().load(session_.layout(), action.weights)
                           : weights_at(session_.run(), action.round - 1, fetcher(), {});
  if (!weights) return weights.error();
  const Bytes file = format::weights_file(session_.layout(), *weights);
  if (Status kept = session_.blobs().put(action.weights, file); !kept) return kept;
  act.checkpoint = BlobRef{action.weights, file.size(), std::string(fold::kWeightsType)};
  return ok();
}

// θ and r before the round: kept from the last close, or made again from the log.
Result<exact::RunNumbers> Coordinator::numbers(const role::coordinator::Close& action) {
  const auto weights = session_.model().catch_up(session_.run());
  if (!weights) return weights.error();
  exact::RunNumbers numbers;
  auto loaded = session_.model().load(session_.layout(), action.base);
  if (!loaded) return loaded.error();
  numbers.weights = std::move(*loaded);
  numbers.residual.assign(numbers.weights.size(), 0.0F);
  if (!action.residual) return numbers;
  const auto bytes =
      store::read_file(residual_path(*action.residual).string(), 4 * numbers.residual.size());
  if (!bytes || sha256(*bytes) != *action.residual ||
      bytes->size() != 4 * numbers.residual.size()) {
    return rebuild(action);
  }
  std::memcpy(numbers.residual.data(), bytes->data(), bytes->size());
  return numbers;
}

FetchBlob Coordinator::fetcher() {
  return [this](const BlobRef& ref) -> Result<Content> {
    const auto file = session_.blobs().fetch(ref);
    if (!file) return file.error();
    auto mapped = store::MappedFile::open(file->string());
    if (!mapped) return mapped.error();
    return Content(std::move(*mapped));
  };
}

// From the first weights through that many closed rounds, as an auditor does.
Result<Replay> Coordinator::replay(std::size_t rounds) {
  auto replay = Replay::begin(session_.run(), fetcher());
  if (!replay) return replay.error();
  while (static_cast<std::size_t>(replay->round()) < rounds) {
    if (session_.stopping()) return fail(ErrorCode::cancelled, "stopped while replaying");
    if (Status next = replay->next(); !next) return next.error();
  }
  return replay;
}

Result<exact::RunNumbers> Coordinator::rebuild(const role::coordinator::Close& action) {
  session_.tell_state("replaying the run: the residual is not here");
  auto replayed = replay(session_.run().history.size());
  if (!replayed) return replayed.error();
  if (exact::floats_digest(replayed->residual()) != *action.residual) {
    return fail(ErrorCode::corrupt, "the replay does not lead to the residual on the log");
  }
  return exact::RunNumbers{replayed->weights(), replayed->residual()};
}

// The outer step, if anything was accepted; fills in the update.
Status Coordinator::step(const role::coordinator::Close& action, exact::RunNumbers& numbers,
                         fold::Close& act) {
  if (action.accepted.empty()) return ok();
  const std::uint64_t parameters = session_.layout().parameters();
  const auto up = codec_of(session_.run().recipe.codec);
  const auto down = codec_of(session_.run().recipe.down);
  if (!up) return up.error();
  if (!down) return down.error();
  std::vector<Bytes> blobs;
  blobs.reserve(action.accepted.size());
  Accepted accepted;
  accepted.possible = action.possible;
  for (const auto& one : action.accepted) {
    auto blob = session_.blobs().fetch_bytes(one.delta);
    if (!blob) return wrap(blob.error(), "an accepted contribution");
    blobs.push_back(std::move(*blob));
    auto delta = exact::Delta::parse(blobs.back(), parameters, *up, {action.base, one.author});
    if (!delta) {
      return fail(ErrorCode::corrupt, "the validators accepted " + one.contribution.hex() +
                                          ", which is malformed: " + delta.error().message);
    }
    accepted.deltas.push_back(std::move(*delta));
    accepted.standing.push_back(one.standing);
    accepted.group.push_back(one.group);
  }
  Bytes last;
  std::optional<exact::Delta> previous;
  if (action.previous) {
    auto blob = session_.blobs().fetch_bytes(action.previous->update);
    if (!blob) return wrap(blob.error(), "the last update");
    last = std::move(*blob);
    auto delta = exact::Delta::parse(last, parameters, *down, action.previous->base);
    if (!delta) return fail(ErrorCode::corrupt, "the last update: " + delta.error().message);
    previous = std::move(*delta);
  }
  const auto update = close_round({session_.run().recipe, parameters, action.base, action.seed},
                                  accepted, previous ? &*previous : nullptr, numbers);
  if (!update) return update.error();
  act.update = BlobRef{sha256(*update), update->size(), std::string(fold::kUpdateType)};
  return session_.blobs().put(act.update->digest, *update);
}

// Weights, residual and checkpoint are durable before the record that names them is sent.
Status Coordinator::keep(const exact::RunNumbers& numbers, fold::Close& act, bool checkpoint_due) {
  act.weights = format::weights_digest(session_.layout(), numbers.weights);
  act.residual = exact::floats_digest(numbers.residual);
  const View residual{reinterpret_cast<const std::uint8_t*>(numbers.residual.data()),
                      4 * numbers.residual.size()};
  if (Status kept = store::write_file_atomic(residual_path(act.residual).string(), residual);
      !kept) {
    return kept;
  }
  if (Status kept = session_.model().put(session_.layout(), act.weights, numbers.weights); !kept) {
    return kept;
  }
  if (!checkpoint_due) return ok();
  act.checkpoint =
      BlobRef{act.weights, session_.layout().file_bytes(), std::string(fold::kWeightsType)};
  return session_.blobs().put(act.weights,
                              format::weights_file(session_.layout(), numbers.weights));
}

Status Coordinator::close(const role::coordinator::Close& action) {
  auto state = numbers(action);
  if (!state) return state.error();
  fold::Close act;
  act.run = session_.run().id;
  act.round = action.round;
  for (const auto& accepted : action.accepted) act.accepted.push_back(accepted.contribution);
  // What the fold will compare it with; a difference would be a bug of role/, and the close inert.
  HARAMBEE_CHECK(act.accepted == fold::derive(session_.run()).accepted);
  if (Status stepped = step(action, *state, act); !stepped) return stepped;
  if (Status kept = keep(*state, act, action.checkpoint_due); !kept) return kept;
  // COMMIT POINT: a restart sends this record, or finds the round closed and uploads.
  const auto posted = session_.publisher().post(fold::write(act));
  facts_.attempted_round = action.round;
  if (!posted) return posted.error();
  ++session_.stats.rounds;
  ++rounds_here_;
  if (const auto& history = session_.run().history; !history.empty()) {
    if (history.back().loss_nanos) session_.stats.loss_nanos = *history.back().loss_nanos;
  }
  session_.tell(Event::Kind::round,
                fmt::format("round {}: closed with {} of {} contributions", action.round,
                            action.accepted.size(),
                            session_.run().history.empty()
                                ? action.accepted.size()
                                : session_.run().history.back().contributions.size()));
  return ok();
}

// What others wait for, then what they like to read. A hub that was put back to an older copy of
// itself, or from it to the newer one, may have lost what it had taken.
Status Coordinator::serve() {
  if (session_.look_again_due()) look_back();
  if (Status uploaded = upload_closed(); !uploaded) return uploaded;
  return session_.me() == session_.run().coordinator ? samples_.step() : ok();
}

// Everybody waits for the update of the newest closed round: it is made sure of before anything
// else. Blobs that the hub has already cost one question.
Status Coordinator::upload_closed() {
  const auto& history = session_.run().history;
  for (; uploaded_ < history.size(); ++uploaded_) {
    const fold::ClosedRound& closed = history[uploaded_];
    if (Status made = remake(closed); !made) return made;
    for (const auto* ref : {&closed.update, &closed.checkpoint}) {
      if (!*ref || !session_.blobs().has((*ref)->digest)) continue;
      if (Status uploaded = upload(**ref); !uploaded) return uploaded;
    }
    trim();
  }
  return ok();
}

Status Coordinator::upload(const BlobRef& ref) {
  session_.tell_state("uploading the update");
  Status uploaded = session_.blobs().upload(ref);
  if (uploaded) session_.sent();
  if (uploaded || uploaded.error().code != ErrorCode::refused) return uploaded;
  session_.tell(Event::Kind::note, uploaded.error().message);
  return ok();
}

// A round that was closed, and whose update or checkpoint is neither here nor on the hub (this
// directory was lost between the two): made again from the contributions.
Status Coordinator::remake(const fold::ClosedRound& closed) {
  bool lost = false;
  for (const auto* ref : {&closed.update, &closed.checkpoint}) {
    if (!*ref || session_.blobs().has((*ref)->digest)) continue;
    const auto there = session_.blobs().hub_has(**ref);
    if (!there) return there.error();
    lost = lost || !*there;
  }
  if (!lost) return ok();
  session_.tell_state("replaying the run: the update is lost");
  const auto replayed = replay(static_cast<std::size_t>(closed.number) + 1);
  if (!replayed) return replayed.error();
  if (closed.update) {
    const Status kept = session_.blobs().put(closed.update->digest, replayed->update());
    if (!kept) return kept;
  }
  if (!closed.checkpoint) return ok();
  return session_.blobs().put(closed.checkpoint->digest,
                              format::weights_file(session_.layout(), replayed->weights()));
}

// After an upload: what only the closed rounds needed.
void Coordinator::trim() {
  const fold::RunState& run = session_.run();
  const fold::ClosedRound& closed = run.history[uploaded_];
  for (const auto& contribution : closed.contributions) {
    static_cast<void>(session_.blobs().remove(contribution.delta.digest));
  }
  if (uploaded_ >= kUpdatesLookedAt) {
    const fold::ClosedRound& old = run.history[uploaded_ - kUpdatesLookedAt];
    for (const auto* ref : {&old.update, &old.checkpoint}) {
      if (*ref) static_cast<void>(session_.blobs().remove((*ref)->digest));
    }
  }
  session_.model().trim(run);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(session_.options().dir / "residual", error)) {
    const std::string name = entry.path().filename().string();
    const std::size_t kept = std::min<std::size_t>(run.history.size(), ModelCopy::kKept);
    const bool keep = std::any_of(
        run.history.end() - static_cast<std::ptrdiff_t>(kept), run.history.end(),
        [&name](const fold::ClosedRound& round) { return round.residual.hex() == name; });
    if (!keep) fs::remove(entry.path(), error);
  }
}

}  // namespace

Result<Stats> run_coordinator(const CoordinatorOptions& options, Wire& wire, Clock& clock,
                              const Observer& observer) {
  auto session = Session::open(options.role, wire, clock, observer);
  if (!session) {
    if (session.error().code == ErrorCode::cancelled) return Stats{};
    return session.error();
  }
  return Coordinator(**session, options.samples).run();
}

}  // namespace harambee::node
