#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

namespace harambee {
namespace {

TEST(Result, HoldsAValueOrAReason) {
  Result<std::unique_ptr<int>> good = std::make_unique<int>(7);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(**good, 7);
  EXPECT_EQ(*(*std::move(good)), 7);
  const Result<int> bad = invalid("no");
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error().message, "no");
  EXPECT_EQ(wrap(bad.error(), "asking").message, "asking: no");
  EXPECT_EQ(wrap(fail(ErrorCode::io, "x"), "y").code, ErrorCode::io);
}

TEST(Result, EveryCodeHasItsOwnName) {
  std::set<std::string> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::cancelled); ++code) {
    names.insert(name(static_cast<ErrorCode>(code)));
  }
  EXPECT_EQ(names.size(), 9u);
}

TEST(ResultDeathTest, TheWrongSideIsABug) {
  const Result<int> bad = invalid("no");
  EXPECT_DEATH(static_cast<void>(bad.value()), "bug: ok\\(\\)");
  const Result<int> good = 1;
  EXPECT_DEATH(static_cast<void>(good.error()), "bug");
}

}  // namespace
}  // namespace harambee
