// Puts any trainer command through the trainer protocol (spec/trainer-protocol.md): a small model,
// a little text, and what a volunteer will need from it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace harambee::node {

struct ConformanceCheck {
  std::string name;
  bool passed = false;
  bool skipped = false;  // an optional part that the trainer says it does not do
  std::string detail;    // what was seen, always; what was expected, if it failed
};

// Runs every check, in order, even after failures. `dir` is made and holds what the trainer wrote.
[[nodiscard]] std::vector<ConformanceCheck> run_conformance(const std::vector<std::string>& argv,
                                                            const std::filesystem::path& dir);
[[nodiscard]] bool passed(const std::vector<ConformanceCheck>& checks);

}  // namespace harambee::node
