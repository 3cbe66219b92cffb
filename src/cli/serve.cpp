// serve: a model on this machine, for whatever speaks OpenAI's API; the hub's dashboard, too.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "cli/endpoint.h"
#include "cli/local_model.h"
#include "cli/model_wire.h"
#include "cli/setup.h"
#include "cli/verbs.h"
#include "hub/try_model.h"
#include "net/http_server.h"

namespace harambee::cli {
namespace {

constexpr std::int64_t kStopPollMs = 50;
constexpr const char* kHere = "http://model";  // the wire answers itself

class ModelServer : public hub::HttpHandler {
 public:
  ModelServer(Wire& wire, Clock& clock, std::function<void()> wake)
      : wire_(wire),
        model_({.wire = &wire, .url = kHere, .clock = &clock, .running_max = 1}, std::move(wake)) {}

  hub::BodyPlan plan(const hub::HttpRequest& head) override {
    return model_.plan(head).value_or(hub::BodyPlan{});
  }

  hub::HttpResponse handle(const hub::HttpRequest& request) override {
    if (auto answer = model_.handle(request)) return *std::move(answer);
    if (request.path() == "/health") return hub::HttpResponse::json(200, "{\"status\":\"ok\"}\n");
    if (request.method == "GET" && request.path() == "/v1/models") {
      WireRequest ours;
      ours.url = std::string(kHere) + "/v1/models";
      const auto list = wire_.exchange(ours);
      if (list) return hub::HttpResponse::json(200, std::string(text(list->body)));
    }
    return hub::HttpResponse::error(404, "here are /v1/completions, /v1/models and /health");
  }

 private:
  Wire& wire_;
  hub::TryModel model_;
};

}  // namespace

Exit serve_model(const ServeOptions& options, Ui& ui) {
  const std::optional<Endpoint> endpoint = parse_endpoint(options.listen);
  if (!endpoint) {
    return ui.fail(kUsage, fmt::format("--listen {} is no ADDRESS:PORT", options.listen));
  }
  catch_stop_signals();
  Result<format::ModelConfig> model = read_config(options.model);
  if (!model) return ui.fail(model.error(), {"", "`harambee pull URL DIR` writes one"});
  Result<std::vector<std::string>> command = trainer_command(options.common);
  if (!command) return ui.fail(command.error());
  const std::filesystem::path dir = std::filesystem::absolute(options.model);
  ScratchFolder scratch;
  node::TrainerOptions trainer;
  trainer.argv = *command;
  trainer.dir = scratch.path();
  trainer.threads = static_cast<int>(threads(options.common));
  trainer.keep_going = [] { return !stop_requested(); };
  std::string name = options.name;
  if (name.empty()) name = dir.has_filename() ? dir.filename() : dir.parent_path().filename();
  ModelWire wire(std::move(trainer), *model, dir / "model.safetensors", name);
  SystemClock clock;
  std::unique_ptr<net::HttpServer> server;
  ModelServer handler(wire, clock, [&server] { server->wake(); });
  net::HttpServerOptions listening;
  listening.address = endpoint->address;
  listening.port = endpoint->port;
  listening.connections_max = 64;
  auto listener = net::HttpServer::listen(listening, handler);
  if (!listener) return ui.fail(listener.error(), {"", "choose another --listen"});
  server = *std::move(listener);
  std::thread watcher([&] {
    while (clock.wait_ms(kStopPollMs)) {
    }
    server->stop();
  });
  const std::string url = fmt::format("http://{}:{}", endpoint->address, server->port());
  ui.line(fmt::format("{} answers at {}/v1/completions", ui.bold(name), url));
  ui.line(fmt::format("on a hub's dashboard: harambee hub … --completions {}", url));
  ui.event({{"event", "started"}, {"url", url}, {"port", server->port()}, {"model", name}});
  server->run();
  watcher.join();
  ui.event({{"event", "stopped"}});
  return kInterrupted;
}

}  // namespace harambee::cli
