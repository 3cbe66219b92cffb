#include "hub/dashboard.h"

#include <algorithm>
#include <functional>
#include <map>
#include <vector>

#include "hub/blob_routes.h"
#include "hub/page.h"
#include "hub/views.h"
#include "hub/web_assets.h"

namespace harambee::hub {

namespace {

constexpr std::size_t kEventRunsMax = 100;
constexpr std::size_t kPathPartsMax = 6;
constexpr const char* kForever = "public, max-age=31536000, immutable";

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty() && parts.size() < kPathPartsMax) {
    path.remove_prefix(1);  // the slash
    const auto end = std::min(path.find('/'), path.size());
    parts.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return parts;
}

ViewPage page_of(const HttpRequest& request) {
  ViewPage page;
  page.from = parse_decimal(request.query("from").value_or("0")).value_or(0);
  page.count = parse_decimal(request.query("count").value_or("50")).value_or(50);
  page.count = std::clamp<std::uint64_t>(page.count, 1, kViewRowsMax);
  page.by_credit = request.query("sort") == "credit";
  return page;
}

bool accepts(const HttpRequest& request, std::string_view field, std::string_view what) {
  const std::string* value = request.header(field);
  return value && value->find(what) != std::string::npos;
}

HttpResponse no_store(HttpResponse response) {
  response.headers.emplace_back("Cache-Control", "no-cache");
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  return response;
}

// A host as it may stand in a link: whoever sends another one sees it only himself.
bool is_host(std::string_view text) {
  return !text.empty() && text.size() <= 255 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == ':' || c == '[' || c == ']';
         });
}

std::string url_of(const HttpRequest& request) {
  const std::string* host = request.header("host");
  const std::string* scheme = request.header("x-forwarded-proto");
  const bool tls = scheme && *scheme == "https";
  return (tls ? "https://" : "http://") + (host && is_host(*host) ? *host : "this-hub");
}

HttpResponse send_asset(const WebAsset& asset, const HttpRequest& request) {
  HttpResponse response;
  response.headers = {{"Content-Type", std::string(asset.type)},
                      {"Cache-Control", kForever},
                      {"ETag", std::string(asset.etag)},
                      {"Vary", "Accept-Encoding"},
                      {"X-Content-Type-Options", "nosniff"}};
  if (const std::string* known = request.header("if-none-match"); known && *known == asset.etag) {
    response.status = 304;
    return response;
  }
  const bool zipped = !asset.gzip.empty() && accepts(request, "accept-encoding", "gzip");
  if (zipped) response.headers.emplace_back("Content-Encoding", "gzip");
  response.body = std::string(text(zipped ? asset.gzip : asset.bytes));
  return response;
}

}  // namespace

bool wants_page(const HttpRequest& request) { return accepts(request, "accept", "text/html"); }

struct Dashboard::State {
  LogFolder& folder;
  Sequencer& sequencer;
  Order& order;
  const std::string vkey;
  const DashboardLimits limits;
  // Views by target, all of the same folded size.
  std::map<std::string, std::string, std::less<>> cache;
  std::uint64_t cache_size = 0;
  std::uint64_t cache_bytes = 0;
  // The newest event text: most streams ask for the same one.
  std::uint64_t event_since = 0;
  std::uint64_t event_size = 0;
  std::string event;
  std::shared_ptr<std::int64_t> streams = std::make_shared<std::int64_t>(0);

  [[nodiscard]] std::uint64_t folded_size() const {
    return folder.read([](const Folded& folded) { return folded.size(); });
  }

  Result<Json> view(const std::vector<std::string_view>& parts, const HttpRequest& request);
  Result<Json> run_views(const std::vector<std::string_view>& parts, const HttpRequest& request);
  Result<Json> record(std::string_view name);
  Result<Unverified> entry(std::uint64_t index);
  // Of one round; none: of some rounds, to compare.
  Result<Json> samples(std::string_view name, std::optional<std::int64_t> round);
  HttpResponse view_answer(const HttpRequest& request);
  HttpResponse page(const std::vector<std::string_view>& parts, const HttpRequest& request);
  HttpResponse events(const HttpRequest& request);
  std::string event_after(std::uint64_t& since);
  [[nodiscard]] Json reading() const;
};

// What comes after the first part ("view", or nothing for pages).
Result<Json> Dashboard::State::view(const std::vector<std::string_view>& parts,
                                    const HttpRequest& request) {
  if (parts.empty() || (parts.size() == 1 && parts[0] == "map")) {
    return folder.read([&](const Folded& folded) { return map_view(folded, page_of(request)); });
  }
  if (parts[0] == "runs" && parts.size() >= 2) return run_views(parts, request);
  if (parts[0] == "records" && parts.size() == 2) return record(parts[1]);
  if (parts[0] == "peers" && parts.size() == 2) {
    const auto key = Digest::from_hex(parts[1]);
    if (!key) return invalid("a key id is 64 lower-case hex digits");
    return folder.read([&](const Folded& folded) { return peer_view(folded, *key); });
  }
  return fail(ErrorCode::not_found, "no such view");
}

