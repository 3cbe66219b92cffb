#include "fold/apply.h"

#include <optional>
#include <utility>

#include "base/check.h"
#include "fold/audit_fold.h"
#include "fold/baseline.h"
#include "fold/repos.h"
#include "fold/run_fold.h"
#include "fold/sample.h"

namespace harambee::fold {

namespace {

constexpr std::size_t kReasonKeptBytesMax = 300;

// At most kReasonKeptBytesMax bytes, not cut inside a UTF-8 sequence.
std::string shortened(std::string reason) {
  if (reason.size() <= kReasonKeptBytesMax) return reason;
  std::size_t end = kReasonKeptBytesMax;
  while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xc0) == 0x80) --end;
  reason.resize(end);
  return reason;
}

void remember(std::deque<Refusal>& refusals, std::uint64_t& count, Refusal refusal) {
  refusals.push_back(std::move(refusal));
  if (refusals.size() > kRefusalsKept) refusals.pop_front();
  ++count;
}

// What only a hub that breaks its promises can have logged; none: nothing.
Objection hub_fault(const LogState& state, std::uint64_t index, const Payload& payload) {
  if (index != state.frontier.size()) {
    return "entry " + std::to_string(index) + " comes where entry " +
           std::to_string(state.frontier.size()) + " should";
  }
  if (index == 0) {
    if (payload.kind != "genesis") return "the first entry is not a genesis";
    const Result<Genesis> genesis = parse_genesis(payload);
    if (!genesis) return "genesis: " + genesis.error().message;
    // record.h: only an author's record 0 is a genesis, and its key is the author's.
    HARAMBEE_CHECK(payload.seq == 0 && key_id(genesis->key) == payload.author);
    return std::nullopt;
  }
  if (payload.kind == "genesis") return "a second genesis";
  if (payload.log != state.origin) return "a record of another log: " + payload.log;
  const std::uint64_t expected = state.next_seq(payload.author);
  if (payload.seq != expected) {
    return "the author's record " + std::to_string(payload.seq) + " comes where record " +
           std::to_string(expected) + " should";
  }
  if (payload.prev != state.prev(payload.author)) return "prev: not the author's last record";
  HARAMBEE_CHECK((payload.seq == 0) == (payload.kind == "identity"));  // record.h
  if (payload.kind != "tick") return std::nullopt;
  if (payload.author != state.hub) return "a tick that is not the hub's";
  const Result<Tick> tick = parse_tick(payload);
  if (!tick) return "tick: " + tick.error().message;
  if (state.last_tick_ms && tick->unix_ms <= *state.last_tick_ms) {
    return "time runs backwards: " + std::to_string(tick->unix_ms) + " after " +
           std::to_string(*state.last_tick_ms);
  }
  return std::nullopt;
}

void begin_log(LogState& state, const Payload& payload) {
  const Genesis genesis = *parse_genesis(payload);
  state.origin = payload.log;
  state.name = genesis.name;
  state.vkey = genesis.vkey;
  state.hub = payload.author;
  state.tick_ms = genesis.tick_ms;
}

void apply_tick(LogState& state, Context context, const Payload& payload) {
  context.now_ms = parse_tick(payload)->unix_ms;
  state.last_tick_ms = context.now_ms;
  std::optional<Digest> root;  // of the log up to and including this tick
  const auto log_root = [&] {
    if (!root) root = state.frontier.root();
    return *root;
  };
  for (auto& [id, run] : state.runs) {
    tick_audits(run, context, log_root);
    tick(run, context, log_root);
  }
}

Objection open_run(LogState& state, const Context& context, const Payload& payload) {
  Result<OpenRun> act = parse_open_run(payload);
  if (!act) return act.error().message;
  if (state.names.contains(act->name)) {
    return "the name " + act->name + " is taken";
  }
  state.names.emplace(act->name, context.place.id);
  state.runs.emplace(context.place.id, opened_run(context, std::move(*act)));
  return std::nullopt;
}

template <typename Act>
Objection take_parsed(RunState& run, const Context& context, Result<Act> act) {
  if (!act) return act.error().message;
  return take(run, context, std::move(*act));
}

