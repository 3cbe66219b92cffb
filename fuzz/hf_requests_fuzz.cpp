// What Hugging Face clients send, from a stranger: commits in lines of JSON, LFS batches, the
// others; and the tree manifest that comes of it. What is accepted keeps its promises.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "format/tree.h"
#include "hub/hf_requests.h"
#include "hub/hf_target.h"
#include "hub/hf_text.h"

using namespace harambee;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const View input(data, size);
  if (const auto commit = hub::parse_commit(input)) {
    HARAMBEE_CHECK(commit->operations.size() <= hub::kHfOperationsMax);
  }
  if (const auto batch = hub::parse_lfs_batch(input)) {
    HARAMBEE_CHECK(batch->objects.size() <= hub::kHfFilesAtOnceMax);
  }
  static_cast<void>(hub::parse_preupload(input).ok());
  static_cast<void>(hub::parse_create(input).ok());
  static_cast<void>(hub::parse_paths(input).ok());
  static_cast<void>(hub::parse_ref(input).ok());
  static_cast<void>(hub::parse_settings(input).ok());
  if (const auto files = format::parse_tree(input)) {
    // One tree has one text.
    HARAMBEE_CHECK(format::write_tree(*files) == Bytes(data, data + size));
    HARAMBEE_CHECK(format::check_tree(*files).ok());
  }
  const std::string_view words = text(input);
  if (const auto target = hub::parse_hf_target(words)) {
    for (const std::string& part : target->rest) {
      HARAMBEE_CHECK(part.find('\0') == std::string::npos);
    }
  }
  if (const auto decoded = hub::percent_decode(words)) {
    HARAMBEE_CHECK(hub::percent_decode(hub::percent_encode(*decoded)) == decoded);
  }
  static_cast<void>(hub::parse_form(words));
  return 0;
}
