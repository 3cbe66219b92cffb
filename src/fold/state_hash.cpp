// The canonical serialisation of a state. Complete: a member that is added to state.h is added
// here, or two states that differ would hash alike (the test StateHash.SeesEveryMember).
//
// It is written straight down as text and hashed a piece at a time: as a value of base/json.h, a
// run of ten thousand members would have two million parts.
#include <charconv>
#include <functional>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/encoding.h"
#include "fold/state.h"

namespace harambee::fold {

namespace {

// Canonical JSON (base/json.h), of which everything but the last piece may have been hashed.
class Text {
 public:
  explicit Text(Sha256* hash) : hash_(hash) {}
  void append(std::string_view more) {
    if (hash_ && text_.size() > kPieceBytes) flush();
    text_ += more;
  }
  void flush() {
    hash_->update(view(text_));
    text_.clear();
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  static constexpr std::size_t kPieceBytes = 1u << 16;
  Sha256* hash_;  // null: all text is kept
  std::string text_;
};

// Order of the members of a run, by their keys.
struct MemberOrder {
  const Members& members;
};

// Declared first: containers call these for their elements.
void put(Text& out, const Refusal& value);
void put(Text& out, const BlobRef& value);
void put(Text& out, const Author& value);
void put(Text& out, const Start& value);
void put(Text& out, const Contribution& value);
void put(Text& out, const ScoreEntry& value);
void put(Text& out, const Score& value);
void put(Text& out, const Member& value);
void put(Text& out, const Committed& value);
void put(Text& out, const Scored& value);
void put(Text& out, const RoundState& value);
void put(Text& out, const ClosedContribution& value);
void put(Text& out, const ClosedScore& value);
void put(Text& out, const ClosedRound& value);
void put(Text& out, const AuditAnswer& value);
void put(Text& out, const AuditCase& value);
void put(Text& out, const Liar& value);
void put(Text& out, const RunState& value);
void put(Text& out, const MemberOrder& order);
template <typename T>
void put(Text& out, const std::vector<T>& list);
template <typename T>
void put(Text& out, const std::deque<T>& list);
template <typename Value>
void put(Text& out, const std::map<Digest, Value>& values);
void put(Text& out, const std::map<std::string, RecordId, std::less<>>& names);
void put(Text& out, const Members& members);
void put(Text& out, const OwnRecord& own);
void put(Text& out, const StateStep& step);
void put(Text& out, const Place& place);
void put(Text& out, const LoggedBaseline& baseline) { out.append(write(baseline_json(baseline))); }
void put(Text& out, const Json& value) { out.append(write(value)); }
void put(Text& out, std::string_view text) { out.append(write(Json(text))); }
void put(Text& out, const std::string& text) { put(out, std::string_view(text)); }
void put(Text& out, const char* text) { put(out, std::string_view(text)); }

void put_hex(Text& out, View bytes) {
  out.append("\"");
  out.append(hex(bytes));
  out.append("\"");
}
void put(Text& out, const Digest& digest) { put_hex(out, digest.view()); }
void put(Text& out, const PublicKey& key) { put_hex(out, key.bytes); }

template <std::integral T>
requires(!std::same_as<T, bool>) void put(Text& out, T number) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append({digits.data(), static_cast<std::size_t>(end - digits.data())});
}
void put(Text& out, const bool& yes) { out.append(yes ? "true" : "false"); }
void put(Text& out, MicroCredit credit) { put(out, credit.micros()); }

// Null or what it points to.
template <typename T>
void put(Text& out, const T* value) {
  if (!value) return out.append("null");
  put(out, *value);
}

template <typename T>
void put(Text& out, const std::optional<T>& value) {
  put(out, value ? &*value : nullptr);
}

// One item after the other, with commas between them.
class Items {
 public:
  Items(Text& out, char open, char close) : out_(out), close_(close) { add(open); }
  ~Items() { add(close_); }
  Items(const Items&) = delete;
  void next() {
    if (!first_) add(',');
    first_ = false;
  }

