#include "base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace harambee {
namespace {

std::string nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(Json, ReadsAndWritesItsCanonicalForm) {
  for (const char* text : {
           "null",
           "true",
           "false",
           "0",
           "-1",
           "9007199254740991",
           "-9007199254740991",
           "\"\"",
           "[]",
           "{}",
           R"([1,[],{},"x",null,true])",
           R"({"a":1,"b":{"c":[]}})",
           R"({"":1,"A":2,"a":3})",
           "\"\\b\\t\\n\\f\\r\\\"\\\\\\u0000\\u001f/\x7f\"",
           "\"\u00e9\u20ac\U0001f600\"",
           R"({"a":"","a!":"","aa":""})",
       }) {
    const auto value = parse_canonical(view(text));
    ASSERT_TRUE(value) << text << ": " << value.error().message;
    EXPECT_EQ(write(*value), text);
    EXPECT_EQ(nlohmann::json::parse(text).dump(), nlohmann::json::parse(write(*value)).dump());
  }
  EXPECT_TRUE(parse_canonical(view(nested(16))));
}

TEST(Json, RefusesEveryOtherSpelling) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "nothing"},
      {" 1", "leading space"},
      {"1 ", "trailing space"},
      {"[1, 2]", "inner space"},
      {"{\"a\" :1}", "inner space"},
      {"1\n", "final line end"},
      {"[1,]", "trailing comma"},
      {"{\"a\":1,}", "trailing comma"},
      {"[,1]", "leading comma"},
      {"[1", "no end"},
      {"[1}", "wrong end"},
      {"{\"a\":1", "no end"},
      {"{\"a\"}", "no value"},
      {"{a:1}", "bare key"},
      {"{1:1}", "key of another type"},
      {"[1]]", "two ends"},
      {"1 2", "two values"},
      {"nul", "unknown word"},
      {"True", "unknown word"},
      {"1.0", "fraction"},
      {"1.5", "fraction"},
      {"1e3", "exponent"},
      {"1E3", "exponent"},
      {"-0", "minus zero"},
      {"00", "leading zero"},
      {"01", "leading zero"},
      {"-01", "leading zero"},
      {"+1", "plus"},
      {"-", "no digits"},
      {"0x1", "hex"},
      {"NaN", "not a number"},
      {"Infinity", "infinity"},
      {"9007199254740992", "2^53"},
      {"-9007199254740992", "-2^53"},
      {"18446744073709551617", "2^64 + 1"},
      {"99999999999999999999999999999999", "very large"},
      {"{\"b\":1,\"a\":2}", "unsorted keys"},
      {"{\"a\":1,\"a\":2}", "duplicate keys"},
      {"{\"a\":1,\"\\u0061\":2}", "duplicate keys, one escaped"},
      {"{\"aa\":1,\"a\":2}", "unsorted keys"},
      {"{\"\u00e9\":1}", "key that is not ASCII"},
      {"\"\\u0041\"", "escape that need not be"},
      {"\"\\u00e9\"", "escape that need not be"},
      {"\"\\/\"", "escape that need not be"},
      {"\"\\u000a\"", "escape that could be shorter"},
      {"\"\\u0008\"", "escape that could be shorter"},
      {"\"\\u001F\"", "escape in upper case"},
      {"\"\\ud83d\\ude00\"", "escaped surrogates"},
      {"\"\\ud83d\"", "lone surrogate"},
      {"\"\\u00\"", "short escape"},
      {"\"\\x41\"", "unknown escape"},
      {"\"\\", "no end"},
      {"\"\\u", "no end"},
      {"\"\\u001", "no end"},
      {"\"a", "no end"},
      {"\"\t\"", "bare control character"},
      {"\"\xed\xa0\xbd\"", "surrogate in UTF-8"},
      {"\"\xc0\x80\"", "overlong"},
      {"\"\xc1\xbf\"", "overlong"},
      {"\"\xe0\x80\x80\"", "overlong"},
      {"\"\xf0\x80\x80\x80\"", "overlong"},
      {"\"\xf4\x90\x80\x80\"", "above U+10FFFF"},
      {"\"\xf5\x80\x80\x80\"", "above U+10FFFF"},
      {"\"\x80\"", "stray continuation"},
      {"\"\xe2\x82\"", "cut off"},
      {"\"\xff\"", "never in UTF-8"},
      {"\xef\xbb\xbf"
       "1",
       "byte order mark"},
      {"'a'", "other quotes"},
      {"// c\n1", "comment"},
  };
  for (const auto& [text, what] : cases) {
    const auto value = parse_canonical(view(text));
    ASSERT_FALSE(value) << what << ": " << text;
    EXPECT_EQ(value.error().code, ErrorCode::invalid);
  }
  EXPECT_FALSE(parse_canonical(view(std::string_view("\"\0\"", 3))));
  EXPECT_FALSE(parse_canonical(view(std::string_view("1\0", 2))));
  EXPECT_FALSE(parse_canonical(view(nested(17))));
  EXPECT_FALSE(parse_canonical(view(std::string(100'000, '['))));
}

TEST(Json, EveryCutOfATextIsRefused) {
  const std::string text = R"({"a":[1,-2,"x\n\u0001é"],"b":{"c":null,"d":true}})";
  ASSERT_TRUE(parse_canonical(view(text)));
  for (std::size_t i = 0; i < text.size(); ++i) {
    EXPECT_FALSE(parse_canonical(view(text.substr(0, i)))) << i;
  }
}

TEST(Json, EveryChangedByteIsRefusedOrAnotherCanonicalText) {
  const std::string text = R"({"a":[1,-2,"x\n\u0001é"],"b":{"c":null,"d":true}})";
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = text;
      changed[i] = static_cast<char>(byte);
      const auto value = parse_canonical(view(changed));
      if (!value) continue;
      EXPECT_EQ(write(*value), changed);
      EXPECT_TRUE(nlohmann::json::accept(changed)) << changed;
    }
  }
}

TEST(Json, ValuesAreFoundByTypeAndKey) {
  const Json value = JsonObject{{"n", 7}, {"s", "x"}, {"l", JsonArray{1, "two", nullptr}}};
  EXPECT_EQ(*value.find("n")->integer(), 7);
  EXPECT_EQ(*value.find("s")->string(), "x");
  EXPECT_EQ(value.find("l")->array()->size(), 3u);
  EXPECT_EQ(value.find("n")->string(), nullptr);
  EXPECT_EQ(value.find("none"), nullptr);
  EXPECT_EQ(Json(1).find("n"), nullptr);
  EXPECT_EQ(write(value), R"({"l":[1,"two",null],"n":7,"s":"x"})");
}

}  // namespace
}  // namespace harambee
