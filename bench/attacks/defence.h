// What a round does with the contributions it is given. To add a defence, write a file in this
// folder with a `const RegisteredDefence` in it: the bench then has one more column.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "exact/robust.h"

namespace harambee::attack_bench {

struct Defence {
  std::string_view name;   // one word
  std::string_view about;  // for people
  bool gate = false;       // held-out gain at a part of a step must be positive
  double guard = 0;        // and no domain's gain below −guard, in nats; 0: not looked at
  bool serves = false;     // work for a declared domain may cost all less than the domain gains
  bool thin = false;       // a shorter step when less than half of the votes are left
  exact::RobustRule rule;  // norm_max and similar, too, 0 to switch off
  // Instead of the rule's weights, for experiments: makes u of the accepted contributions.
  Status (*combine)(const exact::RobustRound& round, std::span<float> u) = nullptr;
  int place = 100;  // columns in ascending order
};

struct RegisteredDefence {
  explicit RegisteredDefence(const Defence& defence);
};

[[nodiscard]] std::span<const Defence> defences();

}  // namespace harambee::attack_bench
