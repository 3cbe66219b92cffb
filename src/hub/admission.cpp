#include "hub/admission.h"

#include "base/mutant.h"

namespace harambee::hub {
namespace {

constexpr std::size_t kAuthorsRemembered = 100'000;  // about 16 MB

Rejection conflict(std::string reason, std::uint64_t expected) {
  return {409, std::move(reason), expected};
}

}  // namespace

bool is_run_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > 64 || !letter(name.front())) return false;
  for (const char c : name) {
    if (!letter(c) && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

std::variant<Unverified, Rejection> check_form(View envelope, const std::string& origin,
                                               const KeyId& hub) {
  auto record = parse_envelope(envelope);
  if (!record) {
    const int status = record.error().code == ErrorCode::limit ? 413 : 400;
    return Rejection{status, record.error().message, {}};
  }
  const Payload& payload = record->payload();
  if (payload.log != origin) {
    return Rejection{400, "the record is for log " + payload.log + "; this is " + origin, {}};
  }
  if (payload.author == hub || payload.kind == "genesis" || payload.kind == "tick") {
    return Rejection{400, "only the hub itself writes this", {}};
  }
  return *std::move(record);
}

void Admission::begin(std::uint64_t size) {
  changed_.clear();
  ids_.clear();
  names_.clear();
  batch_ = {};
  next_index_ = size;
}

Result<std::optional<AuthorState>> Admission::author(const KeyId& id) {
  if (const auto found = changed_.find(id); found != changed_.end()) {
    return std::optional(found->second);
  }
  if (const auto found = authors_.find(id); found != authors_.end()) {
    return std::optional(found->second);
  }
  auto state = order_.author(id);
  if (state && *state) {
    if (authors_.size() >= kAuthorsRemembered) authors_.clear();
    authors_.emplace(id, **state);
  }
  return state;
}

Result<std::optional<Rejection>> Admission::check_name(const Payload& payload) {
  if (payload.kind != "run") return std::optional<Rejection>();
  const Json* name = payload.body.find("name");
  if (name == nullptr || name->string() == nullptr || !is_run_name(*name->string())) {
    return std::optional(Rejection{400, "a run needs a name of a-z, 0-9, '.', '_', '-'", {}});
  }
  auto taken = order_.run(*name->string());
  if (!taken) return taken.error();
  if (*taken || names_.contains(*name->string())) {
    // Not 409: that is about the author's chain, and sending it again would not help.
    return std::optional(Rejection{422, "the name " + *name->string() + " is taken", {}});
  }
  return std::optional<Rejection>();
}

Result<Admission::Outcome> Admission::admit(const Unverified& record) {
  const Payload& payload = record.payload();
  if (const auto found = ids_.find(record.id()); found != ids_.end()) {
    return Outcome(Known{found->second});
  }
  auto known = order_.index_of(record.id());
  if (!known) return known.error();
  if (*known && !HARAMBEE_MUTANT("no-dedupe")) return Outcome(Known{**known});

  auto state = author(payload.author);
  if (!state) return state.error();
  AuthorState now;
  if (*state) {
    now = **state;
  } else if (record.own_key()) {
    now.key = *record.own_key();
  } else {
    return Outcome(conflict("the author is not known here; an identity record comes first", 0));
  }
  // Before the sequence, so that nobody learns it, or is blamed, by a forged record.
  auto verified = record.verify(now.key);
  if (!verified) return Outcome(Rejection{400, verified.error().message, {}});
  if (payload.seq < now.next_seq) {
    return Outcome(conflict(
        "another record with seq " + std::to_string(payload.seq) + " of this author is logged",
        now.next_seq));
  }
  if (payload.seq > now.next_seq) {
    return Outcome(
        conflict("the author's next seq is " + std::to_string(now.next_seq), now.next_seq));
  }
  if (payload.seq > 0 && payload.prev != now.prev) {
    return Outcome(conflict("prev is not the author's previous record", now.next_seq));
  }
  auto name = check_name(payload);
  if (!name) return name.error();
  if (*name) return Outcome(**std::move(name));

  now.next_seq = payload.seq + 1;
  now.prev = record.id();
  const std::uint64_t index = next_index_;
  add(*verified, now);
  return Outcome(Admitted{index});
}

void Admission::add(const Record& record, const AuthorState& next) {
  const Payload& payload = record.payload();
  changed_[payload.author] = next;
  ids_[record.id()] = next_index_;
  for (const auto& blob : payload.blobs) batch_.blobs.emplace_back(blob.digest, blob.size);
  if (payload.kind == "run") {
    const Json* found = payload.body.find("name");
    if (found != nullptr && found->string() != nullptr) {
      names_.insert(*found->string());
      batch_.runs.push_back({*found->string(), record.id(), next_index_});
    }
  }
  batch_.entries.push_back({Bytes(record.envelope().begin(), record.envelope().end()), record.id(),
                            payload.author, payload.seq});
  ++next_index_;
}

OrderBatch Admission::take() {
  batch_.authors.assign(changed_.begin(), changed_.end());
  return std::move(batch_);
}

void Admission::committed(const OrderBatch& batch) {
  for (const auto& [id, state] : batch.authors) {
    if (const auto found = authors_.find(id); found != authors_.end()) {
      found->second = state;
    } else if (authors_.size() < kAuthorsRemembered) {
      authors_.emplace(id, state);
    }
  }
}

}  // namespace harambee::hub
