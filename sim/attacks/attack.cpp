#include "sim/attacks/attack.h"

#include <algorithm>

namespace harambee::attacks {
namespace {

std::vector<Attack>& registry() {
  static std::vector<Attack> attacks;
  return attacks;
}

}  // namespace

Registered::Registered(const Attack& attack) {
  std::vector<Attack>& attacks = registry();
  const auto place = std::ranges::lower_bound(attacks, attack.name, {}, &Attack::name);
  attacks.insert(place, attack);
}

std::span<const Attack> all() { return registry(); }

const Attack* find(std::string_view name) {
  const auto place = std::ranges::find(registry(), name, &Attack::name);
  return place == registry().end() ? nullptr : &*place;
}

}  // namespace harambee::attacks
