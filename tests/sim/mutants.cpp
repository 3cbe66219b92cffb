// Deliberately broken rules that the simulator must find. Each is the product with one rule changed
// (HARAMBEE_MUTANT in the files that tests/CMakeLists.txt compiles a second time).
//
//   sim_mutants               each mutant with its recorded seed must be found, and the product
//   with
//                             the same seeds must not be
//   sim_mutants --search 200  looks for the first seed that finds each one (or NAME alone)
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>

#include "base/mutant.h"
#include "sim/simulate.h"

namespace {

struct Mutant {
  const char* name;
  const char* rule;  // that is broken
  unsigned seed;     // finds it
  unsigned rounds = 8;
};

constexpr Mutant kMutants[] = {
#include "sim/mutants.inc"
};

// In a process of its own: some mutants break a check of the product and end it.
bool found(const std::string& name, unsigned seed, unsigned rounds) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    if (!std::getenv("SIM_MUTANTS_TALK") && !std::freopen("/dev/null", "w", stderr)) ::_exit(2);
    harambee::active_mutant = name;
    harambee::sim::Config config;
    config.seed = seed;
    config.rounds = rounds;
    const harambee::sim::Summary summary = harambee::sim::simulate(config);
    if (std::getenv("SIM_MUTANTS_TALK")) {
      for (const std::string& one : summary.violations) std::fprintf(stderr, "%s\n", one.c_str());
    }
    ::_exit(summary.violations.empty() ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) std::abort();
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

constexpr unsigned kSeedsMax = 200;

// 0: none of the first `most`.
unsigned first_seed(const Mutant& mutant, unsigned most) {
  for (unsigned seed = 1; seed <= most; ++seed) {
    if (found(mutant.name, seed, mutant.rounds)) return seed;
  }
  return 0;
}

int search(unsigned most, const std::string& only) {
  int survivors = 0;
  for (const Mutant& mutant : kMutants) {
    if (!only.empty() && mutant.name != only) continue;
    const unsigned seed = first_seed(mutant, most);
    if (seed == 0) ++survivors;
    std::printf("%-20s %s %u\n", mutant.name, seed == 0 ? "SURVIVES" : "found by seed", seed);
    std::fflush(stdout);
  }
  return survivors;
}

int replay() {
  int wrong = 0;
  std::set<std::pair<unsigned, unsigned>> seeds;
  for (const Mutant& mutant : kMutants) {
    seeds.emplace(mutant.seed, mutant.rounds);
    if (found(mutant.name, mutant.seed, mutant.rounds)) continue;
    const unsigned other = first_seed(mutant, kSeedsMax);
    std::printf("%s: not found by seed %u any more, but by %u\n", mutant.name, mutant.seed, other);
    if (other != 0) continue;
    ++wrong;
    std::printf("%s SURVIVES: %s\n", mutant.name, mutant.rule);
  }
  for (const auto& [seed, rounds] : seeds) {
    if (!found("", seed, rounds)) continue;
    ++wrong;
    std::printf("seed %u fails without any mutant\n", seed);
  }
  std::printf("%zu mutants, %d not as they should be\n", std::size(kMutants), wrong);
  return wrong;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 3 && std::strcmp(argv[1], "--search") == 0) {
    return search(static_cast<unsigned>(std::atoi(argv[2])), argc > 3 ? argv[3] : "") == 0 ? 0 : 1;
  }
  return replay() == 0 ? 0 : 1;
}