Result<Json> Dashboard::State::run_views(const std::vector<std::string_view>& parts,
                                         const HttpRequest& request) {
  const std::string_view name = parts[1];
  const std::string_view what = parts.size() > 2 ? parts[2] : "";
  if (parts.size() == 3 && what == "samples") return samples(name, std::nullopt);
  if (parts.size() == 4 && what == "samples") {
    const auto number = parse_decimal(parts[3]);
    if (!number) return invalid("a round is a whole number");
    return samples(name, static_cast<std::int64_t>(*number));
  }
  return folder.read([&](const Folded& folded) -> Result<Json> {
    if (parts.size() == 2) return run_view(folded, name);
    if (parts.size() == 3 && what == "members") {
      return members_view(folded, name, page_of(request));
    }
    if (parts.size() == 3 && what == "rounds") return rounds_view(folded, name, page_of(request));
    if (parts.size() == 4 && what == "rounds") {
      const auto number = parse_decimal(parts[3]);
      if (!number) return invalid("a round is a whole number");
      return round_view(folded, name, static_cast<std::int64_t>(*number));
    }
    if (parts.size() == 4 && what == "peers") {
      const auto key = Digest::from_hex(parts[3]);
      if (!key) return invalid("a key id is 64 lower-case hex digits");
      return member_view(folded, name, *key);
    }
    return fail(ErrorCode::not_found, "no such view");
  });
}

// By record id or by index.
Result<Json> Dashboard::State::record(std::string_view name) {
  std::optional<std::uint64_t> index;
  if (const auto id = Digest::from_hex(name)) {
    auto found = order.index_of(*id);
    if (!found) return found.error();
    index = *found;
  } else {
    index = parse_decimal(name);
    if (!index) return invalid("a record is named by its id or its index");
  }
  if (!index || *index >= folded_size()) {
    return fail(ErrorCode::not_found, "no such record is on this log");
  }
  auto record = entry(*index);
  if (!record) return record.error();
  return folder.read([&](const Folded& folded) { return record_view(folded, *index, *record); });
}

Result<Unverified> Dashboard::State::entry(std::uint64_t index) {
  auto entries = sequencer.entries(index, 1);
  if (!entries) return entries.error();
  if (entries->empty()) return fail(ErrorCode::not_found, "no such record is on this log");
  return parse_envelope(entries->front());
}

Result<Json> Dashboard::State::samples(std::string_view name, std::optional<std::int64_t> round) {
  const auto all = folder.read([&](const Folded& folded) { return samples_of(folded, name); });
  if (!all) return all.error();
  std::vector<SampleNote> chosen = samples_to_compare(*all);
  if (round) {
    const auto at = std::ranges::find(*all, *round, &SampleNote::round);
    if (at == all->end()) return fail(ErrorCode::not_found, "that round has no sample");
    chosen.assign(1, *at);
  }
  JsonArray rows;
  for (const SampleNote& note : chosen) {
    const auto record = entry(note.place.index);
    if (!record) return record.error();
    auto row = sample_json(note, *record);
    if (!row) return row.error();
    rows.push_back(*std::move(row));
  }
  return folder.read(
      [&](const Folded& folded) { return samples_view(folded, name, *all, std::move(rows)); });
}

Json Dashboard::State::reading() const {
  return JsonObject{{"error", "this hub is still reading its log"},
                    {"folded", folded_size()},
                    {"size", sequencer.head()->size}};
}

HttpResponse Dashboard::State::view_answer(const HttpRequest& request) {
  if (const auto trouble = folder.trouble()) {
    return no_store(HttpResponse::error(503, "the log cannot be read: " + *trouble));
  }
  if (!folder.ready()) {
    HttpResponse response = no_store(HttpResponse::json(503, write(reading()) + "\n"));
    response.headers.emplace_back("Retry-After", "1");
    return response;
  }
  if (const std::uint64_t size = folded_size(); size != cache_size) {
    cache.clear();
    cache_bytes = 0;
    cache_size = size;
  }
  if (const auto known = cache.find(request.target); known != cache.end()) {
    return no_store(HttpResponse::json(200, known->second));
  }
  std::vector<std::string_view> parts = parts_of(request.path());
  parts.erase(parts.begin());  // "view"
  auto json = view(parts, request);
  if (!json) {
    const ErrorCode code = json.error().code;
    const int status = code == ErrorCode::not_found ? 404 : code == ErrorCode::invalid ? 400 : 503;
    return no_store(HttpResponse::error(status, json.error().message));
  }
  std::string body = write(*json) + "\n";
  if (cache_bytes + body.size() <= limits.cache_bytes_max) {
    cache_bytes += body.size();
    cache.emplace(request.target, body);
  }
  return no_store(HttpResponse::json(200, std::move(body)));
}

