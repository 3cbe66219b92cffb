// Roles in threads of their own, on a hub in this process, and a run that they train.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "node/coordinator.h"
#include "node/validator.h"
#include "node/volunteer.h"
#include "node/world.h"
#include "store/file.h"

namespace harambee::node::testing {

// One role in a thread of its own.
struct Actor {
  Actor(TestHub& hub, std::string who, const std::string& root)
      : name(std::move(who)), dir(root + "/" + name), wire(hub) {}
  ~Actor() {
    clock.stop();
    join();
  }
  RoleOptions role() const {
    RoleOptions options{kHubUrl, "tiny", dir, key_of(name), fake_trainer(),
                        1,       {},     0,   2'000,        30'000};
    options.look_again_ms = look_again_ms;
    return options;
  }
  void volunteer(Misbehave misbehave = Misbehave::none) {
    start([this, misbehave] {
      VolunteerOptions options{role(), misbehave};
      options.role.rounds_max = rounds_max;
      return run_volunteer(options, wire, clock, observer);
    });
  }
  void validator() {
    start([this] { return run_validator({role()}, wire, clock, observer); });
  }
  // Also repeats what is of the class of our trainer, with a program of its own.
  void auditor(std::vector<std::string> program) {
    start([this, program = std::move(program)] {
      return run_validator({role(), {{"fake-1", program}}}, wire, clock, observer);
    });
  }
  void coordinator(SampleRule samples = {.every = 0}) {
    start([this, samples] {
      RoleOptions options = role();
      options.trainer = fake_trainer(trainer_mode);
      return run_coordinator({options, samples}, wire, clock, observer);
    });
  }
  void start(std::function<Result<Stats>()> run) {
    thread = std::thread([this, run] { result.emplace(run()); });
  }
  void join() {
    if (thread.joinable()) thread.join();
  }
  void expect_success() {
    join();
    ASSERT_TRUE(result.has_value());
    EXPECT_TRUE(result->ok()) << name << ": " << result->error().message;
  }

  std::string name;
  std::string dir;
  DirectWire wire;
  StoppableClock clock;
  Observer observer;
  std::int64_t rounds_max = 0;
  std::int64_t look_again_ms = 3'600'000;
  std::string trainer_mode = "good";
  std::optional<Result<Stats>> result;
  std::thread thread;
};

class RolesTest : public ::testing::Test {
 protected:
  Actor& actor(const std::string& who) { return actors_.emplace_back(hub_, who, folder_.path()); }
  void open_run(const fold::Recipe& recipe = tiny_recipe()) {
    run_ = open_tiny_run(hub_, folder_.path() + "/maintainer", recipe);
  }
  void start_hosts() {
    actor("validator").validator();
    actor("coordinator").coordinator();
  }
  // The log as a stranger folds it.
  fold::RunState run_state() {
    Desk desk(hub_, "auditor", folder_.path() + "/auditor");
    const auto followed = desk.follower->follow();
    EXPECT_TRUE(followed.ok()) << followed.error().message;
    return *desk.follower->state().run(run_);
  }
  void expect_weights(const Actor& who, const Digest& digest) {
    const auto file =
        store::read_file(who.dir + "/weights/" + digest.hex() + ".safetensors", 1 << 20);
    ASSERT_TRUE(file.ok()) << who.name << ": " << file.error().message;
    EXPECT_EQ(sha256(*file), digest);
  }
  static void expect_no_refusals(const fold::RunState& run, const std::string& who) {
    for (const auto& refusal : run.refusals) {
      EXPECT_NE(refusal.author, key_of(who).id()) << refusal.kind << ": " << refusal.reason;
    }
  }

  TestHub hub_;
  TemporaryFolder folder_;
  std::deque<Actor> actors_;
  RecordId run_;
};

}  // namespace harambee::node::testing
