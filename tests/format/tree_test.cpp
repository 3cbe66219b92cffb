#include "format/tree.h"

#include <gtest/gtest.h>

namespace harambee::format {
namespace {

TreeFile file(const std::string& path) {
  return {path, 5, sha256(view(path)), "ce013625030ba8dba906f756967f9e9ca394464a", false};
}

TEST(Tree, HasOneText) {
  const Bytes bytes = write_tree({file("b/c"), file("a"), file("b/a")});
  const auto parsed = parse_tree(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->at(0).path, "a");
  EXPECT_EQ(parsed->at(2), file("b/c"));
  EXPECT_EQ(write_tree(*parsed), bytes);
}

TEST(Tree, MayBeEmpty) { EXPECT_TRUE(parse_tree(write_tree({}))); }

TEST(Tree, RefusesWhatContradictsItself) {
  EXPECT_FALSE(check_tree({file("a"), file("a")}));
  EXPECT_FALSE(check_tree({file("a"), file("a/b")}));
  // Between "a" and "a/b" other names may come.
  EXPECT_FALSE(check_tree({file("a"), file("a-"), file("a.b"), file("a/b")}));
  EXPECT_TRUE(check_tree({file("a-"), file("a.b"), file("a/b")}));
  TreeFile odd = file("x");
  odd.git_oid = "CE013625030ba8dba906f756967f9e9ca394464a";
  EXPECT_FALSE(check_tree({odd}));
}

TEST(Tree, RefusesOtherTexts) {
  const std::string good(text(write_tree({file("a"), file("b")})));
  EXPECT_TRUE(parse_tree(view(good)));
  for (const auto& [from, to] :
       {std::pair("\"a\"", "\"c\""), std::pair("\"v\":1", "\"v\":2"), std::pair("false", "1"),
        std::pair("\"size\":5", "\"size\":-5"), std::pair("{", " {")}) {
    std::string bad = good;
    bad.replace(bad.find(from), std::string(from).size(), to);
    EXPECT_FALSE(parse_tree(view(bad))) << bad;
  }
}

TEST(Tree, Paths) {
  for (const char* good : {"a", "a/b.c", "ä/ö", " a", "a b", "...", ".gitattributes"}) {
    EXPECT_TRUE(is_tree_path(good)) << good;
  }
  for (const char* bad :
       {"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a\\b", "a\nb", "\xff"}) {
    EXPECT_FALSE(is_tree_path(bad)) << bad;
  }
  EXPECT_FALSE(is_tree_path(std::string(1025, 'a')));
}

}  // namespace
}  // namespace harambee::format
