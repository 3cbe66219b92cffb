// A run that begins with another run's weights: opened, named, and verified.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/exit_codes.h"
#include "cli/recipe_file.h"
#include "tests/cli/program.h"

namespace harambee::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::Program;

class ForkTest : public ::testing::Test {
 protected:
  ForkTest()
      : hub_(home_, {"hub", "--data", in("hub"), "--listen", "127.0.0.1:0", "--json"}),
        url_(json::parse(hub_.first_line()).at("url")) {
    std::ofstream text(in("text.txt"));
    for (std::uint64_t i = 1; i < 20'000; ++i) text << i * i * 7919 << (i % 7 == 0 ? '\n' : ' ');
    recipe("recipe.toml", 8);
  }
  [[nodiscard]] std::string in(const std::string& name) const { return home_.path() + "/" + name; }
  void recipe(const std::string& name, std::uint32_t hidden) const {
    fold::Recipe recipe = fold::default_recipe();
    recipe.model.hidden = hidden;
    recipe.model.heads = 2;
    recipe.model.kv_heads = 1;
    recipe.model.layers = 1;
    recipe.model.ffn = 16;
    recipe.model.context = 16;
    recipe.warm.steps = 2;
    recipe.warm.batch = 1;
    std::ofstream(in(name)) << to_toml(recipe);
  }
  Outcome run(std::vector<std::string> arguments) { return testing::run(home_, arguments); }
  json must(std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit, kOk) << outcome.err;
    const std::size_t end = outcome.out.find_last_not_of('\n');
    const std::size_t begin = outcome.out.rfind('\n', end);
    return json::parse(outcome.out.substr(begin == std::string::npos ? 0 : begin + 1), nullptr,
                       false);
  }
  std::vector<std::string> open(const std::string& name, std::vector<std::string> more = {},
                                const std::string& recipe = "recipe.toml") {
    std::vector<std::string> words = {
        "run",      "open", "--hub",  url_, "--recipe", in(recipe), "--text",    in("text.txt"),
        "--shards", "4",    "--name", name, "--dir",    in(name),   "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  TemporaryFolder home_;
  Program hub_;
  std::string url_;
};

TEST_F(ForkTest, BeginsWhereTheOtherWasAndIsVerified) {
  const json first = must(open("first"));
  must({"pull", url_ + "/runs/first@0", in("model")});
  const std::string weights = in("model/model.safetensors");
  const json fork = must(open("fork", {"--weights", weights}));
  EXPECT_EQ(fork.at("weights"), first.at("weights"));
  EXPECT_EQ(fork.at("tokens"), 0);
  const json again = must(open("fork", {"--weights", weights}));
  EXPECT_EQ(again.at("run"), fork.at("run"));
  EXPECT_EQ(must({"status", url_ + "/runs/fork"}).at("parent"),
            (json{{"name", "first"}, {"rounds", 0}}));
  EXPECT_TRUE(must({"status", url_ + "/runs/first"}).at("parent").is_null());
  EXPECT_THAT(run({"status", url_ + "/runs/fork"}).out, HasSubstr("of first, after 0"));
  const json report = must({"verify", url_, "--retrain-start", "--threads", "1"});
  EXPECT_EQ(report.at("verified"), true);
  EXPECT_EQ(report.at("start_retrained"), 1);  // the fork's were not trained
}

TEST_F(ForkTest, WeightsThatDoNotFitAreSaidBeforeTheRunIsOnTheLog) {
  must(open("first"));
  must({"pull", url_ + "/runs/first@0", in("model")});
  recipe("wide.toml", 16);
  const Outcome wide = run(open("wide", {"--weights", in("model/model.safetensors")}, "wide.toml"));
  EXPECT_EQ(wide.exit, kBadInput) << wide.err;
  EXPECT_THAT(wide.err, HasSubstr("model.safetensors"));
  EXPECT_EQ(run(open("none", {"--weights", in("nowhere")})).exit, kNotFound);
  EXPECT_EQ(run(open("text", {"--weights", in("text.txt")})).exit, kBadInput);
  for (const char* name : {"wide", "none", "text"}) {
    EXPECT_EQ(run({"status", url_ + "/runs/" + name}).exit, kNotFound) << name;
  }
}

}  // namespace
}  // namespace harambee::cli
