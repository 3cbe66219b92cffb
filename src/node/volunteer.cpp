#include "node/volunteer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <system_error>
#include <utility>

#include "exact/outer_step.h"
#include "fold/acts.h"
#include "fold/assignment.h"
#include "node/memory.h"
#include "node/round_math.h"
#include "node/session.h"
#include "role/trainer.h"

namespace harambee::node {
namespace {

namespace fs = std::filesystem;
using role::trainer::Action;

constexpr std::int64_t kLookMs = 2'000;  // between looks at the log while training
constexpr std::int64_t kLookAfterOutageMs = 60'000;
constexpr int kTrainerFailuresMax = 3;  // in a row
constexpr std::uint64_t kStateBytesMax = std::uint64_t{1} << 40;

class Volunteer {
 public:
  Volunteer(const VolunteerOptions& options, Session& session)
      : options_(options), session_(session), trainer_(session.make_trainer()) {}

  Result<Stats> run();

 private:
  // Each returns false to end the loop.
  Result<bool> act(const role::trainer::Wait& action);
  Result<bool> act(const role::trainer::Identify& action);
  Result<bool> act(const role::trainer::Join& action);
  Result<bool> act(const role::trainer::Train& action);
  Result<bool> act(const role::trainer::Reveal& action);
  Result<bool> act(const role::trainer::RevealStates& action);
  Result<bool> act(const role::trainer::Dispute& action);
  Result<bool> act(const role::trainer::Done& action);
  Result<bool> act(const role::trainer::Excluded& action);

  Status resume();
  void tell_closed_rounds();
  void doubt_uploads();
  Result<bool> after(const Status& status);  // waits out what may pass
  Status train(const role::trainer::Train& action);
  Status same_class();
  Result<std::vector<format::Shard>> my_shards(std::uint64_t ordinal);
  Result<TrainDone> train_steps(const role::trainer::Train& action, const fs::path& base);
  bool on_progress(const TrainProgress& progress, std::int64_t round);
  [[nodiscard]] bool round_is_open(std::int64_t round) const;
  Status contribute(const role::trainer::Train& action, const fs::path& base,
                    const TrainDone& done);
  Result<Bytes> encode(const role::trainer::Train& action, const fs::path& base,
                       std::vector<float>& residual) const;
  Status publish(const fold::Contribution& act);
  void count_posted(const Posted& posted);

  [[nodiscard]] fs::path state_path(const char* kind, const Digest& digest) const {
    return session_.options().dir / "state" / fmt::format("{}.{}", kind, digest.hex());
  }
  [[nodiscard]] std::optional<Digest> kept_state(const char* kind,
                                                 const std::optional<Digest>& digest) const;
  void trim_states() const;
  void trim_blobs();

