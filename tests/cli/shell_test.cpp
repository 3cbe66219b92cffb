// Completion scripts and man pages, made by the real program and read by real tools.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/command_model.h"
#include "cli/exit_codes.h"
#include "tests/cli/program.h"

namespace harambee::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Outcome;

class ShellTest : public ::testing::Test {
 protected:
  Outcome run(std::vector<std::string> arguments) {
    return testing::run(home_, std::move(arguments));
  }
  // What bash offers for the last of the words.
  std::string offers(const std::string& words, int current) {
    const std::string script = home_.path() + "/harambee.bash";
    std::ofstream(script) << run({"completion", "bash"}).out;
    const std::string command = "bash -c 'source " + script + "; COMP_WORDS=(" + words +
                                "); COMP_CWORD=" + std::to_string(current) +
                                "; _harambee; echo \" ${COMPREPLY[*]} \"'";
    FILE* pipe = ::popen(command.c_str(), "r");
    std::string text;
    char buffer[4096];
    while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) text += buffer;
    ::pclose(pipe);
    return text;
  }
  TemporaryFolder home_;
};

TEST_F(ShellTest, BashOffersVerbsOptionsAndChoices) {
  EXPECT_THAT(offers("harambee st", 1), AllOf(HasSubstr(" status "), Not(HasSubstr(" join "))));
  EXPECT_THAT(offers("harambee run op", 2), HasSubstr(" open "));
  EXPECT_THAT(offers("harambee run open --h", 3),
              AllOf(HasSubstr(" --hub "), Not(HasSubstr(" --vkey "))));
  EXPECT_THAT(offers("harambee join --simd avx", 3), HasSubstr(" avx2 avx512 "));
  EXPECT_THAT(offers("harambee join http://x/runs/y --v", 3), HasSubstr(" --vkey "));
}

TEST_F(ShellTest, EveryShellGetsAScriptAndOthersAnError) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    Outcome script = run({"completion", shell});
    EXPECT_EQ(script.exit, kOk);
    for (const char* word : {"conformance", "coordinate", "misbehave", "avx512"}) {
      EXPECT_THAT(script.out, HasSubstr(word)) << shell;
    }
  }
  EXPECT_EQ(run({"completion", "tcsh"}).exit, kUsage);
}

TEST_F(ShellTest, QuotesInHelpDoNotEndAString) {
  CommandModel root{"harambee", "", {}, {}};
  root.options.push_back({{"--x"}, "", "somebody's [own]: key", true, false, false, {}});
  EXPECT_THAT(completion_script(root, "zsh"),
              HasSubstr("'*--x[somebody'\\''s \\[own\\]\\: key]:value:_files'"));
  EXPECT_THAT(completion_script(root, "fish"), HasSubstr("-d 'somebody'\\''s [own]: key'"));
}

TEST_F(ShellTest, AManPageForEachVerbNamesEachOption) {
  const std::string dir = home_.path() + "/man/man1";
  Outcome made = run({"man", dir, "--json"});
  ASSERT_EQ(made.exit, kOk) << made.err;
  const auto files = nlohmann::json::parse(made.out).at("files");
  EXPECT_GT(files.size(), 20u);
  const std::string page = testing::slurp(dir + "/harambee-run-open.1");
  EXPECT_THAT(page, HasSubstr(".TH HARAMBEE-RUN-OPEN 1 "));
  for (const char* option : {"--hub", "--text", "--validator", "--text-mb-max"}) {
    std::string escaped;
    for (const char* c = option; *c != '\0'; ++c) escaped += *c == '-' ? "\\-" : std::string(1, *c);
    EXPECT_THAT(page, HasSubstr(escaped));
    EXPECT_THAT(run({"run", "open", "--help"}).out, HasSubstr(option));
  }
  EXPECT_THAT(testing::slurp(dir + "/harambee.1"), HasSubstr("harambee\\-run (1)"));
}

TEST_F(ShellTest, RoffDoesNotReadTextAsItsOwn) {
  CommandModel root{"x", ".hidden \\fB", {}, {}};
  root.options.push_back({{"--y"}, "", "'quoted", false, false, false, {}});
  const std::string page = man_pages(root, "1", "2026-01-01").front().roff;
  EXPECT_THAT(page, HasSubstr("x \\- \\&.hidden \\efB"));
  EXPECT_THAT(page, HasSubstr("\n\\&'quoted\n"));
}

TEST_F(ShellTest, AFolderThatCannotBeMadeIsAnError) {
  std::ofstream(home_.path() + "/file") << "x";
  EXPECT_EQ(run({"man", home_.path() + "/file/man"}).exit, kDisk);
}

}  // namespace
}  // namespace harambee::cli
