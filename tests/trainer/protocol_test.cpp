#include "trainer/exact/protocol.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "support.h"

namespace harambee::trainer {
namespace {

using Line = nlohmann::json;

const std::string kSeed(64, 'a');

Line hello() {
  return {{"op", "hello"},
          {"protocol", 1},
          {"threads", 2},
          {"model",
           {{"context", 16},
            {"ffn", 24},
            {"heads", 2},
            {"hidden", 16},
            {"kv_heads", 1},
            {"layers", 1},
            {"norm_eps", "0.00001"},
            {"rope_theta", "10000"},
            {"tied", false},
            {"vocab", 256}}}};
}

Line train() {
  return {{"op", "train"},
          {"id", 7},
          {"base", "w0"},
          {"state", nullptr},
          {"shards", {"text"}},
          {"seed", kSeed},
          {"first_step", 0},
          {"total_steps", 10},
          {"inner",
           {{"batch", 2},
            {"beta1", "0.9"},
            {"beta2", "0.99"},
            {"clip", "1"},
            {"eps", "0.00000001"},
            {"final", "0.1"},
            {"lr", "0.003"},
            {"steps", 3},
            {"warmup", 2},
            {"weight_decay", "0.1"}}},
          {"out", "w1"},
          {"state_out", "s1"}};
}

TEST(Requests, AreRefusedWithAReason) {
  const char* const lines[] = {"",
                               "{",
                               "[]",
                               "null",
                               "{}",
                               R"({"op":1})",
                               R"({"op":"sing"})",
                               R"({"op":"hello"})",
                               R"({"op":"hello","protocol":2})",
                               R"({"op":"init","seed":"xyz","out":"w"})",
                               R"({"op":"init","seed":"AA","out":"w"})",
                               R"({"op":"train"})",
                               R"({"op":"evaluate","weights":"w","files":[],"offsets":[]})",
                               R"({"op":"evaluate","weights":"w","files":["f"],"offsets":[-1]})",
                               R"({"op":"evaluate","weights":"w","files":["f"],"offsets":[0.5]})",
                               R"({"op":"evaluate","weights":"","files":["f"],"offsets":[1]})"};
  for (const char* line : lines) {
    const auto request = parse_request(line);
    ASSERT_FALSE(request.ok()) << line;
    EXPECT_FALSE(request.error().message.empty());
  }
  EXPECT_FALSE(parse_request(std::string(100'000, '[')).ok());
  EXPECT_FALSE(parse_request(std::string(kLineBytesMax + 1, ' ')).ok());
}

TEST(Requests, EveryMemberIsChecked) {
  ASSERT_TRUE(parse_request(train().dump()).ok());
  ASSERT_TRUE(parse_request(hello().dump()).ok());
  const Line good = train(), model = hello()["model"];
  for (const auto& [key, value] : good.items()) {
    if (key == "id" || key == "state") continue;
    Line wrong = train();
    wrong[key] = {1, 2};
    EXPECT_FALSE(parse_request(wrong.dump()).ok()) << key;
    wrong.erase(key);
    EXPECT_FALSE(parse_request(wrong.dump()).ok()) << key;
  }
  for (const auto& [key, value] : model.items()) {
    Line wrong = hello();
    wrong["model"][key] = -1;
    EXPECT_FALSE(parse_request(wrong.dump()).ok()) << key;
    wrong["model"].erase(key);
    EXPECT_FALSE(parse_request(wrong.dump()).ok()) << key;
  }
  Line wrong = train();
  wrong["base"] = std::string("a\0b", 3);
  EXPECT_FALSE(parse_request(wrong.dump()).ok());
}

class Conversation : public testing::Test {
 protected:
  Conversation()
      : session({}, [this](const std::string& line) {
          replies.push_back(Line::parse(line));
          return true;
        }) {
    folder.write("text", small_text(500));
  }
  // The last reply.
  Line say(const Line& line) { return say_text(line.dump()); }
  Line say_text(const std::string& line) {
    replies.clear();
    alive = session.handle(line);
    return replies.empty() ? Line() : replies.back();
  }
  Line greet() {
    Line line = hello();
    line["dir"] = folder.path();
    return say(line);
  }
  Folder folder;
  std::vector<Line> replies;
  bool alive = true;
  Session session;
};

TEST_F(Conversation, TrainsEvaluatesAndSpeaks) {
  const Line greeting = greet();
  EXPECT_EQ(greeting["op"], "hello");
  EXPECT_EQ(greeting["protocol"], 1);
  EXPECT_EQ(greeting["class"], "exact-1");
  EXPECT_EQ(greeting["parameters"], 2 * 256 * 16 + 16 * 16 * 3 + 3 * 16 * 24 + 3 * 16);
  EXPECT_NE(greeting["device"].get<std::string>().find("2 threads"), std::string::npos);
  EXPECT_EQ(say({{"op", "init"}, {"id", 1}, {"seed", kSeed}, {"out", "w0"}})["op"], "done");

  const Line done = say(train());
  EXPECT_EQ(done["op"], "done");
  EXPECT_EQ(done["id"], 7);
  EXPECT_EQ(done["steps"], 3);
  EXPECT_EQ(done["tokens"], 3 * 2 * 16);
  EXPECT_EQ(done["weights"], folder / "w1");
  EXPECT_EQ(done["weights_digest"], sha256(view(folder.read("w1"))).hex());
  EXPECT_EQ(done["state_digest"], sha256(view(folder.read("s1"))).hex());
  ASSERT_EQ(replies.size(), 4u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(replies[i]["op"], "progress");
    EXPECT_EQ(replies[i]["id"], 7);
    EXPECT_EQ(replies[i]["step"], i + 1);
  }
  EXPECT_EQ(replies[0]["loss"], done["loss_first"]);
  EXPECT_EQ(replies[2]["loss"], done["loss_last"]);

  const Line losses = say({{"op", "evaluate"},
                           {"id", 2},
                           {"weights", "w1"},
                           {"files", {"text"}},
                           {"offsets", {0, 100, 483}}});
  EXPECT_EQ(losses["op"], "losses");
  EXPECT_EQ(losses["nanos"].size(), 3u);
  const Line text = say({{"op", "generate"},
                         {"id", 3},
                         {"weights", "w1"},
                         {"prompt", base64(view("all pull"))},
                         {"bytes", 5},
                         {"temperature", "0.8"},
                         {"seed", kSeed}});
  EXPECT_EQ(text["op"], "text");
  EXPECT_EQ(from_base64(text["text"].get<std::string>()).value().size(), 5u);
  EXPECT_TRUE(alive);
  say({{"op", "bye"}});
  EXPECT_FALSE(alive);
  EXPECT_TRUE(replies.empty());
}

TEST_F(Conversation, SurvivesBadRequests) {
  EXPECT_EQ(say(train())["message"], "say hello first");
  EXPECT_EQ(say_text("not json \xff")["op"], "error");
  greet();
  Line error = say(train());  // no weights yet
  EXPECT_EQ(error["op"], "error");
  EXPECT_EQ(error["id"], 7);
  EXPECT_NE(error["message"].get<std::string>().find("w0"), std::string::npos);
  error = say_text(R"({"op":"dance","id":9})");
  EXPECT_EQ(error["op"], "error");
  EXPECT_EQ(error["id"], 9);
  EXPECT_EQ(say({{"op", "init"}, {"id", 1}, {"seed", kSeed}, {"out", "w0"}})["op"], "done");
  EXPECT_EQ(say(train())["op"], "done");
}

TEST_F(Conversation, EndsWhenNobodyListens) {
  greet();
  say({{"op", "init"}, {"id", 1}, {"seed", kSeed}, {"out", "w0"}});
  int lines = 0;
  Session deaf({}, [&](const std::string&) { return ++lines < 3; });
  Line line = hello();
  line["dir"] = folder.path();
  EXPECT_TRUE(deaf.handle(line.dump()));
  EXPECT_FALSE(deaf.handle(train().dump()));
  EXPECT_EQ(lines, 3);
}

// The program itself, over pipes.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments) {
    int in[2], out[2];
    if (pipe(in) != 0 || pipe(out) != 0) abort();
    pid_ = fork();
    if (pid_ == 0) {
      dup2(in[0], 0), dup2(out[1], 1);
      for (const int fd : {in[0], in[1], out[0], out[1]}) close(fd);
      std::vector<char*> argv;
      std::string path = HARAMBEE_BIN "/harambee-trainer";
      argv.push_back(path.data());
      std::vector<std::string> copy = arguments;
      for (std::string& argument : copy) argv.push_back(argument.data());
      argv.push_back(nullptr);
      execv(path.c_str(), argv.data());
      _exit(127);
    }
    close(in[0]), close(out[1]);
    in_ = in[1];
    out_ = fdopen(out[0], "r");
  }
  ~Program() {
    if (in_ >= 0) close(in_);
    fclose(out_);
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  void send(const std::string& line) {
    const std::string whole = line + "\n";
    ASSERT_EQ(::write(in_, whole.data(), whole.size()), static_cast<ssize_t>(whole.size()));
  }
  Line receive() {
    char* line = nullptr;
    std::size_t size = 0;
    const ssize_t n = getline(&line, &size, out_);
    const Line reply = n > 0 ? Line::parse(line) : Line();
    free(line);
    return reply;
  }
  void close_input() { close(std::exchange(in_, -1)); }
  void signal(int number) const { kill(pid_, number); }
  // The status of waitpid.
  int wait() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }

 private:
  pid_t pid_ = -1;
  int in_ = -1;
  FILE* out_ = nullptr;
};

std::string program_path() { return HARAMBEE_BIN "/harambee-trainer"; }

#define NEEDS_PROGRAM() \
  if (!std::filesystem::exists(program_path())) GTEST_SKIP() << "harambee-trainer is not built"

TEST(Program, SpeaksTheProtocolWithTheSameBitsAtEveryLevel) {
  NEEDS_PROGRAM();
  std::string weights;
  for (const Simd simd : levels()) {
    Folder folder;
    folder.write("text", small_text(500));
    Program program({"--simd", name(simd), "--threads", "3"});
    Line line = hello();
    line["dir"] = folder.path();
    program.send(line.dump());
    EXPECT_EQ(program.receive()["device"], std::string("cpu, ") + name(simd) + ", 3 threads");
    program.send(Line{{"op", "init"}, {"id", 1}, {"seed", kSeed}, {"out", "w0"}}.dump());
    EXPECT_EQ(program.receive()["op"], "done");
    program.send(train().dump());
    for (int i = 0; i < 3; ++i) EXPECT_EQ(program.receive()["op"], "progress");
    const std::string digest = program.receive()["weights_digest"];
    if (weights.empty()) weights = digest;
    EXPECT_EQ(digest, weights);
    program.send(R"({"op":"bye"})");
    const int status = program.wait();
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
}

TEST(Program, SurvivesNonsenseAndEndsWithItsInput) {
  NEEDS_PROGRAM();
  Program program({});
  program.send("nonsense");
  EXPECT_EQ(program.receive()["op"], "error");
  std::thread writer([&] { program.send(std::string(kLineBytesMax + 100'000, 'x')); });
  EXPECT_EQ(program.receive()["message"], "the line is too long");
  writer.join();
  program.send(hello().dump());
  EXPECT_EQ(program.receive()["op"], "hello");
  program.close_input();
  const int status = program.wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(Program, EndsWhenToldTo) {
  NEEDS_PROGRAM();
  Program program({});
  program.send(hello().dump());
  EXPECT_EQ(program.receive()["op"], "hello");
  program.signal(SIGTERM);
  EXPECT_TRUE(WIFSIGNALED(program.wait()));
  Program wrong({"--threads", "none"});
  const int status = wrong.wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 2);
}

}  // namespace
}  // namespace harambee::trainer