  const VolunteerOptions& options_;
  Session& session_;
  std::unique_ptr<TrainerProcess> trainer_;
  TrainerHello hello_;
  role::TrainerFacts facts_;
  std::set<RecordId> states_sent_;  // contributions whose states the hub has taken
  std::size_t rounds_told_ = 0;
  std::int64_t rounds_here_ = 0;
  std::int64_t tokens_before_ = 0;  // of this round's training
  std::int64_t next_look_ms_ = 0;
  int trainer_failures_ = 0;
};

bool Volunteer::round_is_open(std::int64_t round) const {
  const fold::RunState& run = session_.run();
  return run.phase == fold::Phase::commit && run.round.number == round &&
         !run.contribution_of(session_.me());
}

// The digest, if its file is here and whole: otherwise we start afresh.
std::optional<Digest> Volunteer::kept_state(const char* kind,
                                            const std::optional<Digest>& digest) const {
  if (!digest) return std::nullopt;
  const auto bytes = store::read_file(state_path(kind, *digest).string(), kStateBytesMax);
  if (!bytes || sha256(*bytes) != *digest) return std::nullopt;
  return digest;
}

// Keeps what the log knows, what a pending record speaks of, and what an audit may ask for.
void Volunteer::trim_states() const {
  std::set<std::string> keep;
  const auto keep_one = [&keep, this](const char* kind, const std::optional<Digest>& digest) {
    if (digest) keep.insert(state_path(kind, *digest).filename().string());
  };
  const auto keep_link = [&keep_one](const fold::StateStep& ef, const fold::StateStep& opt) {
    keep_one("ef", ef.before);
    keep_one("ef", ef.after);
    keep_one("opt", opt.before);
  };
  const fold::RunState& run = session_.run();
  if (const fold::Member* member = run.member(session_.me())) {
    keep_one("ef", member->error_feedback);
    keep_one("opt", member->optimizer);
  }
  if (const fold::Committed* open = run.contribution_of(session_.me())) {
    keep_link(open->act.error_feedback, open->act.optimizer);
  }
  const auto closed = static_cast<std::int64_t>(run.history.size());
  for (const fold::ClosedRound& round : run.history) {
    for (const fold::ClosedContribution& one : round.contributions) {
      if (one.author != session_.me()) continue;
      const fold::AuditCase* audit = run.audit_of(one.author, one.place.id);
      const bool asked = audit && (audit->phase != fold::AuditPhase::ended ||
                                   audit->end == fold::AuditEnd::withheld);
      if (!asked && round.number + fold::kDisputeRounds < closed - 1) continue;
      keep_link(one.error_feedback, one.optimizer);
    }
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(session_.options().dir / "state", error)) {
    if (!keep.contains(entry.path().filename().string())) fs::remove(entry.path(), error);
  }
}

// Our own deltas of closed rounds are of no use any more.
void Volunteer::trim_blobs() {
  const auto& history = session_.run().history;
  for (std::size_t round = rounds_told_; round < history.size(); ++round) {
    for (const auto& contribution : history[round].contributions) {
      if (contribution.author != session_.me()) continue;
      static_cast<void>(session_.blobs().remove(contribution.delta.digest));
    }
  }
}

void Volunteer::tell_closed_rounds() {
  trim_blobs();
  const auto& history = session_.run().history;
  for (; rounds_told_ < history.size(); ++rounds_told_) {
    const fold::ClosedRound& closed = history[rounds_told_];
    for (const auto& contribution : closed.contributions) {
      if (contribution.author != session_.me()) continue;
      if (contribution.accepted) ++session_.stats.accepted;
      session_.tell(
          Event::Kind::round,
          fmt::format("round {}: {}", closed.number,
                      contribution.accepted ? "accepted" : "rejected: " + contribution.reason));
    }
  }
}

// What the hub took may be lost with an older copy of it. Where that is still waited for, the mind
// has it revealed again, which costs a question where nothing is lost.
void Volunteer::doubt_uploads() {
  if (!session_.look_again_due()) return;
  if (facts_.uploaded_round == session_.run().round.number) facts_.uploaded_round.reset();
  for (const RecordId& contribution : states_sent_) facts_.states_done.erase(contribution);
  states_sent_.clear();
}

// A record on its way when the last process ended: it is sent if its round still takes it, and
// forgotten otherwise; the log then still knows the states before it, which are kept.
Status Volunteer::resume() {
  const auto pending = session_.publisher().pending();
  if (!pending) return session_.publisher().drop();
  if (!pending->has_value()) return ok();
  const Payload& payload = **pending;
  const bool contribution = payload.kind == "contribution";
  if (contribution &&
      !(payload.run == session_.run().id && payload.round && round_is_open(*payload.round))) {
    return session_.publisher().drop();
  }
  const auto posted = session_.publisher().finish();
  if (!posted) return posted.error().code == ErrorCode::refused ? ok() : Status(posted.error());
  if (contribution) {
    facts_.attempted_round = payload.round;
    count_posted(*posted);
  }
  return ok();
}

Result<bool> Volunteer::after(const Status& status) {
  if (status) return true;
  return session_.wait_out(status.error());
}

Result<Stats> Volunteer::run() {
  const auto& run = session_.run();
  // Rounds that ended before this process are not news, but what came of ours is counted.
  const fold::Member* member = run.member(session_.me());
  rounds_told_ = run.history.size();
  if (member) session_.stats.accepted = member->accepted;
  session_.count_once(!member || !member->last_contribution);
  if (Status resumed = resume(); !resumed) {
    const auto waited = session_.wait_out(resumed.error());
    if (!waited) return waited.error();
    if (!*waited) return session_.stats;
  }
  for (;;) {
    tell_closed_rounds();
    doubt_uploads();
    session_.stats.round = session_.run().phase == fold::Phase::finished
                               ? static_cast<std::int64_t>(session_.run().history.size())
                               : session_.run().round.number;
    const Action action =
        role::decide_trainer(session_.state(), session_.run(), session_.me(), facts_);
    const auto go_on = std::visit([this](const auto& what) { return act(what); }, action);
    session_.save_stats();
    if (!go_on) return go_on.error();
    if (!*go_on) return session_.stats;
  }
}

Result<bool> Volunteer::act(const role::trainer::Wait& action) {
  const auto max = options_.role.rounds_max;
  if (max > 0 && rounds_here_ >= max && facts_.uploaded_round == facts_.attempted_round) {
    return false;
  }
  session_.tell_state(action.text());
  return session_.follow();
}

Result<bool> Volunteer::act(const role::trainer::Identify&) {
  session_.tell_state("saying who we are");
  const Status posted = session_.publisher().ensure_identity();
  facts_.identify_sent = posted.ok();
  return after(posted);
}

Result<bool> Volunteer::act(const role::trainer::Join&) {
  session_.tell_state("joining");
  if (Status fits = check_memory(session_.run().recipe, available_memory_bytes(),
                                 static_cast<unsigned>(std::max(1, options_.role.threads)));
      !fits) {
    return fits.error();
  }
  const auto hello = trainer_->hello();
  if (!hello) return hello.error();
  const auto posted = session_.publisher().post(
      fold::write(fold::Join{session_.run().id, hello->numeric_class, hello->name}));
  if (!posted) return after(posted.error());
  facts_.join_sent = true;
  if (const auto reason = session_.refusal_of(posted->id)) {
    return fail(ErrorCode::refused, "the run did not take us: " + *reason);
  }
  return true;
}

Result<bool> Volunteer::act(const role::trainer::Done&) {
  session_.tell_state("taking the last weights");
  const auto weights = session_.model().catch_up(session_.run());
  if (!weights) return after(weights.error());
  session_.tell_state("finished");
  return false;
}

Result<bool> Volunteer::act(const role::trainer::Excluded& action) {
  return fail(ErrorCode::refused, "excluded from the run: " + action.reason);
}

Result<bool> Volunteer::act(const role::trainer::Reveal& action) {
  if (options_.misbehave == Misbehave::withhold) {
    facts_.uploaded_round = action.round;
    return true;
  }
  session_.tell_state("uploading");
  const Status uploaded = session_.blobs().upload(action.delta);
  if (uploaded || uploaded.error().code == ErrorCode::refused ||
      uploaded.error().code == ErrorCode::not_found) {
    facts_.uploaded_round = action.round;
    session_.sent();
    if (!uploaded) session_.tell(Event::Kind::note, uploaded.error().message);
    return true;
  }
  const auto waited = after(uploaded);
  if (!waited || !*waited) return waited;
  return session_.follow(0);
}

// Names the states first: the hub takes only blobs that a record names.
Result<bool> Volunteer::act(const role::trainer::RevealStates& action) {
  session_.tell_state("revealing the states before an audited contribution");
  facts_.states_done.insert(action.contribution);
  fold::Reveal act{session_.run().id, action.round, action.contribution, {}};
  const auto take = [&](const char* kind, const std::optional<Digest>& digest,
                        std::string_view type) -> Status {
    if (!digest) return ok();
    if (action.named) {  // perhaps for the second time
      const auto there = session_.blobs().hub_has({*digest, 0, std::string(type)});
      if (!there) return there.error();
      if (*there) return ok();
    }
    const auto bytes = store::read_file(state_path(kind, *digest).string(), kStateBytesMax);
    if (!bytes || sha256(*bytes) != *digest) {
      return fail(ErrorCode::not_found, "the states that an audit asks for are not here any more");
    }
    act.states.push_back({*digest, bytes->size(), std::string(type)});
    return session_.blobs().put(*digest, *bytes);
  };
  Status taken = take("ef", action.error_feedback, fold::kErrorFeedbackType);
  if (taken) taken = take("opt", action.optimizer, fold::kOptimizerType);
  if (taken) taken = take("ef", action.error_feedback_after, fold::kErrorFeedbackType);
  if (!taken && taken.error().code == ErrorCode::unavailable) {
    facts_.states_done.erase(action.contribution);
    return after(taken);
  }
  if (!taken && taken.error().code != ErrorCode::not_found) return taken.error();
  if (!taken) {
    session_.tell(Event::Kind::note, taken.error().message);
    return true;
  }
  if (!action.named) {
    const auto posted = session_.publisher().post(fold::write(act));
    if (!posted) facts_.states_done.erase(action.contribution);
    if (!posted) return after(posted.error());
  }
  for (const BlobRef& state : act.states) {
    const Status uploaded = session_.blobs().upload(state);
    if (!uploaded && uploaded.error().code != ErrorCode::refused) {
      facts_.states_done.erase(action.contribution);
      return after(uploaded);
    }
    static_cast<void>(session_.blobs().remove(state.digest));
  }
  states_sent_.insert(action.contribution);
  session_.sent();
  return true;
}

Result<bool> Volunteer::act(const role::trainer::Dispute& action) {
  // Who knows that it cheated does not ask for more eyes.
  facts_.disputed.insert(action.contribution);
  if (options_.misbehave != Misbehave::none) return true;
  session_.tell(Event::Kind::note, "an auditor is wrong about our contribution: asking them all");
  const auto posted = session_.publisher().post(
      fold::write(fold::Dispute{session_.run().id, action.round, action.contribution}));
  if (!posted) facts_.disputed.erase(action.contribution);
  return posted ? Result<bool>(true) : after(posted.error());
}

Result<bool> Volunteer::act(const role::trainer::Train& action) {
  const auto max = options_.role.rounds_max;
  if (max > 0 && rounds_here_ >= max) return false;
  const Status trained = train(action);
  if (trained) {
    trainer_failures_ = 0;
    return session_.follow(0);
  }
  const ErrorCode code = trained.error().code;
  if (code == ErrorCode::unavailable && ++trainer_failures_ >= kTrainerFailuresMax) {
    return trained.error();
  }
  const auto waited = after(trained);
  if (!waited || !*waited) return waited;
  return session_.follow(0);
}

bool Volunteer::on_progress(const TrainProgress& progress, std::int64_t round) {
  Stats& stats = session_.stats;
  stats.step = progress.step;
  stats.loss_nanos = progress.loss_nanos;
  stats.tokens = tokens_before_ + progress.tokens;
  stats.tokens_per_second = progress.tokens_per_second;
  session_.tell(Event::Kind::progress, fmt::format("step {}", progress.step));
  const std::int64_t now = session_.clock().steady_ms();
  if (now < next_look_ms_) return true;
  // An outage is no reason to stop training, nor to wait for the hub again soon.
  next_look_ms_ = now + (session_.peek() ? kLookMs : kLookAfterOutageMs);
  return round_is_open(round);
}

Result<std::vector<format::Shard>> Volunteer::my_shards(std::uint64_t ordinal) {
  const auto manifest = session_.manifest();
  if (!manifest) return manifest.error();
  const fold::Recipe& recipe = session_.run().recipe;
  std::vector<format::Shard> mine;
  for (const std::uint64_t index : fold::shards_of(
           ordinal + (options_.misbehave == Misbehave::other_data ? 1 : 0),
           static_cast<std::uint64_t>(recipe.shards_per_member), manifest->train.size())) {
    mine.push_back(manifest->train[index]);
  }
  return mine;
}

Result<TrainDone> Volunteer::train_steps(const role::trainer::Train& action, const fs::path& base) {
  const fold::Recipe& recipe = session_.run().recipe;
  const auto mine = my_shards(action.ordinal);
  if (!mine) return mine.error();
  const auto shards = session_.shard_files(*mine);
  if (!shards) return shards.error();
  session_.count_once(false);
  session_.tell_state("training");
  TrainRequest request;
  request.base = base;
  if (const auto before = kept_state("opt", action.optimizer)) {
    request.state = state_path("opt", *before);
  }
  request.shards = *shards;
  request.seed = action.seed;
  request.first_step = action.first_step;
  request.total_steps = action.total_steps;
  request.inner = recipe.inner;
  if (options_.misbehave == Misbehave::lazy) {
    request.inner.steps = std::max<std::int64_t>(1, recipe.inner.steps / 2);
  }
  request.out = session_.work("trained.safetensors");
  request.state_out = session_.work("trained.state");
  tokens_before_ = session_.stats.tokens;
  next_look_ms_ = session_.clock().steady_ms() + kLookMs;
  auto done = trainer_->train(
      request, [&](const TrainProgress& progress) { return on_progress(progress, action.round); });
  session_.stats.tokens = tokens_before_ + (done ? done->tokens : 0);
  return done;
}

Status Volunteer::same_class() {
  const fold::Member* member = session_.run().member(session_.me());
  if (!member || member->numeric_class == hello_.numeric_class) return ok();
  return fail(
      ErrorCode::refused,
      fmt::format("this key joined the run with a trainer of class {}, and the trainer here "
                  "is of class {}; use the former, or join with another key",
                  member->numeric_class, hello_.numeric_class));
}

Status Volunteer::train(const role::trainer::Train& action) {
  session_.tell_state("taking the weights of the round");
  const auto base = session_.model().catch_up(session_.run());
  if (!base) {
    if (base.error().code != ErrorCode::unavailable) return base.error();
    return fail(ErrorCode::not_found, base.error().message);  // an outage, not the trainer's
  }
  if (hello_.name.empty()) {
    const auto hello = trainer_->hello();
    if (!hello) return hello.error();
    hello_ = *hello;
  }
  if (Status same = same_class(); !same) return same;
  const auto done = train_steps(action, *base);
  if (!done) return done.error();
  const auto followed = session_.follow(0);
  if (!followed) return followed.error();
  if (!round_is_open(action.round)) {
    session_.tell(Event::Kind::note,
                  fmt::format("too late for round {}: nothing was sent", action.round));
    return ok();
  }
  return contribute(action, *base, *done);
}

Result<Bytes> Volunteer::encode(const role::trainer::Train& action, const fs::path& base,
                                std::vector<float>& residual) const {
  const auto codec = codec_of(session_.run().recipe.codec);
  if (!codec) return codec.error();
  const auto before = store::MappedFile::open(base.string());
  if (!before) return before.error();
  const auto trained = store::MappedFile::open(session_.work("trained.safetensors").string());
  if (!trained) return trained.error();
  const auto before_flat = format::flat_weights(session_.layout(), before->bytes());
  if (!before_flat) return before_flat.error();
  const auto trained_flat = format::flat_weights(session_.layout(), trained->bytes());
  if (!trained_flat) return trained_flat.error();
  if (forges_delta(options_.misbehave)) {
    return forged_delta(options_.misbehave, *codec, {action.base, session_.me()}, *before_flat,
                        *trained_flat, residual);
  }
  return encode_contribution(*codec, {action.base, session_.me()}, *before_flat, *trained_flat,
                             residual);
}

// Everything that the record speaks of is on disk, under its digest, before the record is.
Status Volunteer::contribute(const role::trainer::Train& action, const fs::path& base,
                             const TrainDone& done) {
  session_.tell_state("committing");
  fold::Contribution act;
  std::vector<float> residual;
  act.error_feedback.before = kept_state("ef", action.error_feedback);
  if (act.error_feedback.before) {
    const auto bytes = store::read_file(state_path("ef", *act.error_feedback.before).string(),
                                        4 * session_.layout().parameters());
    if (!bytes) return bytes.error();
    residual.resize(session_.layout().parameters());
    if (bytes->size() != 4 * residual.size()) return invalid("a residual of another model");
    std::memcpy(residual.data(), bytes->data(), bytes->size());
  }
  act.optimizer.before = kept_state("opt", action.optimizer);
  act.optimizer.after = done.state_digest;
  const auto blob = encode(action, base, residual);
  if (!blob) return blob.error();
  act.error_feedback.after = exact::floats_digest(residual);
  const View residual_bytes{reinterpret_cast<const std::uint8_t*>(residual.data()),
                            4 * residual.size()};
  if (Status kept = store::write_file_atomic(state_path("ef", act.error_feedback.after).string(),
                                             residual_bytes);
      !kept) {
    return kept;
  }
  const auto state = store::read_file(session_.work("trained.state").string(), kStateBytesMax);
  if (!state) return state.error();
  if (Status kept =
          store::write_file_atomic(state_path("opt", act.optimizer.after).string(), *state);
      !kept) {
    return kept;
  }
  act.delta = {sha256(*blob), blob->size(), std::string(fold::kDeltaType)};
  if (Status kept = session_.blobs().put(act.delta.digest, *blob); !kept) return kept;
  const auto mine = my_shards(action.ordinal);
  if (!mine) return mine.error();
  act.run = session_.run().id;
  act.round = action.round;
  act.base = action.base;
  act.domain = fold::domain_of(*mine);
  act.numeric_class = hello_.numeric_class;
  act.loss_first_nanos = done.loss_first_nanos;
  act.loss_last_nanos = done.loss_last_nanos;
  act.steps = done.steps;
  act.tokens = done.tokens;
  if (options_.misbehave == Misbehave::lazy) {
    const fold::InnerRule& inner = session_.run().recipe.inner;
    act.tokens = done.tokens / done.steps * inner.steps;
    act.steps = inner.steps;
  }
  session_.stats.loss_nanos = done.loss_last_nanos;
  return publish(act);
}

Status Volunteer::publish(const fold::Contribution& act) {
  // COMMIT POINT: from here a restart sends this record, or, if its round is over, goes back to the
  // states before it.
  if (const auto prepared = session_.publisher().prepare(fold::write(act)); !prepared) {
    return prepared.error();
  }
  const auto posted = session_.publisher().finish();
  facts_.attempted_round = act.round;
  if (!posted) return posted.error();
  count_posted(*posted);
  trim_states();
  return ok();
}

void Volunteer::count_posted(const Posted& posted) {
  if (const auto reason = session_.refusal_of(posted.id)) {
    session_.tell(Event::Kind::note, "the log did not take the contribution: " + *reason);
    return;
  }
  ++session_.stats.rounds;
  ++rounds_here_;
  session_.save_stats();
}

}  // namespace

Result<Stats> run_volunteer(const VolunteerOptions& options, Wire& wire, Clock& clock,
                            const Observer& observer) {
  auto session = Session::open(options.role, wire, clock, observer);
  if (!session) {
    if (session.error().code == ErrorCode::cancelled) return Stats{};
    return session.error();
  }
  return Volunteer(options, **session).run();
}

}  // namespace harambee::node
