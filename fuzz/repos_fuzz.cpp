// Bodies of records about repositories, from a stranger. What is accepted has one text.
// Input: a byte chooses the kind, the rest is the body, as JSON.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/json.h"
#include "fold/repos.h"
#include "format/tree.h"

using namespace harambee;

namespace {

template <typename Act>
void same_text(const Payload& payload, const Result<Act>& act) {
  if (!act) return;
  const Payload again = fold::write(*act);
  HARAMBEE_CHECK(write(Json(again.body)) == write(Json(payload.body)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto body = parse_canonical(View(data, size).subspan(1));
  if (!body || body->object() == nullptr) return 0;
  Payload payload;
  payload.body = *body;
  switch (data[0] % 6) {
    case 0:
      same_text(payload, fold::parse_grant_token(payload));
      break;
    case 1:
      same_text(payload, fold::parse_revoke_token(payload));
      break;
    case 2:
      same_text(payload, fold::parse_make_repo(payload));
      break;
    case 3:
      same_text(payload, fold::parse_drop_repo(payload));
      break;
    case 4:
      same_text(payload, fold::parse_set_ref(payload));
      break;
    default:
      payload.blobs = {{Digest(), 2, std::string(format::kTreeType)}};
      same_text(payload, fold::parse_revise(payload));
  }
  return 0;
}
