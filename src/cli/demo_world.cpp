#include "cli/demo_world.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store/file.h"

namespace harambee::cli {
namespace {

constexpr std::int64_t kHubStartMs = 20'000;
constexpr std::int64_t kStopGraceMs = 15'000;

// A port that nobody listens on now. Somebody may take it before our hub does; then the hub says
// so and another one is picked.
Result<int> free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool good = fd >= 0 &&
                    ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (fd >= 0) ::close(fd);
  if (!good) return fail(ErrorCode::io, "no free port on 127.0.0.1");
  return static_cast<int>(ntohs(address.sin_port));
}

bool essential(const std::string& name) {
  return name == "hub" || name == "coordinator" || name == "validator";
}

// A verb's exit status as the failure it stands for (exit_codes.h).
ErrorCode code_of(const ChildEnd& end) {
  if (end.signal != 0) return ErrorCode::unavailable;
  switch (end.code) {
    case kUsage:
    case kBadInput:
      return ErrorCode::invalid;
    case kVerifyFailed:
      return ErrorCode::corrupt;
    case kConflict:
      return ErrorCode::conflict;
    case kDisk:
      return ErrorCode::io;
    case kRefused:
      return ErrorCode::refused;
    case kLimit:
      return ErrorCode::limit;
    case kInterrupted:
      return ErrorCode::cancelled;
    default:
      return ErrorCode::unavailable;
  }
}

Result<KeyId> make_key(const std::string& file) {
  auto pem = store::read_file(file, 4096);
  if (!pem && pem.error().code != ErrorCode::not_found) return pem.error();
  if (pem) {
    auto key = SecretKey::from_pem(text(*pem));
    if (!key) return wrap(key.error(), file);
    return key->id();
  }
  const SecretKey key = SecretKey::generate();
  if (const Status wrote = store::write_file_atomic(file, view(key.to_pem()), 0600); !wrote) {
    return wrote.error();
  }
  return key.id();
}

}  // namespace

World::World(Ui& ui_, DemoPaths paths_, DemoState state_, DemoPlan plan_)
    : ui(ui_),
      paths(std::move(paths_)),
      state(std::move(state_)),
      plan(std::move(plan_)),
      children_(
          {[this](const auto& name, const auto& line) { heard(name, line); },
           [this](const auto& name, const auto& end, auto restart) { ended(name, end, restart); }}),
      began_ms_(steady_now_ms()),
      spent_before_ms_(state.spent_ms) {}

World::~World() = default;

void World::say(const std::string& text) {
  ui.line("  " + text);
  ui.event({{"event", "note"}, {"text", text}});
}

Status World::make_keys() {
  std::vector<std::string> roles = {"maintainer", "coordinator", "validator"};
  for (const Part& part : plan.parts) roles.push_back(part.name);
  for (const std::string& role : roles) {
    auto key = make_key((paths.role(role) / "key.pem").string());
    if (!key) return wrap(key.error(), "the key of " + role);
    keys_[role] = *key;
  }
  return ok();
}

std::string World::hub_url() const { return fmt::format("http://127.0.0.1:{}", state.port); }

Status World::start_hub() {
  for (int attempt = 0; attempt < 4; ++attempt) {
    if (state.port == 0) {
      auto port = free_port();
      if (!port) return port.error();
      state.port = *port;
    }
    ends_.erase("hub");
    const Status started = start_role(
        "hub",
        {"hub", "--data", paths.hub().string(), "--listen", fmt::format("127.0.0.1:{}", state.port),
         "--tick-ms", fmt::format("{}", kDemoTickMs)},
        {kOk, kConflict});
    if (!started) return started;
    const Status healthy = wait_for_health(kHubStartMs);
    if (healthy || healthy.error().code != ErrorCode::conflict) return healthy ? save() : healthy;
    state.port = 0;
    fatal_.reset();
  }
  return fail(ErrorCode::conflict, "the hub finds no port on 127.0.0.1");
}

Status World::wait_for_health(std::int64_t wait_ms) {
  const std::int64_t deadline = steady_now_ms() + wait_ms;
  while (steady_now_ms() < deadline) {
    const Status pumped = pump(50);
    if (const auto end = ends_.find("hub"); end != ends_.end() && end->second.code == kConflict) {
      return fail(ErrorCode::conflict, "the hub cannot start: " + last_error_["hub"]);
    }
    if (!pumped) return pumped;
    WireRequest request;
    request.url = hub_url() + "/health";
    request.timeout_ms = 2'000;
    const auto answer = wire_.exchange(request);
    if (answer && answer->status == 200) return ok();
  }
  return fail(ErrorCode::unavailable,
              fmt::format("the hub does not answer after {}; its log: {}",
                          human_seconds(wait_ms / 1000.0), paths.log("hub").string()));
}

