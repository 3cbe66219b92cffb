#include "hub/hub.h"

#include "base/json.h"
#include "hub/blob_routes.h"
#include "hub/dashboard.h"
#include "hub/publication.h"
#include "log/note.h"
#include "log/tile.h"
#include "record/limits.h"

namespace harambee::hub {
namespace {

constexpr std::uint64_t kSmallBodyBytesMax = 1024;
constexpr std::uint64_t kRunsListed = 1000;
// A batch takes milliseconds; this is for a disk that hangs.
constexpr std::int64_t kVerdictMsMax = 60'000;
constexpr const char* kForever = "public, max-age=31536000, immutable";

HttpResponse with(HttpResponse response, std::string name, std::string value) {
  response.headers.emplace_back(std::move(name), std::move(value));
  return response;
}

HttpResponse json(int status, JsonObject object) {
  return HttpResponse::json(status, write(Json(std::move(object))) + "\n");
}

// What follows a prefix, or nothing.
std::optional<std::string_view> after(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return std::nullopt;
  return path.substr(prefix.size());
}

HttpResponse respond(const Verdict& verdict) {
  if (const auto* receipt = std::get_if<Receipt>(&verdict)) {
    return json(200,
                {{"id", receipt->id.hex()}, {"index", receipt->index}, {"size", receipt->size}});
  }
  const auto& no = std::get<Rejection>(verdict);
  JsonObject object{{"error", no.reason}};
  if (no.expected_seq) object.emplace("seq", *no.expected_seq);
  HttpResponse response = json(no.status, std::move(object));
  if (no.status == 429 || no.status == 503) {
    response.headers.emplace_back("Retry-After", "1");
  }
  return response;
}

HttpResponse respond_tick(const Verdict& verdict) {
  if (const auto* receipt = std::get_if<Receipt>(&verdict)) {
    return json(200, {{"index", receipt->index}, {"size", receipt->size}, {"tick", true}});
  }
  if (std::get<Rejection>(verdict).status == 200) return json(200, {{"tick", false}});
  return respond(verdict);
}

HttpResponse when_decided(std::shared_ptr<Ticket> ticket,
                          HttpResponse (*make)(const Verdict& verdict)) {
  if (const auto verdict = ticket->verdict()) return make(*verdict);
  Wait wait;
  wait.ms_max = kVerdictMsMax;
  wait.again = [ticket = std::move(ticket), make](bool last) -> std::optional<HttpResponse> {
    if (const auto verdict = ticket->verdict()) return make(*verdict);
    if (last) {
      return HttpResponse::error(503, "not decided yet; sending it again is harmless");
    }
    return std::nullopt;
  };
  HttpResponse response;
  response.body = std::move(wait);
  return response;
}

class Hub : public HttpHandler {
 public:
  Hub(HubOptions options, Sequencer& sequencer, Order& order, Shelf& shelf, BlobShelf& blobs,
      std::function<void()> wake)
      : options_(std::move(options)),
        sequencer_(sequencer),
        order_(order),
        shelf_(shelf),
        pace_(options_.pace),
        blobs_({options_.blob_bytes_max, options_.free_bytes_min}, order, shelf, blobs, wake) {
    const HuggingFaceOptions& theirs = options_.hugging_face;
    if (options_.folder && theirs.weights_shelf && theirs.ledger && theirs.clock) {
      hugging_face_ =
          std::make_unique<HuggingFace>(options_.hugging_face, *options_.folder, sequencer, order,
                                        blobs_, blobs, std::string(origin()), wake);
    }
    if (options_.try_model.wire && options_.try_model.clock) {
      try_model_ = std::make_unique<TryModel>(options_.try_model, wake);
    }
    if (options_.folder) {
      dashboard_ = std::make_unique<Dashboard>(*options_.folder, sequencer, order, options_.vkey);
    }
  }

  BodyPlan plan(const HttpRequest& head) override {
    BodyPlan plan;
    const std::string_view path = head.path();
    plan.refusal = too_fast(head, path);
    if (plan.refusal) return plan;
    if (hugging_face_) {
      if (auto theirs = hugging_face_->routes().plan(head)) return *std::move(theirs);
    }
    if (try_model_) {
      if (auto theirs = try_model_->plan(head)) return *std::move(theirs);
    }
    if (head.method == "PUT") {
      if (const auto name = after(path, "/blobs/")) return blobs_.plan_put(*name, head);
    }
    plan.bytes_max = head.method == "POST" && path == "/records"      ? kRecordEnvelopeBytesMax
                     : head.method == "POST" && path == "/checkpoint" ? log::kNoteBytesMax
                                                                      : kSmallBodyBytesMax;
    return plan;
  }

