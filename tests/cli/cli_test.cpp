// Bad input to the program: each with a clear error and its own exit code
// (docs/reference-exit-codes.md).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/exit_codes.h"
#include "tests/cli/program.h"
#include "tests/node/small_run.h"

namespace harambee::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Outcome;
using testing::Program;

constexpr const char* kNobody = "http://127.0.0.1:1/runs/demo";  // nothing listens on port 1

class CliTest : public ::testing::Test {
 protected:
  Outcome run(std::vector<std::string> arguments) {
    return testing::run(home_, std::move(arguments));
  }
  std::string in(const std::string& name) const { return home_.path() + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(in(name)).parent_path());
    std::ofstream(in(name), std::ios::binary) << text;
  }
  std::unique_ptr<Program> start_hub(const std::string& data, std::string& url,
                                     const std::string& port = "0") {
    auto hub = std::make_unique<Program>(
        home_, std::vector<std::string>{"hub", "--data", in(data), "--listen", "127.0.0.1:" + port,
                                        "--json"});
    url = nlohmann::json::parse(hub->first_line()).at("url");
    return hub;
  }
  TemporaryFolder home_;
};

TEST_F(CliTest, SaysItsVersion) {
  Outcome version = run({"--version"});
  EXPECT_EQ(version.exit, kOk);
  EXPECT_THAT(version.out, HasSubstr("harambee "));
}

TEST_F(CliTest, UnknownWordsAreUsageErrorsWithTheNearestWord) {
  Outcome verb = run({"stauts", kNobody});
  EXPECT_EQ(verb.exit, kUsage);
  EXPECT_THAT(verb.err, HasSubstr("did you mean \"status\""));
  EXPECT_EQ(run({}).exit, kUsage);
  EXPECT_EQ(run({"status"}).exit, kUsage);
  EXPECT_EQ(run({"status", kNobody, "--colour"}).exit, kUsage);
  EXPECT_EQ(run({"hub", "--data", in("hub"), "--listen", "nowhere"}).exit, kUsage);
  EXPECT_EQ(run({"join", kNobody, "--misbehave", "politely"}).exit, kUsage);
}

TEST_F(CliTest, AUrlThatNamesNoRunIsBadInput) {
  for (const char* verb : {"status", "join", "validate", "coordinate", "credits", "explain"}) {
    Outcome outcome = run({verb, "127.0.0.1:8080"});
    EXPECT_EQ(outcome.exit, kBadInput) << verb;
    EXPECT_THAT(outcome.err, HasSubstr("/runs/NAME")) << verb;
  }
  EXPECT_EQ(run({"pull", "http://h/runs/x@y", in("model")}).exit, kBadInput);
  EXPECT_EQ(run({"dispute", "127.0.0.1:8080", "0123abcd"}).exit, kBadInput);
}

TEST_F(CliTest, AHubThatIsDownIsNotFoundAndSaysWhatToDo) {
  write("text/a.txt", std::string(100'000, 'x') + "words");
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"status", kNobody},
        {"verify", kNobody},
        {"credits", kNobody},
        {"dispute", kNobody, "0123abcd"},
        {"pull", kNobody, in("model")},
        {"run", "open", "--hub", "http://127.0.0.1:1", "--text", in("text")}}) {
    Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit, kNotFound) << arguments[0] << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("to do: ")) << arguments[0];
  }
}

TEST_F(CliTest, ErrorsAreJsonToo) {
  Outcome outcome = run({"status", kNobody, "--json"});
  nlohmann::json event = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(event.at("event"), "error");
  EXPECT_EQ(event.at("exit"), outcome.exit);
}

// Answers every connection with the same bytes.
class Babbler {
 public:
  explicit Babbler(std::string answer) : answer_(std::move(answer)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 8), 0);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] {
      for (int peer; (peer = ::accept(socket_, nullptr, nullptr)) >= 0; ::close(peer)) {
        char ignored[4096];
        if (::recv(peer, ignored, sizeof(ignored), 0) > 0) {
          static_cast<void>(!::send(peer, answer_.data(), answer_.size(), MSG_NOSIGNAL));
        }
      }
    });
  }
  ~Babbler() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  std::string answer_;
  int socket_ = -1;
  int port_ = 0;
  std::jthread thread_;
};

