// The golden digests. A change here is a change of the format, and splits runs that are under way.
#include "tests/exact/scenarios.h"

#include <gtest/gtest.h>

#include <map>

#include "exact/kernels.h"

namespace harambee::exact {
namespace {

const std::map<std::string, std::string> kGolden{
    {"encode-dense-0", "85e723e062ed3582c034964661d5f63ef44221a6cda3c82466b4d1816afa8caf"},
    {"encode-int4-0", "5e22a1ecde70d21ad3de8c57d3afda44bf5f7d86e9cae7b8fa96f71d5a42fd7e"},
    {"encode-sign-1", "6c5bed06ae013ca43df61daefe98b83723d292b9175b0ef6225481b1e81190ff"},
    {"encode-sign-2048", "374fd9cbc1c2ee0a911c4e73083a0e7f5f8de437622ee09dc3c6faf675754c79"},
    {"encode-sign-256", "26da962d8c26054f3ee61b88e7006b9d2719e22f8a0d08a00d5aa6c0201ab41d"},
    {"encode-sign-32", "98f0895f82d3f3d0a485680ea80a3d8b1ff81892d3528ea76e67d2b772d184df"},
    {"encode-ternary-0", "b127d1a129401032987fe4663cbfbaa388f5e40a51c83f4437d87fae86b8dddf"},
    {"encode-two_level-48", "3d6dddf4dec5d5bf3f235f8ea7ac608135de7e13f50990eae0aa83ac87232435"},
    {"round-dense-0-two_level-48-of-16",
     "23bbc83266e055f1e812dc82f3bb99bdcc0239e3e4287a9a3da7253b4910f70a"},
    {"round-sign-32-sign-256-of-4",
     "32b68c64bb56f02b6a9dd1464318ae0cea8892b6f9578091997b55c633730443"},
    {"round-sign-32-sign-256-of-7",
     "2f2db627596d698cb6fcdb0567ac50ba5680def29adb32515efb60554d77aca1"},
    {"round-ternary-0-dense-0-of-3",
     "484771fedb07a0998a217f9f07453a282450cd82f6d5b981f7cc04272eae570b"},
    {"round-two_level-48-int4-0-of-5",
     "a488cb3046189a2339593a51bd67b5d5852328df550dfde5fbe85b03681433be"},
};

TEST(Golden, EveryInstructionSetMakesTheSameBytes) {
  for (const std::string& target : kernels::targets()) {
    kernels::use_target(target);
    std::size_t known = 0;
    for (const Scenario& scenario : run_scenarios()) {
      const auto golden = kGolden.find(scenario.name);
      ASSERT_NE(golden, kGolden.end()) << scenario.name << ' ' << scenario.digest.hex();
      EXPECT_EQ(scenario.digest.hex(), golden->second) << scenario.name << " on " << target;
      ++known;
    }
    EXPECT_EQ(known, kGolden.size());
  }
  kernels::use_target("");
}

}  // namespace
}  // namespace harambee::exact