  HttpResponse handle(const HttpRequest& request) override {
    const std::string_view path = request.path();
    if (hugging_face_) {
      hugging_face_->look_around();
      if (auto answer = hugging_face_->routes().handle(request)) return *std::move(answer);
    }
    if (try_model_) {
      if (auto answer = try_model_->handle(request)) return *std::move(answer);
    } else if (path == "/view/try") {
      return nothing_to_try();
    }
    if (request.method == "POST") return post(path, request);
    if (request.method == "GET" || request.method == "HEAD") return get(path, request);
    return with(HttpResponse::error(405, "no such method here"), "Allow", "GET, HEAD, POST, PUT");
  }

 private:
  // Decided on the head alone, before a body is read. Asking for a tick writes nothing of one's
  // own.
  std::optional<HttpResponse> too_fast(const HttpRequest& head, std::string_view path) {
    if (!options_.clock || head.method == "GET" || head.method == "HEAD" || path == "/tick") {
      return std::nullopt;
    }
    const std::int64_t wait_ms = pace_.wait_ms(head, options_.clock->steady_ms());
    if (wait_ms == 0) return std::nullopt;
    const std::string seconds = std::to_string((wait_ms + 999) / 1000);
    return with(HttpResponse::error(429, "this address writes more than " +
                                             std::to_string(options_.pace.writes_per_minute) +
                                             " times a minute; go on in " + seconds + " s"),
                "Retry-After", seconds);
  }

  HttpResponse post(std::string_view path, const HttpRequest& request) {
    if (path == "/records") return when_decided(sequencer_.submit(request.body), respond);
    if (path == "/tick") return when_decided(sequencer_.tick(), respond_tick);
    if (path == "/checkpoint") return shown(request.body);
    return HttpResponse::error(404, "nothing is posted there");
  }

  HttpResponse get(std::string_view path, const HttpRequest& request) {
    if (dashboard_) {
      if (auto answer = dashboard_->get(request)) return *std::move(answer);
    }
    if (path == "/checkpoint") return checkpoint();
    if (path == "/log") return follow(request);
    if (path == "/health") return health();
    if (path == "/runs") return runs();
    if (const auto name = after(path, "/runs/")) return run(*name);
    if (const auto name = after(path, "/blobs/")) return blobs_.get(*name, request);
    if (const auto name = after(path, "/uploads/")) return blobs_.upload_state(*name);
    if (path.starts_with("/tile/")) return tile(path.substr(1));
    return HttpResponse::error(404, "no such page");
  }

  // Somebody knows a checkpoint, and tells us.
  HttpResponse shown(View note) {
    if (const Status taken = sequencer_.shown(note); !taken) {
      const bool theirs = taken.error().code == ErrorCode::invalid;
      return HttpResponse::error(theirs ? 400 : 503, taken.error().message);
    }
    if (const auto reason = sequencer_.damage()) return HttpResponse::error(409, *reason);
    return json(200, {{"size", sequencer_.head()->size}});
  }

  HttpResponse checkpoint() {
    const auto head = sequencer_.head();
    if (head->checkpoint.empty()) return HttpResponse::error(503, "no checkpoint is published yet");
    return with(HttpResponse::text(200, head->checkpoint), "Cache-Control", "no-cache");
  }

  HttpResponse tile(std::string_view name) {
    const auto tile = log::parse_tile_path(name);
    if (!tile) return HttpResponse::error(404, tile.error().message);
    // Files may be ahead of the published checkpoint.
    if (tile->width > log::tile_width(tile->level, tile->index, sequencer_.head()->size)) {
      return HttpResponse::error(404, "the log is not that large");
    }
    HttpResponse response;
    response.headers = {{"Content-Type", "application/octet-stream"}, {"Cache-Control", kForever}};
    const std::string file(name);
    if (const auto path = shelf_.path(file)) {
      auto open = OpenFile::open(*path);
      if (!open) {
        return HttpResponse::error(open.error().code == ErrorCode::not_found ? 404 : 503,
                                   "no such tile; perhaps the full one is there");
      }
      const std::uint64_t size = (*open)->size();
      response.body = FilePart{*std::move(open), 0, size};
      return response;
    }
    auto bytes = shelf_.read(file);
    if (!bytes) return HttpResponse::error(404, "no such tile; perhaps the full one is there");
    response.body = std::string(text(*bytes));
    return response;
  }

