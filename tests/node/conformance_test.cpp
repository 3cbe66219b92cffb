// Our own trainer and the example keep the trainer protocol, and broken ones are told what is
// wrong.
#include "node/conformance.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "store/temporary_folder.h"

namespace harambee::node {
namespace {

std::string report(const std::vector<ConformanceCheck>& checks) {
  std::string text;
  for (const auto& check : checks) {
    text += check.name + (check.passed ? check.skipped ? " skipped: " : " ok: " : " FAILED: ") +
            check.detail + "\n";
  }
  return text;
}

TEST(ConformanceTest, OurOwnTrainer) {
  const std::string program = HARAMBEE_BIN "/harambee-trainer";
  if (::access(program.c_str(), X_OK) != 0) GTEST_SKIP() << program << " is not built";
  TemporaryFolder folder;
  const auto checks = run_conformance({program}, folder.path());
  EXPECT_TRUE(passed(checks)) << report(checks);
  for (const auto& check : checks) EXPECT_FALSE(check.skipped) << check.name;
}

TEST(ConformanceTest, TheExampleInPyTorch) {
  if (std::system("/usr/bin/python3 -c 'import torch, numpy' 2>/dev/null") != 0) {
    GTEST_SKIP() << "no torch for /usr/bin/python3";
  }
  TemporaryFolder folder;
  const auto checks = run_conformance(
      {"/usr/bin/python3", HARAMBEE_SOURCE "/examples/torch_trainer.py"}, folder.path());
  EXPECT_TRUE(passed(checks)) << report(checks);
}

TEST(ConformanceTest, AProgramThatIsNoTrainer) {
  TemporaryFolder folder;
  const auto checks = run_conformance({"/bin/cat"}, folder.path());
  EXPECT_FALSE(passed(checks));
  ASSERT_FALSE(checks.empty());
  EXPECT_EQ(checks.front().name, "hello");
  EXPECT_FALSE(checks.front().passed);
}

TEST(ConformanceTest, EveryFailedCheckSaysWhatWasSeen) {
  TemporaryFolder folder;
  const auto checks =
      run_conformance({"python3", HARAMBEE_SOURCE "/tests/node/fake_trainer.py"}, folder.path());
  EXPECT_FALSE(passed(checks));  // its losses are not those of a language model
  for (const auto& check : checks) EXPECT_FALSE(check.detail.empty()) << check.name;
}

}  // namespace
}  // namespace harambee::node