Status World::start_role(const std::string& name, std::vector<std::string> arguments,
                         std::vector<int> final_codes) {
  ChildSpec spec;
  spec.name = name;
  spec.argv = {own_program().string()};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.argv.push_back("--json");
  spec.log = paths.log(name);
  spec.when_it_dies = WhenItDies::restart;
  spec.final_codes = std::move(final_codes);
  return children_.start(std::move(spec));
}

Result<nlohmann::json> World::run_verb(const std::string& name, std::vector<std::string> arguments,
                                       const OnEvent& on_event_of_verb,
                                       const std::vector<int>& also_ok) {
  ChildSpec spec;
  spec.name = name;
  spec.argv = {own_program().string()};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.argv.push_back("--json");
  spec.log = paths.log(name);
  ends_.erase(name);
  last_line_.erase(name);
  last_error_.erase(name);
  const OnEvent before = std::exchange(on_event, [&](const auto& child, const auto& event) {
    if (child == name && on_event_of_verb) on_event_of_verb(child, event);
  });
  Status going = children_.start(std::move(spec));
  while (going && ends_.count(name) == 0) going = pump(200);
  on_event = before;
  if (!going) return going.error();
  const ChildEnd end = ends_[name];
  const auto last = nlohmann::json::parse(last_line_[name], nullptr, false);
  const bool fine =
      end.clean() || (end.signal == 0 && std::count(also_ok.begin(), also_ok.end(), end.code) > 0);
  if (fine && !last.is_discarded()) return last;
  std::string why = last_error_[name];
  if (why.empty()) why = log_tail(paths.log(name), 5);
  return fail(code_of(end),
              fmt::format("`harambee {}` ended with {}: {}", arguments[0], end.describe(), why));
}

Status World::pump(std::int64_t timeout_ms) {
  if (stop_requested()) return fail(ErrorCode::cancelled, "stopped");
  children_.pump(timeout_ms);
  if (stop_requested()) return fail(ErrorCode::cancelled, "stopped");
  if (fatal_) return *fatal_;
  return ok();
}

Status World::follow(std::int64_t every_ms) {
  const std::int64_t now = steady_now_ms();
  if (now - followed_ms_ < every_ms) return ok();
  followed_ms_ = now;
  if (!follower_) {
    node::FollowerOptions where;
    where.hub_url = hub_url();
    where.dir = paths.follow();
    auto opened = node::Follower::open(where, &wire_);
    if (!opened) return opened.error();
    follower_ = std::move(opened).value();
  }
  const auto news = follower_->follow(0);
  if (news || news.error().code == ErrorCode::unavailable) return ok();
  return news.error();
}

const fold::RunState* World::run() const {
  return follower_ ? follower_->state().run_named(kDemoRunName) : nullptr;
}

void World::heard(const std::string& name, const std::string& line) {
  const auto event = nlohmann::json::parse(line, nullptr, false);
  if (!event.is_object()) return;
  last_line_[name] = line;
  if (event.value("event", "") == "error") last_error_[name] = event.value("error", "");
  if (on_event) on_event(name, event);
}

void World::ended(const std::string& name, const ChildEnd& end,
                  std::optional<std::int64_t> restart_ms) {
  ends_[name] = end;
  if (on_end) on_end(name, end, restart_ms);
  if (end.asked || end.clean() || stop_requested()) return;
  if (restart_ms) {
    say(fmt::format("{} ended unexpectedly ({}); it is started again in {:.2f} s", name,
                    end.describe(), static_cast<double>(*restart_ms) / 1000));
  } else if (essential(name)) {
    std::string why = last_error_[name];
    if (why.empty()) why = log_tail(paths.log(name), 5);
    fatal_ = fail(ErrorCode::unavailable,
                  fmt::format("the {} ended with {} too often: {}", name, end.describe(), why));
  }
}

void World::stop_everything() {
  on_event = {};
  on_end = {};
  children_.stop_all(kStopGraceMs, {"hub"});
}

double World::seconds_spent() const {
  return static_cast<double>(spent_before_ms_ + steady_now_ms() - began_ms_) / 1000;
}

Status World::save() {
  state.spent_ms = spent_before_ms_ + steady_now_ms() - began_ms_;
  return save_state(paths, state);
}

}  // namespace harambee::cli