  HttpResponse follow(const HttpRequest& request) {
    const auto from = parse_decimal(request.query("from").value_or("0"));
    const auto wait_ms = parse_decimal(request.query("wait").value_or("0"));
    if (!from || !wait_ms) return HttpResponse::error(400, "from and wait are whole numbers");
    if (*wait_ms == 0 || sequencer_.head()->size > *from) return log_answer(*from);
    Wait wait;
    wait.long_poll = true;
    wait.ms_max = static_cast<std::int64_t>(
        std::min<std::uint64_t>(*wait_ms, static_cast<std::uint64_t>(options_.wait_ms_max)));
    wait.again = [this, from = *from](bool last) -> std::optional<HttpResponse> {
      if (!last && sequencer_.head()->size <= from) return std::nullopt;
      return log_answer(from);
    };
    HttpResponse response;
    response.body = std::move(wait);
    return response;
  }

  HttpResponse log_answer(std::uint64_t from) {
    const auto head = sequencer_.head();
    if (head->checkpoint.empty()) return HttpResponse::error(503, "no checkpoint is published yet");
    auto entries = sequencer_.entries(from, options_.log_bytes_max);
    if (!entries) return HttpResponse::error(503, entries.error().message);
    // The log may have grown since: the checkpoint must cover what is sent.
    const std::uint64_t covered = head->size > from ? head->size - from : 0;
    if (entries->size() > covered) entries->resize(covered);
    // As in a bundle, but there may be more than 256.
    Bytes framed;
    for (const Bytes& entry : *entries) {
      put_u16be(framed, static_cast<std::uint16_t>(entry.size()));
      framed.insert(framed.end(), entry.begin(), entry.end());
    }
    std::string body = head->checkpoint;
    body += "entries " + std::to_string(from) + " " + std::to_string(entries->size()) + " " +
            std::to_string(framed.size()) + "\n";
    body += text(framed);
    return with(HttpResponse::text(200, std::move(body), "application/octet-stream"),
                "Cache-Control", "no-store");
  }

  HttpResponse health() {
    const auto reason = sequencer_.damage();
    JsonObject object{{"origin", std::string(origin())},
                      {"size", sequencer_.head()->size},
                      {"status", reason ? "read-only" : "ok"},
                      {"last_tick_ms", sequencer_.last_tick_ms()},
                      {"vkey", options_.vkey}};
    if (reason) object.emplace("reason", *reason);
    return with(json(200, std::move(object)), "Cache-Control", "no-store");
  }

  [[nodiscard]] std::string_view origin() const {
    const std::string_view vkey = options_.vkey;
    return vkey.substr(0, vkey.find('+'));
  }

  [[nodiscard]] JsonObject describe(const NamedRun& run) const {
    return {{"index", run.index},
            {"name", run.name},
            {"origin", std::string(origin())},
            {"run", run.id.hex()}};
  }

  HttpResponse run(std::string_view name) {
    auto found = order_.run(std::string(name));
    if (!found) return HttpResponse::error(503, found.error().message);
    if (!*found) return HttpResponse::error(404, "no run of that name is logged here");
    return with(with(json(200, describe(**found)), "Cache-Control", "no-cache"), "Vary", "Accept");
  }

  HttpResponse runs() {
    auto all = order_.runs(kRunsListed);
    if (!all) return HttpResponse::error(503, all.error().message);
    JsonArray list;
    for (const auto& run : *all) list.emplace_back(describe(run));
    return with(json(200, {{"runs", std::move(list)}}), "Cache-Control", "no-cache");
  }

  const HubOptions options_;
  Sequencer& sequencer_;
  Order& order_;
  Shelf& shelf_;
  Pace pace_;
  BlobRoutes blobs_;
  std::unique_ptr<HuggingFace> hugging_face_;  // none without a folder
  std::unique_ptr<TryModel> try_model_;        // none without a server of a model
  std::unique_ptr<Dashboard> dashboard_;       // none without a folder
};

}  // namespace

std::unique_ptr<HttpHandler> make_hub(HubOptions options, Sequencer& sequencer, Order& order,
                                      Shelf& shelf, BlobShelf& blobs, std::function<void()> wake) {
  return std::make_unique<Hub>(std::move(options), sequencer, order, shelf, blobs, std::move(wake));
}

}  // namespace harambee::hub