HttpResponse Dashboard::State::page(const std::vector<std::string_view>& parts,
                                    const HttpRequest& request) {
  const PageFacts facts{url_of(request), vkey, sequencer.damage()};
  int status = 200;
  std::string title = "Harambee";
  std::string body;
  const bool local = !parts.empty() && parts[0] == "verify";  // the browser's work alone
  if (const auto trouble = folder.trouble()) {
    body = "<p class=\"bad\">This hub cannot read its log: " + escape_html(*trouble) + "</p>\n";
  } else if (!folder.ready()) {
    body = "<p>This hub is still reading its log, " + std::to_string(folded_size()) + " of " +
           std::to_string(sequencer.head()->size) + " entries.</p>\n";
  } else if (local) {
    body =
        "<p>Checking the log in the browser needs JavaScript. Without it: <code>harambee verify " +
        escape_html(facts.url) + "/runs/NAME</code></p>\n";
  } else if (auto json = view(parts, request); !json) {
    status = json.error().code == ErrorCode::not_found ? 404 : 400;
    body = "<h1>Not here</h1>\n<p>" + escape_html(json.error().message) + "</p>\n";
  } else if (parts.empty()) {
    body = map_body(*json, facts);
  } else if (parts[0] == "runs" && parts.size() >= 3 && parts[2] == "samples") {
    body = samples_body(*json);
  } else if (parts[0] == "runs" && parts.size() == 2) {
    title = std::string(parts[1]) + " · Harambee";
    body = run_body(*json, facts);
    if (auto written = samples(parts[1], std::nullopt)) body += samples_body(*written);
  } else {
    body = detail_body(*json);
  }
  HttpResponse response = no_store(
      HttpResponse::text(status, whole_page(title, body, facts), "text/html; charset=utf-8"));
  response.headers.emplace_back("Content-Security-Policy", kPagePolicy);
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  response.headers.emplace_back("Vary", "Accept");
  return response;
}

// What has happened since log size `since`, which moves on; empty if nothing has.
std::string Dashboard::State::event_after(std::uint64_t& since) {
  return folder.read([&](const Folded& folded) -> std::string {
    const std::uint64_t size = folded.size();
    if (size == since) return "";
    if (since != event_since || size != event_size) {
      JsonArray names;
      bool more = false;
      for (const RecordId& id : folded.run_order) {
        if (folded.runs.at(id).changed_size <= since) continue;
        more = names.size() >= kEventRunsMax;
        if (more) break;
        names.emplace_back(folded.state.run(id)->name);
      }
      event = "id: " + std::to_string(size) + "\nevent: log\ndata: " +
              write(Json(JsonObject{
                  {"at", at_view(folded)}, {"more", more}, {"runs", std::move(names)}})) +
              "\n\n";
      event_since = since;
      event_size = size;
    }
    since = size;
    return event;
  });
}

HttpResponse Dashboard::State::events(const HttpRequest& request) {
  if (*streams >= limits.streams_max) {
    HttpResponse response = no_store(HttpResponse::error(503, "too many event streams"));
    response.headers.emplace_back("Retry-After", "10");
    return response;
  }
  std::uint64_t since = folded_size();
  const std::string* last = request.header("last-event-id");
  const auto from = last ? parse_decimal(*last) : parse_decimal(request.query("from").value_or(""));
  if (from) since = std::min(since, *from);
  // Counted as long as the server keeps the answer.
  ++*streams;
  const std::shared_ptr<void> counted(nullptr, [count = streams](void*) { --*count; });
  Stream stream;
  stream.beat_ms = limits.beat_ms;
  stream.ms_max = limits.stream_ms_max;
  stream.next = [this, counted, since, begun = false](bool beat) mutable -> std::string {
    std::string out = begun ? "" : "retry: 2000\n\n";
    begun = true;
    out += event_after(since);
    if (out.empty() && beat) out = ": still here\n\n";
    return out;
  };
  HttpResponse response = no_store(HttpResponse{});
  response.headers.emplace_back("Content-Type", "text/event-stream; charset=utf-8");
  response.headers.emplace_back("X-Accel-Buffering", "no");
  response.body = std::move(stream);
  return response;
}

Dashboard::Dashboard(LogFolder& folder, Sequencer& sequencer, Order& order, std::string vkey,
                     DashboardLimits limits)
    : state_(new State{folder, sequencer, order, std::move(vkey), limits, {}, 0, 0, 0, 0, {}}) {}

Dashboard::~Dashboard() = default;

std::optional<HttpResponse> Dashboard::get(const HttpRequest& request) {
  const std::string_view path = request.path();
  if (!path.starts_with('/')) return std::nullopt;
  if (path == "/events") return state_->events(request);
  if (path.starts_with("/view/")) return state_->view_answer(request);
  if (path == "/plain.css") {
    return no_store(HttpResponse::text(200, std::string(plain_style()), "text/css; charset=utf-8"));
  }
  if (const WebAsset* asset = web_asset(path.substr(1)); asset && asset->name != "index.html") {
    return send_asset(*asset, request);
  }
  if (path == "/") return state_->page({}, request);
  const std::vector<std::string_view> parts = parts_of(path);
  const bool page = parts[0] == "records" || parts[0] == "peers" || path == "/verify" ||
                    (parts[0] == "runs" && parts.size() >= 2 && wants_page(request));
  if (page) return state_->page(parts, request);
  return std::nullopt;
}

}  // namespace harambee::hub