TEST_F(CliTest, AHubThatAnswersNonsenseIsNotBelieved) {
  for (const char* answer :
       {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 500 No\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n"}) {
    Babbler babbler(answer);
    EXPECT_EQ(run({"status", babbler.url() + "/runs/demo"}).exit, kNotFound) << answer;
    int exit = run({"verify", babbler.url()}).exit;
    EXPECT_TRUE(exit == kNotFound || exit == kVerifyFailed) << answer << exit;
  }
}

TEST_F(CliTest, TextThatIsNotThereOrIsNoText) {
  std::string url;
  auto hub = start_hub("hub", url);
  auto open = [&](const std::string& path) {
    return run({"run", "open", "--hub", url, "--text", path, "--dir", in("open")});
  };
  EXPECT_EQ(open(in("nowhere")).exit, kNotFound);
  fs::create_directories(in("empty"));
  Outcome empty = open(in("empty"));
  EXPECT_EQ(empty.exit, kBadInput);
  EXPECT_THAT(empty.err, HasSubstr("there is no text in"));
  write("binary/program", std::string(1000, '\0'));
  EXPECT_EQ(open(in("binary")).exit, kBadInput);
  write("tiny/a.txt", "hello");
  EXPECT_THAT(open(in("tiny")).err, HasSubstr("too little text"));
  if (::geteuid() != 0) {
    write("secret.txt", "hello");
    fs::permissions(in("secret.txt"), fs::perms::none);
    EXPECT_EQ(open(in("secret.txt")).exit, kDisk);
  }
  Outcome name = run({"run", "open", "--hub", url, "--text", in("tiny"), "--name", "No Name"});
  EXPECT_EQ(name.exit, kBadInput);
}

TEST_F(CliTest, APortOrDirectoryInUseIsAConflict) {
  std::string url;
  auto hub = start_hub("hub", url);
  std::string port = url.substr(url.rfind(':') + 1);
  Outcome same_port = run({"hub", "--data", in("other"), "--listen", "127.0.0.1:" + port});
  EXPECT_EQ(same_port.exit, kConflict);
  EXPECT_THAT(same_port.err, HasSubstr("to do: "));
  Outcome same_data = run({"hub", "--data", in("hub"), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(same_data.exit, kConflict);
  EXPECT_THAT(same_data.err, HasSubstr(in("hub")));
}

TEST_F(CliTest, AnInterruptedHubEndsCleanlyAndGoesOn) {
  std::string url;
  auto hub = start_hub("hub", url);
  hub->interrupt();
  EXPECT_EQ(hub->wait().exit, kInterrupted);
  std::string again;
  hub = start_hub("hub", again);
  EXPECT_EQ(run({"verify", again}).exit, kOk);
}

TEST_F(CliTest, ADataDirectoryOfAnotherVersionIsRefused) {
  write("old/format", "harambee-hub 77\n");
  Outcome verify = run({"verify", "--data", in("old")});
  EXPECT_EQ(verify.exit, kBadInput);
  EXPECT_THAT(verify.err, HasSubstr("harambee-hub 77"));
  Outcome hub = run({"hub", "--data", in("old"), "--listen", "127.0.0.1:0"});
  EXPECT_NE(hub.exit, kOk);
  EXPECT_NE(hub.exit, kBug);
}

TEST_F(CliTest, AForgedLogFailsVerificationWithItsPlace) {
  node::testing::SmallRun small;
  small.write_to(in("hub"));
  Outcome good = run({"verify", "--data", in("hub"), "--json"});
  EXPECT_EQ(good.exit, kOk) << good.out << good.err;
  std::string victim = small.run().history[1].update->digest.hex();
  std::string file = in("hub/blobs/" + victim.substr(0, 2) + "/" + victim);
  std::string bytes = testing::slurp(file);
  bytes[bytes.size() / 2] ^= 1;
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  Outcome bad = run({"verify", "--data", in("hub")});
  EXPECT_EQ(bad.exit, kVerifyFailed);
  EXPECT_THAT(bad.out, HasSubstr(victim));
}

TEST_F(CliTest, RecipesAreCheckedWithLineAndNearestName) {
  write("r.toml", "rounds = 3\n[inner]\nstesp = 4\n");
  Outcome typo = run({"recipe", "show", in("r.toml")});
  EXPECT_EQ(typo.exit, kBadInput);
  EXPECT_THAT(typo.err, HasSubstr("r.toml:3"));
  EXPECT_THAT(typo.err, HasSubstr("\"steps\""));
  write("t.toml", "rounds = \"many\"\n");
  EXPECT_EQ(run({"recipe", "show", in("t.toml")}).exit, kBadInput);
  write("u.toml", "rounds = = 3\n");
  EXPECT_EQ(run({"recipe", "show", in("u.toml")}).exit, kBadInput);
  EXPECT_EQ(run({"recipe", "show", in("none.toml")}).exit, kNotFound);
}

TEST_F(CliTest, KeysAreNeverOverwritten) {
  Outcome made = run({"key", "new", in("k.pem"), "--json"});
  ASSERT_EQ(made.exit, kOk);
  std::string before = testing::slurp(in("k.pem"));
  EXPECT_EQ(run({"key", "new", in("k.pem")}).exit, kConflict);
  EXPECT_EQ(testing::slurp(in("k.pem")), before);
  EXPECT_EQ(fs::status(in("k.pem")).permissions() & fs::perms::group_read, fs::perms::none);
  Outcome shown = run({"key", "show", in("k.pem"), "--json"});
  EXPECT_EQ(nlohmann::json::parse(shown.out).at("key"), nlohmann::json::parse(made.out).at("key"));
  EXPECT_EQ(run({"key", "show", in("none.pem")}).exit, kNotFound);
  write("bad.pem", "no key");
  EXPECT_EQ(run({"key", "show", in("bad.pem")}).exit, kBadInput);
}

TEST_F(CliTest, AFolderWithoutAModelCannotWrite) {
  EXPECT_EQ(run({"generate", in("nowhere"), "--prompt", "a"}).exit, kNotFound);
  write("model/config.json", "{\"hidden_size\":-1}");
  EXPECT_EQ(run({"generate", in("model"), "--prompt", "a"}).exit, kBadInput);
}

TEST_F(CliTest, AnotherLogAtTheSameAddressIsSaid) {
  std::string url, again;
  auto hub = start_hub("first", url);
  EXPECT_THAT(run({"status", url + "/runs/x"}).err, Not(HasSubstr("another log")));
  hub->interrupt();
  static_cast<void>(hub->wait());
  hub = start_hub("second", again, url.substr(url.rfind(':') + 1));
  ASSERT_EQ(again, url);
  EXPECT_THAT(run({"status", url + "/runs/x"}).err, HasSubstr("another log"));
  EXPECT_THAT(run({"status", url + "/runs/x"}).err, Not(HasSubstr("another log")));
}

TEST_F(CliTest, ATrainerThatDoesNotKeepTheProtocolHasItsOwnCode) {
  std::string url;
  auto hub = start_hub("hub", url);
  write("text/a.txt", [] {
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919) + " ";
    return text;
  }());
  for (const char* trainer : {"false", "no-such-program", "echo hello"}) {
    Outcome outcome = run({"run", "open", "--hub", url, "--text", in("text"), "--dir", in("open"),
                           "--trainer", trainer});
    EXPECT_EQ(outcome.exit, kTrainerFailed) << trainer << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("trainer.log")) << trainer;
  }
  EXPECT_EQ(run({"conformance", "--", "false"}).exit, kTrainerFailed);
}

TEST_F(CliTest, ARunThatTheHubDoesNotHave) {
  std::string url;
  auto hub = start_hub("hub", url);
  Outcome outcome = run({"status", url + "/runs/nothing"});
  EXPECT_EQ(outcome.exit, kNotFound);
  EXPECT_THAT(outcome.err, HasSubstr("has no run \"nothing\""));
}

}  // namespace
}  // namespace harambee::cli
