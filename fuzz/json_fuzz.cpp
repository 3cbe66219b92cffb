// Canonical JSON: what is accepted is exactly what is written, and another parser agrees.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const harambee::View input(data, size);
  const auto value = harambee::parse_canonical(input);
  if (!value) return 0;
  HARAMBEE_CHECK(harambee::write(*value) == harambee::text(input));
  HARAMBEE_CHECK(nlohmann::json::parse(harambee::text(input)).dump() == harambee::text(input));
  return 0;
}
