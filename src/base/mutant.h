// Deliberately broken rules, for proving that the simulator finds them (docs/simulator.md). In the
// programs the macro is the constant false; only the test program that runs the mutants compiles a
// few files a second time with HARAMBEE_MUTANTS and chooses one by name.
#pragma once

#ifdef HARAMBEE_MUTANTS

#include <string_view>

namespace harambee {
inline std::string_view active_mutant;  // empty: none
}  // namespace harambee

#define HARAMBEE_MUTANT(name) (::harambee::active_mutant == (name))

#else

#define HARAMBEE_MUTANT(name) false

#endif
