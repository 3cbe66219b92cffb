// Prints "name sha256" for each scenario at each instruction set (compare.sh).
#include <cstdio>

#include "exact/kernels.h"
#include "tests/exact/scenarios.h"

int main() {
  using namespace harambee::exact;
  for (const std::string& target : kernels::targets()) {
    kernels::use_target(target);
    for (const Scenario& scenario : run_scenarios()) {
      std::printf("%s %s\n", scenario.name.c_str(), scenario.digest.hex().c_str());
    }
  }
  return 0;
}
