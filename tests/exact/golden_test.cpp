// The golden digests. A change here is a change of the format, and splits runs that are under way.
#include "tests/exact/scenarios.h"

#include <gtest/gtest.h>

#include <map>

#include "exact/kernels.h"

namespace harambee::exact {
namespace {

const std::map<std::string, std::string> kGolden{
    {"encode-dense-0", "494532d0bb840d84cb3351a9d11d9ea653ac3aff1902e23053d023b39587b716"},
    {"encode-int4-0", "cfe34b66cfb75babfea87c0bec335c6803880b3d2e337b0619f2c6c2084cf51e"},
    {"encode-sign-1", "2cbc566ccab3f82cab6b45a97c9bf65875ed5f6965097e61bd8def5adcc697f4"},
    {"encode-sign-2048", "fa1ecf87e05d60b5116a3101cb94345fe1497a85141fc1262add1b6ea249f249"},
    {"encode-sign-256", "cfe6bae38de4df02e1c07e5c85fe69feec553a1d4b9ba0a3afe4991628f353c9"},
    {"encode-sign-32", "7cfa8193787bca33c6c89d8aef87b8d5fcdead8286c4d9473654f68741b46ef6"},
    {"encode-ternary-0", "4c2c9c944841356fc137347efbdc588660416e5670120455e648684168639b35"},
    {"encode-two_level-48", "1b9699dc224ef6b8cccd0f93d7b0dbcab00f19a4b3dc20b2d95d582ae6f4015e"},
    {"robust-centered", "494c35217f448f7e47cff933ce9334b1aee6ccafae0b478bfd7390b769b18cfa"},
    {"robust-centered-step", "cd620d2f6a3cc209083b27e28f4b64ee753783c171f6462a3747735f030ede57"},
    {"robust-clip", "ffdc4dfaf3d43ed30b2e3a5f5a5eb39631ff2cebdfef6861133efbb2a4e9f415"},
    {"robust-krum", "9967a7577e2db77386833e723d73722fb6de80f9d95d969621ae995a0514fc0a"},
    {"robust-mean", "ec856c364378fbe9aaf3013a0aa05111f4ba01afeedfc87ca0483e8cfbd30ff6"},
    {"robust-neighbours", "114d968c046158f009645f9d9c77c7aaf8a6500cfaa9013aaeb6f013a036408e"},
    {"round-dense-0-two_level-48-of-16",
     "ccf94731f45a3ce1725c519d384e2e7e774fce528826422d38608b5782ddd321"},
    {"round-sign-32-sign-256-of-4",
     "b21cb907977d3efa9e4c6506380764bc591f9936a147f1ad14b61fbc4f885014"},
    {"round-sign-32-sign-256-of-7",
     "382282a953fb4564b61f6cea4842e32b42230b5074202430f18dbfb14eb31ff7"},
    {"round-ternary-0-dense-0-of-3",
     "f1ca0c9cd6585d9f729dea66f329092cf53ab61448eb9f19e5a2a81eaba7f917"},
    {"round-two_level-48-int4-0-of-5",
     "4742ae1c11dc99b0f60904f3cc5cccafdbae833370cce2a1d331b751520c6b84"},
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
