// What a stranger asks of a model: what is accepted is within its limits and is read again as it
// is written.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "hub/completion_request.h"

using namespace harambee;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const auto kind : {hub::CompletionKind::text, hub::CompletionKind::chat}) {
    const auto read = hub::parse_completion(kind, {data, size});
    if (!read) continue;
    HARAMBEE_CHECK(read->prompt.size() <= hub::kCompletionTextBytesMax);
    HARAMBEE_CHECK(read->messages.size() <= hub::kCompletionMessagesMax);
    HARAMBEE_CHECK(read->tokens_max >= 1 && read->tokens_max <= hub::kCompletionTokensMax);
    HARAMBEE_CHECK(read->temperature >= 0 && read->temperature <= 2);
    const std::string written = hub::write_completion(*read);
    const auto again = hub::parse_completion(kind, view(written));
    HARAMBEE_CHECK(!again || *again == *read);
  }
  return 0;
}
