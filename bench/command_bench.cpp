// How long a person waits for the small commands: whole processes, from start to exit.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "bench/hub_fixture.h"
#include "fold/acts.h"
#include "format/data.h"

extern char** environ;

namespace {

using namespace harambee;

std::string program() {
  // The benchmark lies in build/bench/bin, the program beside it.
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "harambee";
}

// Runs to the end with its output thrown away; the exit status, or -1.
int run(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = -1;
  const int failed = ::posix_spawn(&child, argv[0], &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  int status = -1;
  if (failed != 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

void time_command(benchmark::State& state, const std::vector<std::string>& words) {
  for (auto _ : state) {
    if (run(words) != 0) {
      state.SkipWithError("the command failed");
      break;
    }
  }
}

void version(benchmark::State& state) { time_command(state, {program(), "--version"}); }
BENCHMARK(version)->Unit(benchmark::kMillisecond)->UseRealTime();

// A hub with a run and as many entries as a demo leaves (the fixture's 600, and the run).
const bench::RunningHub& hub_with_a_run() {
  static const bench::RunningHub* hub = [] {
    auto* running = new bench::RunningHub;
    const SecretKey key = SecretKey::from_seed({77});
    Payload identity = fold::write(fold::Identity{key.public_key()});
    identity.log = bench::kOrigin;
    identity.author = key.id();
    const Bytes first = *sign_record(identity, key);
    fold::OpenRun act;
    act.name = "bench";
    act.recipe = fold::default_recipe();
    act.coordinator = key.id();
    act.validators = {key.id()};
    act.data = {sha256(view("data")), 100, std::string(format::kDataManifestType)};
    Payload open = fold::write(act);
    open.log = bench::kOrigin;
    open.author = key.id();
    open.seq = 1;
    open.prev = parse_envelope(first)->id();
    net::CurlWire wire;
    for (const Bytes& record : {first, *sign_record(open, key)}) {
      WireRequest request;
      request.method = "POST";
      request.url = running->url("/records");
      request.body = record;
      HARAMBEE_CHECK(wire.exchange(request)->status == 200);
    }
    return running;
  }();
  return *hub;
}

// As a person who looks again and again: what was verified before is kept in `folder`.
void status(benchmark::State& state) {
  const bench::Folder folder;
  const std::vector<std::string> words = {
      program(), "status", hub_with_a_run().url("/runs/bench"), "--dir", folder.path, "--json"};
  if (run(words) != 0) state.SkipWithError("the command failed");
  time_command(state, words);
}
BENCHMARK(status)->Unit(benchmark::kMillisecond)->UseRealTime();

// For the first time: every entry is fetched and its signature checked.
void status_first_time(benchmark::State& state) {
  const std::string url = hub_with_a_run().url("/runs/bench");
  for (auto _ : state) {
    const bench::Folder folder;
    if (run({program(), "status", url, "--dir", folder.path, "--json"}) != 0) {
      state.SkipWithError("the command failed");
      break;
    }
  }
}
BENCHMARK(status_first_time)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
