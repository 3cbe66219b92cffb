// The hub's answer to GET /log. The room has files and processes and is not built for fuzzing, so
// its pure parser is compiled in here.
#include "node/log_answer.h"

#include "../src/node/log_answer.cpp"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace harambee;
  const auto parsed = node::parse_log_answer({data, size});
  if (!parsed) return 0;
  std::size_t bytes = 0;
  for (const Bytes& entry : parsed->entries) bytes += entry.size() + 2;
  HARAMBEE_CHECK(bytes + parsed->note.size() < size);
  return 0;
}
