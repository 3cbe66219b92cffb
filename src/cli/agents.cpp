// join, validate, coordinate: long-lived roles of one run.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "cli/setup.h"
#include "cli/verbs.h"
#include "net/http_client.h"
#include "node/coordinator.h"
#include "node/observer.h"
#include "node/validator.h"
#include "node/volunteer.h"

namespace harambee::cli {
namespace {

// What is shown of a role's events: JSON lines as they are, or a live line.
class Show {
 public:
  Show(Ui& ui, std::string role) : ui_(ui), role_(std::move(role)) {}

  void operator()(const node::Event& event) {
    if (ui_.json()) {
      ui_.event(nlohmann::json::parse(node::json_line(event), nullptr, false));
      return;
    }
    switch (event.kind) {
      case node::Event::Kind::note:
        ui_.note(event.text);
        break;
      case node::Event::Kind::round:
        ui_.line(event.text.empty() ? line(event.stats) : event.text);
        break;
      case node::Event::Kind::state:
      case node::Event::Kind::progress:
        ui_.progress(line(event.stats), 30'000);
        break;
    }
  }

 private:
  [[nodiscard]] std::string line(const node::Stats& stats) const {
    std::string text = stats.round < 0 ? role_ : fmt::format("round {}", stats.round);
    text += ": " + stats.state;
    if (stats.step > 0) text += fmt::format(", step {}", stats.step);
    if (stats.loss_nanos != 0) text += fmt::format(", loss {}", human_nats(stats.loss_nanos));
    if (stats.tokens_per_second > 0) {
      text += fmt::format(", {} tokens/s",
                          human_count(static_cast<std::uint64_t>(stats.tokens_per_second)));
    }
    return text + fmt::format(", up {}, down {}", human_bytes(stats.sent_bytes),
                              human_bytes(stats.received_bytes));
  }

  Ui& ui_;
  std::string role_;
};

Result<node::RoleOptions> role_options(const AgentOptions& options, const char* role, Ui& ui) {
  Result<node::RunAddress> address = node::parse_run_address(options.url);
  if (!address) return address.error();
  std::filesystem::path dir = state_dir(options.common, *address, role);
  std::filesystem::path key_file =
      options.common.key.empty() ? dir / "key.pem" : std::filesystem::path(options.common.key);
  Result<SecretKey> key = load_or_make_key(key_file, ui);
  if (!key) return key.error();
  Result<std::vector<std::string>> trainer = trainer_command(options.common);
  if (!trainer) return trainer.error();
  node::RoleOptions made{.hub_url = address->hub,
                         .run_name = address->name,
                         .dir = dir,
                         .key = *std::move(key),
                         .trainer = *std::move(trainer),
                         .threads = static_cast<int>(threads(options.common)),
                         .vkey = std::nullopt};
  if (!options.vkey.empty()) made.vkey = options.vkey;
  made.rounds_max = options.rounds;
  return made;
}

Advice advice_for(const Error& error, const std::string& dir) {
  std::string kept = "everything is in " + dir;
  switch (error.code) {
    case ErrorCode::unavailable:
      return {kept,
              "look whether the hub runs (or the trainer's log in that folder), then start "
              "the same command again"};
    case ErrorCode::not_found:
      return {kept, "check the run's URL"};
    case ErrorCode::refused:
      return {kept, "`harambee explain URL KEY` says why"};
    case ErrorCode::corrupt:
      return {kept + ", evidence included", "do not trust this hub; `harambee verify URL`"};
    case ErrorCode::conflict:
      return {kept, "another process uses the folder or the key; give another --dir"};
    case ErrorCode::io:
      return {kept, "look at the disk and make room, then start the same command again"};
    default:
      return {kept, "start the same command again"};
  }
}

template <typename Run>
Exit serve(const AgentOptions& options, const char* role, Ui& ui, const Run& run) {
  catch_stop_signals();
  Result<node::RoleOptions> role_or = role_options(options, role, ui);
  if (!role_or) return ui.fail(role_or.error());
  net::CurlOptions curl;
  curl.cancel = &stop_flag();
  net::CurlWire wire(curl);
  SystemClock clock;
  std::string dir = role_or->dir.string();
  std::string key = role_or->key.id().hex();
  ui.line(
      fmt::format("{} {} as {}…, state in {}", role, ui.bold(options.url), key.substr(0, 16), dir));
  ui.event({{"event", "begin"}, {"role", role}, {"url", options.url}, {"key", key}, {"dir", dir}});
  Result<node::Stats> stats = run(*std::move(role_or), wire, clock, Show(ui, role));
  ui.progress_done();
  if (!stats) {
    Advice advice = advice_for(stats.error(), dir);
    bool trainer =
        stats.error().code == ErrorCode::unavailable || stats.error().code == ErrorCode::invalid;
    if (trainer) return ui.fail(kTrainerFailed, stats.error().message, advice);
    return ui.fail(stats.error(), advice);
  }
  nlohmann::json done = {{"event", stop_requested() ? "stopped" : "done"},
                         {"key", key},
                         {"rounds", stats->rounds},
                         {"accepted", stats->accepted},
                         {"tokens", stats->tokens},
                         {"sent_bytes", stats->sent_bytes},
                         {"received_bytes", stats->received_bytes}};
  ui.event(done);
  ui.line(fmt::format(
      "{} after {} rounds: up {}, down {}",
      stop_requested() ? "stopped; nothing is lost, the same command goes on;" : "done",
      stats->rounds, human_bytes(stats->sent_bytes), human_bytes(stats->received_bytes)));
  return stop_requested() ? kInterrupted : kOk;
}

Result<node::SampleRule> sample_rule(const AgentOptions& options) {
  node::SampleRule rule;
  rule.every = options.sample_every;
  if (options.sample_prompts.empty()) return rule;
  if (options.sample_prompts.size() > fold::kSampleTextsMax) {
    return invalid(fmt::format("--sample-prompt: at most {} of them", fold::kSampleTextsMax));
  }
  rule.prompts.clear();
  for (const std::string& prompt : options.sample_prompts) {
    if (prompt.size() > fold::kSamplePromptBytesMax) {
      return invalid(fmt::format("--sample-prompt: at most {} bytes", fold::kSamplePromptBytesMax));
    }
    rule.prompts.push_back(to_bytes(prompt));
  }
  return rule;
}

}  // namespace

Exit join(const AgentOptions& options, Ui& ui) {
  node::Misbehave misbehave = node::Misbehave::none;
  if (!options.misbehave.empty()) {
    Result<node::Misbehave> parsed = node::parse_misbehave(options.misbehave);
    if (!parsed) return ui.fail(kUsage, parsed.error().message);
    misbehave = *parsed;
  }
  return serve(options, "join", ui,
               [&](node::RoleOptions role, Wire& wire, Clock& clock, Show show) {
                 return node::run_volunteer({.role = std::move(role), .misbehave = misbehave}, wire,
                                            clock, std::move(show));
               });
}

Exit validate(const AgentOptions& options, Ui& ui) {
  const Result<std::vector<node::AuditTrainer>> trainers = audit_trainers(options.audit_trainers);
  if (!trainers) return ui.fail(kUsage, trainers.error().message);
  return serve(options, "validate", ui,
               [&](node::RoleOptions role, Wire& wire, Clock& clock, Show show) {
                 return node::run_validator({.role = std::move(role), .audit_trainers = *trainers},
                                            wire, clock, std::move(show));
               });
}

Exit coordinate(const AgentOptions& options, Ui& ui) {
  const Result<node::SampleRule> samples = sample_rule(options);
  if (!samples) return ui.fail(kUsage, samples.error().message);
  return serve(options, "coordinate", ui,
               [&](node::RoleOptions role, Wire& wire, Clock& clock, Show show) {
                 return node::run_coordinator({.role = std::move(role), .samples = *samples}, wire,
                                              clock, std::move(show));
               });
}

}  // namespace harambee::cli