 private:
  void add(char one) { out_.append({&one, 1}); }
  Text& out_;
  char close_;
  bool first_ = true;
};

// The keys must come in their order.
class Object {
 public:
  explicit Object(Text& out) : out_(out), items_(out, '{', '}') {}
  template <typename T>
  void put(std::string_view key, const T& value) {
    HARAMBEE_CHECK(last_ < key);
    last_ = key;
    items_.next();
    out_.append("\"");
    out_.append(key);
    out_.append("\":");
    fold::put(out_, value);
  }

 private:
  Text& out_;
  Items items_;
  std::string_view last_;
};

template <typename Sequence>
void put_list(Text& out, const Sequence& sequence) {
  Items items(out, '[', ']');
  for (const auto& item : sequence) {
    items.next();
    put(out, item);
  }
}
template <typename T>
void put(Text& out, const std::vector<T>& list) {
  put_list(out, list);
}
template <typename T>
void put(Text& out, const std::deque<T>& list) {
  put_list(out, list);
}
void put(Text& out, const MemberOrder& order) {
  Items items(out, '[', ']');
  for (const Member& member : order.members) {
    items.next();
    put(out, member.key);
  }
}

// A list of as many values as there are.
template <typename... Values>
void put_row(Text& out, const Values&... values) {
  Items items(out, '[', ']');
  ((items.next(), put(out, values)), ...);
}
void put(Text& out, const OwnRecord& own) {
  put_row(out, std::to_string(own.better), own.known, own.idle);
}
void put(Text& out, const Place& place) { put_row(out, place.index, place.id); }
void put(Text& out, const StateStep& step) { put_row(out, step.before, step.after); }

// An object whose keys are data. In order: hex digits sort as the keys do.
template <typename Map, typename Value>
void put_map(Text& out, const Map& map, const Value& value_of) {
  Items items(out, '{', '}');
  for (const auto& [key, value] : map) {
    items.next();
    put(out, key);
    out.append(":");
    put(out, value_of(value));
  }
}
template <typename Value>
void put(Text& out, const std::map<Digest, Value>& values) {
  put_map(out, values, std::identity());
}
void put(Text& out, const std::map<std::string, RecordId, std::less<>>& names) {
  put_map(out, names, std::identity());
}
void put(Text& out, const Members& members) {
  put_map(out, members.by_key(),
          [&](std::uint32_t ordinal) -> const Member& { return members[ordinal]; });
}

void put(Text& out, const Refusal& refusal) {
  Object object(out);
  object.put("author", refusal.author);
  object.put("kind", refusal.kind);
  object.put("place", refusal.place);
  object.put("reason", refusal.reason);
}

void put(Text& out, const BlobRef& blob) {
  Object object(out);
  object.put("digest", blob.digest);
  object.put("size", blob.size);
  object.put("type", blob.type);
}

void put(Text& out, const Author& author) {
  Object object(out);
  object.put("key", author.key);
  object.put("last", author.last);
  object.put("next_seq", author.next_seq);
}

void put(Text& out, const Start& act) {
  Object object(out);
  object.put("checkpoint", act.checkpoint);
  object.put("loss_first", act.loss_first_nanos);
  object.put("loss_last", act.loss_last_nanos);
  object.put("run", act.run);
  object.put("tokens", act.tokens);
}

void put(Text& out, const Contribution& act) {
  Object object(out);
  object.put("base", act.base);
  object.put("class", act.numeric_class);
  object.put("delta", act.delta);
  object.put("domain", act.domain);
  object.put("ef", act.error_feedback);
  object.put("loss_first", act.loss_first_nanos);
  object.put("loss_last", act.loss_last_nanos);
  object.put("opt", act.optimizer);
  object.put("round", act.round);
  object.put("run", act.run);
  object.put("steps", act.steps);
  object.put("tokens", act.tokens);
}

void put(Text& out, const ScoreEntry& entry) {
  Object object(out);
  object.put("domains", entry.domain_gains);
  object.put("exp", entry.norm_exponent);
  object.put("gain", entry.gain_nanos);
  object.put("group", entry.group);
  object.put("norm", entry.squared_norm);
  object.put("own", entry.own_nanos);
  object.put("v", entry.verdict);
}

void put(Text& out, const Score& act) {
  Object object(out);
  object.put("base", act.base);
  object.put("entries", act.entries);
  object.put("loss", act.loss_nanos);
  object.put("round", act.round);
  object.put("run", act.run);
  object.put("seed", act.seed);
}

void put(Text& out, const Member& member) {
  Object object(out);
  object.put("accepted", member.accepted);
  object.put("class", member.numeric_class);
  object.put("credit", member.credit);
  object.put("ef", member.error_feedback);
  object.put("excluded", member.excluded);
  object.put("excluded_by", member.excluded ? &member.excluded_by : nullptr);
  object.put("gains", member.gains);
  object.put("joined", member.joined);
  object.put("key", member.key);
  object.put("last_contribution", member.last_contribution);
  object.put("left", member.left);
  object.put("links", member.links);
  object.put("missed", member.missed);
  object.put("missed_rounds", member.missed_rounds);
  object.put("opt", member.optimizer);
  object.put("ordinal", member.ordinal);
  object.put("own", member.own);
  object.put("rejected", member.rejected);
  object.put("rejected_streak", member.rejected_streak);
  object.put("slashed", member.slashed);
  object.put("suspended", member.suspended);
  object.put("suspended_by", member.suspended ? &member.suspended_by : nullptr);
  object.put("tokens", member.tokens);
  object.put("trainer", member.trainer);
}

void put(Text& out, const Committed& committed) {
  Object object(out);
  object.put("act", committed.act);
  object.put("author", committed.author);
  object.put("links", committed.links);
  object.put("place", committed.place);
}

void put(Text& out, const Scored& scored) {
  Object object(out);
  object.put("act", scored.act);
  object.put("place", scored.place);
  object.put("validator", scored.validator);
}

void put(Text& out, const RoundState& round) {
  Object object(out);
  object.put("cohort", round.cohort);
  object.put("committee", round.committee);
  object.put("contributions", round.contributions);
  object.put("number", round.number);
  object.put("opened_index", round.opened_index);
  object.put("opened_ms", round.opened_ms);
  object.put("phase_index", round.phase_index);
  object.put("phase_ms", round.phase_ms);
  object.put("score_seed", round.score_seed);
  object.put("scores", round.scores);
  object.put("waiting_for", round.waiting_for);
}

void put(Text& out, const ClosedContribution& one) {
  Object object(out);
  object.put("accepted", one.accepted);
  object.put("author", one.author);
  object.put("class", one.numeric_class);
  object.put("counted", one.counted_nanos);
  object.put("credit", one.credit);
  object.put("delta", one.delta);
  object.put("domain", one.domain);
  object.put("domains", one.domain_gains);
  object.put("ef", one.error_feedback);
  object.put("forfeited", one.forfeited);
  object.put("gain", one.gain_nanos);
  object.put("group", one.group);
  object.put("idle", one.idle);
  object.put("links", one.links);
  object.put("loss_first", one.loss_first_nanos);
  object.put("loss_last", one.loss_last_nanos);
  object.put("opt", one.optimizer);
  object.put("own", one.own_nanos);
  object.put("place", one.place);
  object.put("reason", one.reason);
  object.put("standing", one.standing);
  object.put("tokens", one.tokens);
}

void put(Text& out, const ClosedScore& one) {
  Object object(out);
  object.put("credit", one.credit);
  object.put("loss", one.loss_nanos);
  object.put("place", one.place);
  object.put("validator", one.validator);
}

void put(Text& out, const ClosedRound& round) {
  Object object(out);
  object.put("base", round.base);
  object.put("checkpoint", round.checkpoint);
  object.put("close", round.close);
  object.put("closed_ms", round.closed_ms);
  object.put("contributions", round.contributions);
  object.put("coordinator_credit", round.coordinator_credit);
  object.put("loss", round.loss_nanos);
  object.put("missed", round.missed);
  object.put("mostly_rejected", round.mostly_rejected);
  object.put("number", round.number);
  object.put("opened_index", round.opened_index);
  object.put("opened_ms", round.opened_ms);
  object.put("possible", round.possible);
  object.put("residual", round.residual);
  object.put("score_seed", round.score_seed);
  object.put("scores", round.scores);
  object.put("update", round.update);
  object.put("voided", round.voided);
  object.put("weights", round.weights);
}

void put(Text& out, const AuditAnswer& answer) {
  Object object(out);
  object.put("auditor", answer.auditor);
  object.put("body", write(answer.act).body);
  object.put("place", answer.place);
}

void put(Text& out, const AuditCase& audit) {
  Object object(out);
  object.put("answers", audit.answers);
  object.put("auditors", audit.auditors);
  object.put("author", audit.author);
  object.put("contribution", audit.contribution);
  object.put("disputed_by", audit.disputed_by);
  object.put("end", name(audit.end));
  object.put("ended", audit.end == AuditEnd::none ? nullptr : &audit.ended);
  object.put("everybody", audit.everybody);
  object.put("opened", audit.opened);
  object.put("phase", name(audit.phase));
  object.put("phase_index", audit.phase_index);
  object.put("phase_ms", audit.phase_ms);
  object.put("reason", audit.reason);
  object.put("redone", audit.redone);
  object.put("revealed", audit.revealed);
  object.put("round", audit.round);
  object.put("states", audit.states);
}

void put(Text& out, const Liar& liar) {
  Object object(out);
  object.put("by", liar.by);
  object.put("reason", liar.reason);
}

void put(Text& out, const RunState& run) {
  Object object(out);
  object.put("audits", run.audits);
  object.put("audits_drawn", run.audits_drawn);
  object.put("baselines", run.baselines);
  object.put("best_loss", run.best_loss_nanos);
  object.put("checkpoint", run.checkpoint);
  object.put("checkpoint_round", run.checkpoint_round);
  object.put("coordinator", run.coordinator);
  object.put("credits", run.credits);
  object.put("data", run.data);
  object.put("distributed", run.distributed);
  object.put("domains", run.domains);
  object.put("forfeited", run.forfeited);
  object.put("history", run.history);
  object.put("id", run.id);
  object.put("liars", run.liars);
  object.put("maintainer", run.maintainer);
  object.put("member_order", MemberOrder{run.members});
  object.put("members", run.members);
  object.put("missed", run.missed);
  object.put("name", run.name);
  object.put("open_audits", run.open_audits);
  object.put("opened", run.opened);
  object.put("phase", name(run.phase));
  object.put("recipe", to_json(run.recipe));
  object.put("refusals", run.refusals);
  object.put("refusals_count", run.refusals_count);
  object.put("residual", run.residual);
  object.put("round", run.round);
  object.put("start", run.start);
  object.put("start_place", run.start_place);
  object.put("validators", run.validators);
  object.put("weights", run.weights);
}

void put(Text& out, const LogState& state) {
  Object object(out);
  object.put("authors", state.authors);
  object.put("frontier", hex(state.frontier.serialise()));
  object.put("hub", state.hub);
  object.put("last_tick_ms", state.last_tick_ms);
  object.put("name", state.name);
  object.put("names", state.names);
  object.put("origin", state.origin);
  object.put("refusals", state.refusals);
  object.put("refusals_count", state.refusals_count);
  object.put("runs", state.runs);
  object.put("tick_ms", state.tick_ms);
  object.put("vkey", state.vkey);
}

}  // namespace

std::string state_text(const LogState& state) {
  Text text(nullptr);
  put(text, state);
  return text.take();
}

Digest state_hash(const LogState& state) {
  Sha256 hash;
  Text text(&hash);
  put(text, state);
  text.flush();
  return hash.finish();
}

}  // namespace harambee::fold
