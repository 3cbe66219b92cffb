// The program itself as a child process, with a home of its own.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/store/temporary_folder.h"

namespace harambee::cli::testing {

struct Outcome {
  int exit = -1;
  std::string out;
  std::string err;
};

inline std::string slurp(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

class Program {
 public:
  Program(const TemporaryFolder& home, std::vector<std::string> arguments)
      : out_(home.path() + "/out." + std::to_string(++count())),
        err_(home.path() + "/err." + std::to_string(count())) {
    std::vector<std::string> words = {HARAMBEE_BIN "/harambee"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    pid_ = fork();
    if (pid_ != 0) return;
    ::setenv("HOME", home.path().c_str(), 1);
    for (const char* name : {"XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"})
      ::unsetenv(name);
    if (::freopen(out_.c_str(), "w", stdout) == nullptr) _exit(99);
    if (::freopen(err_.c_str(), "w", stderr) == nullptr) _exit(99);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    _exit(98);
  }
  ~Program() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    static_cast<void>(wait());
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  Outcome wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), slurp(out_),
            slurp(err_)};
  }
  void interrupt() const { ::kill(pid_, SIGINT); }
  // Waits until standard output has a whole line; the line.
  std::string first_line() const {
    for (int i = 0; i < 1000; ++i) {
      std::string text = slurp(out_);
      if (std::size_t end = text.find('\n'); end != std::string::npos) return text.substr(0, end);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "the program said nothing; errors: " << slurp(err_);
    return "";
  }

 private:
  static int& count() {
    static int count = 0;
    return count;
  }
  std::string out_;
  std::string err_;
  pid_t pid_ = 0;
};

inline Outcome run(const TemporaryFolder& home, std::vector<std::string> arguments) {
  return Program(home, std::move(arguments)).wait();
}

}  // namespace harambee::cli::testing