// Said for people: judged, and no rule depends on it.
Objection look_at_sample(const RunState& run, const Context& context, const Payload& payload) {
  const Result<Sample> act = parse_sample(payload);
  return act ? object_to_sample(run, context.author, *act) : act.error().message;
}

// Kept to be shown, and no rule depends on it.
Objection keep_baseline(RunState& run, const Context& context, const Payload& payload) {
  Result<Baseline> act = parse_baseline(payload);
  if (!act) return act.error().message;
  if (Objection objection = object_to_baseline(run, context.author, *act)) return objection;
  run.baselines.push_back({context.place, *std::move(act)});
  return std::nullopt;
}

Objection apply_to_run(RunState& run, const Context& context, const Payload& payload) {
  const std::string& kind = payload.kind;
  if (kind == "contribution") return take_parsed(run, context, parse_contribution(payload));
  if (kind == "score") return take_parsed(run, context, parse_score(payload));
  if (kind == "close") return take_parsed(run, context, parse_close(payload));
  if (kind == "join") return take_parsed(run, context, parse_join(payload));
  if (kind == "leave") return take_parsed(run, context, parse_leave(payload));
  if (kind == "audit") return take_parsed(run, context, parse_audit(payload));
  if (kind == "reveal") return take_parsed(run, context, parse_reveal(payload));
  if (kind == "dispute") return take_parsed(run, context, parse_dispute(payload));
  if (kind == "baseline") return keep_baseline(run, context, payload);
  if (kind == "sample") return look_at_sample(run, context, payload);
  if (kind == "void") return take_parsed(run, context, parse_void(payload));
  if (kind == "start") return take_parsed(run, context, parse_start(payload));
  return "this kind is not known here";
}

// A kind that belongs to no run.
Objection apply_to_log(LogState& state, const Context& context, const Payload& payload) {
  const std::string& kind = payload.kind;
  if (kind == "run") return open_run(state, context, payload);
  if (kind == "identity") {
    const Result<Identity> act = parse_identity(payload);
    return act ? Objection() : act.error().message;
  }
  // Another fold's (fold/repos.h): of no consequence to runs.
  if (is_repo_kind(kind)) return std::nullopt;
  return "this kind is not known here, or must name its run";
}

}  // namespace

Outcome apply(LogState& state, std::uint64_t index, const Record& record) {
  const Payload& payload = record.payload();
  if (Objection fault = hub_fault(state, index, payload)) {
    return {Effect::corrupt, shortened(std::move(*fault))};
  }
  state.frontier.append(record.envelope());
  Author& author = state.authors[payload.author];
  author.key = record.key();
  author.next_seq = payload.seq + 1;
  author.last = record.id();

  const Context context{{index, record.id()}, payload.author, state.now_ms()};
  if (payload.kind == "genesis") {
    begin_log(state, payload);
    return {};
  }
  if (payload.kind == "tick") {
    apply_tick(state, context, payload);
    return {};
  }
  const auto it = payload.run ? state.runs.find(*payload.run) : state.runs.end();
  RunState* run = it == state.runs.end() ? nullptr : &it->second;
  Objection objection;
  if (run) {
    objection = apply_to_run(*run, context, payload);
  } else if (payload.run) {
    objection = "there is no such run in this log";
  } else {
    objection = apply_to_log(state, context, payload);
  }
  if (!objection) return {};
  Outcome outcome{Effect::inert, shortened(std::move(*objection))};
  Refusal refusal{context.place, payload.kind, payload.author, outcome.reason};
  if (run) {
    remember(run->refusals, run->refusals_count, std::move(refusal));
  } else {
    remember(state.refusals, state.refusals_count, std::move(refusal));
  }
  return outcome;
}

Result<Outcome> apply_entry(LogState& state, View envelope) {
  Result<Unverified> unverified = parse_envelope(envelope);
  if (!unverified) return unverified.error();
  const Author* author = state.author(unverified->payload().author);
  std::optional<PublicKey> key = unverified->own_key();
  if (author) key = author->key;
  if (!key) {
    return invalid("a record of an author who has no identity in this log: " +
                   unverified->payload().author.hex());
  }
  const Result<Record> record = std::move(*unverified).verify(*key);
  if (!record) return record.error();
  return apply(state, state.frontier.size(), *record);
}

}  // namespace harambee::fold
