#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "cli/endpoint.h"
#include "cli/setup.h"
#include "cli/verbs.h"
#include "format/model.h"
#include "net/serve.h"
#include "node/log_source.h"
#include "node/replay.h"

namespace harambee::cli {
namespace {

// The weights of any round, from the hub's own blobs.
Result<Bytes> make_weights(const std::string& data, const fold::RunState& run, std::int64_t round) {
  auto source = node::open_directory_source(data);
  if (!source) return source.error();
  auto weights = node::weights_at(run, round, node::checked_blobs(**source), {});
  if (!weights) return weights.error();
  auto layout = format::ModelLayout::make(run.recipe.model);
  if (!layout) return layout.error();
  return format::weights_file(*layout, *weights);
}

}  // namespace

Exit hub(const HubVerbOptions& options, Ui& ui) {
  std::optional<Endpoint> endpoint = parse_endpoint(options.listen);
  if (!endpoint) {
    return ui.fail(kUsage, fmt::format("--listen {} is no ADDRESS:PORT", options.listen),
                   {"", "for example --listen 127.0.0.1:8080, or --listen 0.0.0.0:8080 for all"});
  }
  catch_stop_signals();
  net::HubServiceOptions service;
  service.data_dir = options.data;
  service.address = endpoint->address;
  service.port = endpoint->port;
  service.origin = options.origin;
  service.tick_ms = options.tick_ms;
  service.owner_bytes_max = static_cast<std::uint64_t>(options.upload_gb) << 30;
  if (!options.completions.empty()) {
    Result<std::string> completions = node::parse_hub_address(options.completions);
    if (!completions) {
      return ui.fail(kUsage, "--completions: " + completions.error().message,
                     {"", "for example --completions http://127.0.0.1:8081"});
    }
    service.completions = *std::move(completions);
  }
  service.pace = {options.writes_per_minute, options.behind_proxy};
  service.make_weights = [&options](const fold::RunState& run, std::int64_t round) {
    return make_weights(options.data, run, round);
  };
  Status ended = net::run_hub(service, stop_flag(), [&](const net::HubStarted& started) {
    bool v6 = endpoint->address.find(':') != std::string::npos;
    std::string host = v6 ? "[" + endpoint->address + "]" : endpoint->address;
    std::string url = fmt::format("http://{}:{}", host, started.port);
    ui.line(fmt::format("hub {} serves {} ({} entries)", ui.bold(url), started.origin,
                        human_count(started.size)));
    ui.line(fmt::format("key {}", started.vkey));
    if (started.damage) {
      ui.note(fmt::format("the log is read-only: {}\n  to do: harambee verify --data {}",
                          *started.damage, options.data));
    }
    nlohmann::json event = {{"event", "started"},   {"url", url},
                            {"port", started.port}, {"origin", started.origin},
                            {"vkey", started.vkey}, {"size", started.size}};
    if (started.damage) event["damage"] = *started.damage;
    ui.event(event);
  });
  if (!ended) {
    if (ended.error().code == ErrorCode::conflict) {
      return ui.fail(ended.error(), {"the log, as it was",
                                     "stop the other hub, or choose another --listen or --data"});
    }
    return ui.fail(ended.error(), {"every record that was answered", "start it again"});
  }
  ui.line("stopped; everything that was answered is on disk");
  ui.event({{"event", "stopped"}});
  return stop_requested() ? kInterrupted : kOk;
}

}  // namespace harambee::cli
