// What all parts of the demo share: its processes, its own verified copy of the log, its state on
// disk. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "base/sign.h"
#include "cli/demo_plan.h"
#include "cli/demo_process.h"
#include "cli/demo_state.h"
#include "cli/demo_view.h"
#include "cli/ui.h"
#include "fold/state.h"
#include "net/http_client.h"
#include "node/follower.h"

namespace harambee::cli {

inline constexpr const char* kDemoRunName = "demo";

class World {
 public:
  using OnEvent = std::function<void(const std::string& child, const nlohmann::json& event)>;
  using OnEnd = std::function<void(const std::string& child, const ChildEnd& end,
                                   std::optional<std::int64_t> restart_ms)>;

  World(Ui& ui, DemoPaths paths, DemoState state, DemoPlan plan);
  ~World();

  Ui& ui;
  const DemoPaths paths;
  DemoState state;
  const DemoPlan plan;
  OnEvent on_event;  // what a child printed; may be empty
  OnEnd on_end;      // may be empty: deaths that nobody asked for are said and are failures

  // News: a line for people, an "event" for programs.
  void say(const std::string& text);

  // The keys of all roles, made on first use: "maintainer", "coordinator", "validator" and the
  // volunteers' names.
  [[nodiscard]] Status make_keys();
  [[nodiscard]] const KeyId& key(const std::string& role) const { return keys_.at(role); }

  // Starts the hub and waits until it answers; picks a free port the first time, and another one
  // if the old one is taken.
  [[nodiscard]] Status start_hub();
  [[nodiscard]] std::string hub_url() const;
  [[nodiscard]] std::string run_url() const { return hub_url() + "/runs/" + kDemoRunName; }

  // A process of this very program that should run as long as the training does.
  [[nodiscard]] Status start_role(const std::string& name, std::vector<std::string> arguments,
                                  std::vector<int> final_codes = {kOk});
  // A verb with --json that ends by itself: its last line as JSON. Its own error, with the end of
  // its log, if it fails, unless its exit status is in `also_ok`.
  [[nodiscard]] Result<nlohmann::json> run_verb(const std::string& name,
                                                std::vector<std::string> arguments,
                                                const OnEvent& on_event_of_verb = {},
                                                const std::vector<int>& also_ok = {});

  // Delivers what the children say. cancelled: the person wants to stop. Also fails when a role
  // that the training cannot go on without has died too often.
  [[nodiscard]] Status pump(std::int64_t timeout_ms);
  // Brings our copy of the log up to date, at most every `every_ms`; a hub that is away is waited
  // for. Fails when the log contradicts itself.
  [[nodiscard]] Status follow(std::int64_t every_ms);
  // The run as our copy of the log has it; null before it is there.
  [[nodiscard]] const fold::RunState* run() const;

  // In order: roles first, the hub last.
  void stop_everything();
  Children& children() { return children_; }

  [[nodiscard]] Status save();  // demo.json, with the time spent up to now
  [[nodiscard]] double seconds_spent() const;

 private:
  void heard(const std::string& name, const std::string& line);
  void ended(const std::string& name, const ChildEnd& end, std::optional<std::int64_t> restart_ms);
  [[nodiscard]] Status wait_for_health(std::int64_t wait_ms);

  std::map<std::string, KeyId> keys_;
  std::map<std::string, std::string> last_error_;  // what a child said last of its own failure
  std::map<std::string, std::string> last_line_;
  std::map<std::string, ChildEnd> ends_;
  std::optional<Error> fatal_;
  Children children_;
  net::CurlWire wire_;
  std::unique_ptr<node::Follower> follower_;
  std::int64_t followed_ms_ = 0;
  std::int64_t began_ms_ = 0;
  std::int64_t spent_before_ms_ = 0;
};

}  // namespace harambee::cli
