// What a hub and a trainer may say, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/log_answer.h"
#include "node/trainer_reply.h"

namespace harambee::node {
namespace {

std::string answer(const std::string& line, const std::string& entries) {
  return "hub.test/log\n3\nAAAA\n\n\xe2\x80\x94 hub.test/log AAAA\n" + line + "\n" + entries;
}
const std::string kTwo("\0\2ab\0\1c", 7);

TEST(LogAnswerTest, TakesNoteAndEntriesApart) {
  const auto parsed = parse_log_answer(view(answer("entries 1 2 7", kTwo)));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->from, 1u);
  EXPECT_THAT(parsed->entries, ::testing::ElementsAre(to_bytes("ab"), to_bytes("c")));
  EXPECT_TRUE(parsed->note.ends_with("hub.test/log AAAA\n"));
}

TEST(LogAnswerTest, RefusesWhatDoesNotAddUp) {
  for (const std::string& text :
       {std::string(), std::string("entries 0 0 0\n"), answer("entries 1 3 7", kTwo),
        answer("entries 1 2 6", kTwo), answer("entries 1 2 8", kTwo), answer("entries 1 2", kTwo),
        answer("entries 1 2 7 9", kTwo), answer("entries -1 2 7", kTwo), answer("entrees", kTwo),
        answer("entries 99999999999999999999 2 7", kTwo),
        answer("entries 1 2 6", kTwo.substr(0, 6))}) {
    const auto parsed = parse_log_answer(view(text));
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::unavailable);
  }
}

TEST(TrainerReplyTest, ReadsWhatTheProtocolSays) {
  const auto done = parse_trainer_reply(
      R"({"op":"done","id":7,"steps":5,"tokens":640,"loss_first":5500000000,"loss_last":5400000000,)"
      R"("weights":"/w","state":"/s","state_digest":"ab"})");
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_TRUE(done->trained);
  EXPECT_EQ(done->loss_last_nanos, 5'400'000'000);
  const auto progress = parse_trainer_reply(R"( {"id": 1, "op": "progress", "loss": 2.5} )");
  ASSERT_TRUE(progress.ok()) << progress.error().message;
  EXPECT_EQ(progress->loss_nanos, 2'500'000'000);
  EXPECT_EQ(parse_trainer_reply(R"({"op":"losses","id":1,"nanos":[1,-2]})")->nanos,
            (std::vector<std::int64_t>{1, -2}));
  EXPECT_EQ(parse_trainer_reply(R"({"op":"text","id":1,"text":"aGk="})")->text, to_bytes("hi"));
  EXPECT_EQ(parse_trainer_reply(R"({"op":"error","message":"no\nmemory"})")->message, "no memory");
}

TEST(TrainerReplyTest, RefusesEverythingElse) {
  for (const char* line :
       {"",
        "{",
        "null",
        "[]",
        "12",
        R"({"op":1})",
        R"({"op":"dance","id":1})",
        R"({"id":1})",
        R"({"op":"done"})",
        R"({"op":"done","id":-1})",
        R"({"op":"done","id":1.5})",
        R"({"op":"done","id":18446744073709551615})",
        R"({"op":"done","id":1,"state_digest":"ab","steps":1,"tokens":1,"loss_first":NaN})",
        R"({"op":"done","id":1,"state_digest":"ab","steps":1,"tokens":1,"loss_first":1e9,)"
        R"("loss_last":0})",
        R"({"op":"losses","id":1,"nanos":[1.5]})",
        R"({"op":"losses","id":1,"nanos":[null]})",
        R"({"op":"losses","id":1,"nanos":[1000000000001]})",
        R"({"op":"losses","id":1})",
        R"({"op":"hello","protocol":1,"name":"x","class":7,"parameters":1})",
        R"({"op":"text","id":1,"text":"aGk"})",
        "\xff\xfe"}) {
    const auto parsed = parse_trainer_reply(line);
    ASSERT_FALSE(parsed.ok()) << line;
    EXPECT_EQ(parsed.error().code, ErrorCode::invalid) << line;
  }
}

TEST(TrainerReplyTest, DeepNestingIsNoDanger) {
  EXPECT_FALSE(parse_trainer_reply(std::string(1'000'000, '[')).ok());
  EXPECT_FALSE(parse_trainer_reply(R"({"op":)" + std::string(100'000, '{')).ok());
}

}  // namespace
}  // namespace harambee::node
