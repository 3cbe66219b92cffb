#include "fold/audit_acts.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "fold/act_frame.h"
#include "fold/fields.h"
#include "record/limits.h"

namespace harambee::fold {

namespace {

constexpr std::array kResults = {AuditResult::exact, AuditResult::differs, AuditResult::near,
                                 AuditResult::far, AuditResult::withheld};
constexpr Decimal kOne{1'000'000'000};

template <typename T, typename Write>
Json or_null(const std::optional<T>& value, Write&& write) {
  return value ? Json(write(*value)) : Json(nullptr);
}

std::optional<AuditResult> result_named(std::string_view text) {
  const auto* const it = std::ranges::find(kResults, text, [](AuditResult r) { return name(r); });
  return it == kResults.end() ? std::nullopt : std::optional(*it);
}

bool is_exactness(AuditResult result) {
  return result == AuditResult::exact || result == AuditResult::differs;
}

Json json_of(const Replica& made) {
  const auto hex = [](const Digest& digest) { return digest.hex(); };
  return JsonObject{{"delta", or_null(made.delta, hex)},
                    {"ef", or_null(made.error_feedback, hex)},
                    {"opt", made.optimizer.hex()}};
}

Replica read_replica(const Json& json, Fields& outer) {
  Fields fields(json, "body.made");
  Replica made;
  made.delta = fields.digest_or_null("delta");
  made.error_feedback = fields.digest_or_null("ef");
  made.optimizer = fields.digest("opt");
  if (made.delta.has_value() != made.error_feedback.has_value()) {
    fields.refuse("ef", "must be null exactly if delta is");
  }
  if (const Status status = fields.finish(); !status) outer.refuse(status.error());
  return made;
}

}  // namespace

const char* name(AuditResult result) {
  switch (result) {
    case AuditResult::exact:
      return "exact";
    case AuditResult::differs:
      return "differs";
    case AuditResult::near:
      return "near";
    case AuditResult::far:
      return "far";
    case AuditResult::withheld:
      return "withheld";
  }
  HARAMBEE_CHECK(false);
  return "";
}

Payload write(const Audit& act) {
  const auto text = [](const Decimal& value) { return value.str(); };
  return frame("audit", act.run, act.round,
               {{"c", act.contribution.hex()},
                {"cosine", or_null(act.cosine, text)},
                {"distance", or_null(act.distance, text)},
                {"made", act.made ? json_of(*act.made) : Json(nullptr)},
                {"result", name(act.result)}});
}

Result<Audit> parse_audit(const Payload& payload) {
  if (const Status status = check(payload, "audit", Belongs::to_round, {}); !status) {
    return status.error();
  }
  Fields fields(payload.body, "body");
  Audit act;
  act.run = *payload.run;
  act.round = *payload.round;
  act.contribution = fields.digest("c");
  const std::optional<AuditResult> result =
      result_named(fields.slug("result", kRecordKindBytesMax));
  if (!result) fields.refuse("result", "must be exact, differs, near, far or withheld");
  act.result = result.value_or(AuditResult::withheld);
  const bool near_or_far = act.result == AuditResult::near || act.result == AuditResult::far;
  if (near_or_far) {
    act.cosine = fields.decimal("cosine", Decimal{-kOne.nanos}, kOne);
    act.distance = fields.decimal("distance", Decimal{0}, kDistanceMax);
    if (is_near(*act.cosine, *act.distance) != (act.result == AuditResult::near)) {
      fields.refuse("result", "must be near exactly if cosine >= 0.99 and distance <= 0.1");
    }
  } else {
    for (const char* key : {"cosine", "distance"}) {
      if (!fields.any(key).is_null()) fields.refuse(key, "must be null but for near and far");
    }
  }
  const Json& made = fields.any("made");
  if (is_exactness(act.result)) {
    act.made = read_replica(made, fields);
  } else if (!made.is_null()) {
    fields.refuse("made", "must be null but for exact and differs");
  }
  return finish(fields, std::move(act));
}

Payload write(const Reveal& act) {
  Payload payload = frame("reveal", act.run, act.round, {{"c", act.contribution.hex()}});
  payload.blobs = act.states;
  return payload;
}

Result<Reveal> parse_reveal(const Payload& payload) {
  if (const Status status = check_frame(payload, "reveal", Belongs::to_round); !status) {
    return status.error();
  }
  if (payload.blobs.empty() || payload.blobs.size() > kRevealedStatesMax) {
    return invalid("blobs: must be 1 to " + std::to_string(kRevealedStatesMax));
  }
  for (const BlobRef& blob : payload.blobs) {
    if (blob.size == 0) return invalid("blobs: an empty blob");
    if (blob.type != kErrorFeedbackType && blob.type != kOptimizerType) {
      return invalid("blobs: not a type of state: " + blob.type);
    }
  }
  Fields fields(payload.body, "body");
  Reveal act;
  act.run = *payload.run;
  act.round = *payload.round;
  act.contribution = fields.digest("c");
  act.states = payload.blobs;
  return finish(fields, std::move(act));
}

Payload write(const Dispute& act) {
  return frame("dispute", act.run, act.round, {{"c", act.contribution.hex()}});
}

Result<Dispute> parse_dispute(const Payload& payload) {
  if (const Status status = check(payload, "dispute", Belongs::to_round, {}); !status) {
    return status.error();
  }
  Fields fields(payload.body, "body");
  Dispute act;
  act.run = *payload.run;
  act.round = *payload.round;
  act.contribution = fields.digest("c");
  return finish(fields, std::move(act));
}

}  // namespace harambee::fold
