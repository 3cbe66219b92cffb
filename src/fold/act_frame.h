// What all kinds of record have outside their bodies: run, round and blobs. Private to the room.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/result.h"
#include "fold/fields.h"
#include "record/record.h"

namespace harambee::fold {

enum class Belongs { to_log, to_run, to_round };

// The members of a payload outside the body.
inline Status check_frame(const Payload& payload, std::string_view kind, Belongs belongs) {
  HARAMBEE_CHECK(payload.kind == kind);
  if (payload.run.has_value() != (belongs != Belongs::to_log)) {
    return invalid(payload.run ? "run: this kind belongs to no run" : "run: is missing");
  }
  if (payload.round.has_value() != (belongs == Belongs::to_round)) {
    return invalid(payload.round ? "round: this kind belongs to no round" : "round: is missing");
  }
  return ok();
}

inline Status check_blobs(const Payload& payload, std::initializer_list<std::string_view> types) {
  if (payload.blobs.size() != types.size()) {
    return invalid("blobs: must be " + std::to_string(types.size()));
  }
  std::size_t i = 0;
  for (const std::string_view type : types) {
    const BlobRef& blob = payload.blobs[i];
    if (blob.type != type) {
      return invalid("blobs[" + std::to_string(i) + "].type: must be " + std::string(type));
    }
    if (blob.size == 0) return invalid("blobs[" + std::to_string(i) + "].size: must not be 0");
    ++i;
  }
  return ok();
}

inline Status check(const Payload& payload, std::string_view kind, Belongs belongs,
                    std::initializer_list<std::string_view> blob_types) {
  if (const Status status = check_frame(payload, kind, belongs); !status) return status;
  return check_blobs(payload, blob_types);
}

inline Payload frame(std::string_view kind, JsonObject body) {
  Payload payload;
  payload.kind = kind;
  payload.body = std::move(body);
  return payload;
}

inline Payload frame(std::string_view kind, const Digest& run, JsonObject body) {
  Payload payload = frame(kind, std::move(body));
  payload.run = run;
  return payload;
}

inline Payload frame(std::string_view kind, const Digest& run, std::int64_t round,
                     JsonObject body) {
  Payload payload = frame(kind, run, std::move(body));
  payload.round = round;
  return payload;
}

template <typename T>
Result<T> finish(Fields& fields, T&& act) {
  if (const Status status = fields.finish(); !status) return status.error();
  return std::forward<T>(act);
}

}  // namespace harambee::fold
