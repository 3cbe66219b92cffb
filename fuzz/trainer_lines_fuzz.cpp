// Any bytes as a request to the exact trainer: parsed or refused, never more. Paths are only read
// as text here; nothing touches a file.
#include <cstdint>

#include "trainer/exact/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace harambee;
  const std::string_view line = text({data, size});
  const auto request = trainer::parse_request(line);
  if (request.ok() && trainer::request_id(line) != request->id) __builtin_trap();
  return 0;
}
