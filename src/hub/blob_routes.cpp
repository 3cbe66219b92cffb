#include "hub/blob_routes.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace harambee::hub {
namespace {

constexpr std::int64_t kFinishMsMax = 600'000;  // hashing and fsync of a large upload
constexpr unsigned kLanesMax = 16;              // senders of one blob at the same time
constexpr std::uint64_t kDiscardBytesMax = 1 << 20;
constexpr const char* kForever = "public, max-age=31536000, immutable";

HttpResponse with(HttpResponse response, std::string name, std::string value) {
  response.headers.emplace_back(std::move(name), std::move(value));
  return response;
}

HttpResponse offset_answer(int status, std::uint64_t offset) {
  return with(HttpResponse::text(status, ""), "Upload-Offset", std::to_string(offset));
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::invalid:
      return 422;
    case ErrorCode::conflict:
      return 409;
    default:
      return 503;
  }
}

// Takes the bytes of a blob that is there already.
class DiscardSink : public BodySink {
 public:
  Status write(View) override { return ok(); }
  HttpResponse finish() override { return HttpResponse::text(200, ""); }
  HttpResponse failed(const Error& error) override {
    return HttpResponse::error(503, error.message);
  }
};

}  // namespace

std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  if (text.empty() || text.size() > 18 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

RangeAnswer parse_range(std::string_view field, std::uint64_t size) {
  const RangeAnswer whole{RangeKind::whole, {0, size}};
  constexpr std::string_view unit = "bytes=";
  if (!field.starts_with(unit)) return whole;
  field.remove_prefix(unit.size());
  const auto dash = field.find('-');
  if (dash == field.npos || field.find(',') != field.npos) return whole;
  const std::string_view first_text = field.substr(0, dash);
  const std::string_view last_text = field.substr(dash + 1);
  if (first_text.empty()) {
    const auto count = parse_decimal(last_text);
    if (!count) return whole;
    if (*count == 0 || size == 0) return {RangeKind::unsatisfiable, {}};
    const std::uint64_t tail = std::min(*count, size);
    return {RangeKind::part, {size - tail, tail}};
  }
  const auto first = parse_decimal(first_text);
  const auto last = last_text.empty() ? std::optional(UINT64_MAX) : parse_decimal(last_text);
  if (!first || !last || *last < *first) return whole;
  if (*first >= size) return {RangeKind::unsatisfiable, {}};
  const std::uint64_t end = std::min(*last, size - 1) + 1;
  return {RangeKind::part, {*first, end - *first}};
}

Result<ContentRange> parse_content_range(std::string_view field) {
  const Error bad = invalid("Content-Range is not \"bytes first-last/total\"");
  constexpr std::string_view unit = "bytes ";
  if (!field.starts_with(unit)) return bad;
  field.remove_prefix(unit.size());
  const auto dash = field.find('-');
  const auto slash = field.find('/');
  if (dash == field.npos || slash == field.npos || slash < dash) return bad;
  const auto first = parse_decimal(field.substr(0, dash));
  const auto last = parse_decimal(field.substr(dash + 1, slash - dash - 1));
  const auto total = parse_decimal(field.substr(slash + 1));
  if (!first || !last || !total || *last < *first || *last >= *total) return bad;
  return ContentRange{{*first, *last - *first + 1}, *total};
}

struct BlobRoutes::State {
  State(Limits limits, Order& order, Shelf& shelf, BlobShelf& blobs, std::function<void()> wake)
      : limits(limits), order(order), shelf(shelf), blobs(blobs), wake(std::move(wake)) {}

  // A free lane of the blob: lane 0 if there is a choice, and only that to resume in.
  std::optional<unsigned> begin(const Digest& digest, bool resume) {
    const std::lock_guard lock(mutex);
    auto& lanes = uploading[digest];
    const unsigned lanes_max = resume ? 1 : kLanesMax;
    for (unsigned lane = 0; lane < lanes_max; ++lane) {
      if (lanes.insert(lane).second) return lane;
    }
    return std::nullopt;
  }
  void end(const Digest& digest, unsigned lane) {
    if (lane != 0) blobs.drop_upload(digest, lane);
    const std::lock_guard lock(mutex);
    const auto lanes = uploading.find(digest);
    lanes->second.erase(lane);
    if (lanes->second.empty()) uploading.erase(lanes);
  }
  bool busy(const Digest& digest) {
    const std::lock_guard lock(mutex);
    return uploading.contains(digest);
  }
  void work();
  void later(std::function<void()> job) {
    {
      const std::lock_guard lock(mutex);
      jobs.push_back(std::move(job));
    }
    changed.notify_one();
  }

  const Limits limits;
  Order& order;
  Shelf& shelf;
  BlobShelf& blobs;
  const std::function<void()> wake;

  std::mutex mutex;
  std::condition_variable changed;
  std::map<Digest, std::set<unsigned>> uploading;  // lanes in use
  std::deque<std::function<void()>> jobs;
  bool stopping = false;
  std::thread worker;  // reads uploads back and syncs them, away from the I/O thread
};

void BlobRoutes::State::work() {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [this] { return stopping || !jobs.empty(); });
      if (jobs.empty()) return;
      job = std::move(jobs.front());
      jobs.pop_front();
    }
    job();
    wake();
  }
}

namespace {

// One PUT, in a lane that is its own while it lives.
template <typename State>
class UploadSink : public BodySink {
 public:
  UploadSink(std::shared_ptr<State> state, const Digest& digest, unsigned lane, ContentRange range)
      : claim_(std::make_shared<Claim>(std::move(state), digest, lane)),
        range_(range),
        offset_(range.range.first) {}

  Status write(View bytes) override {
    if (bytes.empty()) return ok();
    auto written = claim_->state->blobs.upload(claim_->digest, claim_->lane, offset_, bytes);
    if (written) offset_ += bytes.size();
    return written;
  }

  HttpResponse finish() override {
    if (offset_ < range_.total) return offset_answer(202, offset_);
    struct Outcome {
      std::mutex mutex;
      std::optional<Status> status;
    };
    auto outcome = std::make_shared<Outcome>();
    // The claim goes with the job, so that nobody writes to the file meanwhile, and ends before the
    // answer, so that whoever has the answer may try again.
    State& state = *claim_->state;
    state.later([claim = std::move(claim_), outcome, total = range_.total]() mutable {
      Status status = claim->state->blobs.finish_upload(claim->digest, claim->lane, total);
      claim.reset();
      const std::lock_guard lock(outcome->mutex);
      outcome->status = std::move(status);
    });
    Wait wait;
    wait.ms_max = kFinishMsMax;
    wait.again = [outcome](bool last) -> std::optional<HttpResponse> {
      const std::lock_guard lock(outcome->mutex);
      if (outcome->status) {
        if (*outcome->status) return HttpResponse::text(201, "");
        const Error& error = outcome->status->error();
        return HttpResponse::error(status_of(error.code), error.message);
      }
      if (last) return HttpResponse::error(503, "the upload is still being checked");
      return std::nullopt;
    };
    HttpResponse response;
    response.body = std::move(wait);
    return response;
  }

  HttpResponse failed(const Error& error) override {
    return with(HttpResponse::error(status_of(error.code), error.message), "Upload-Offset",
                std::to_string(offset_));
  }

 private:
  struct Claim {
    Claim(std::shared_ptr<State> state, const Digest& digest, unsigned lane)
        : state(std::move(state)), digest(digest), lane(lane) {}
    ~Claim() { state->end(digest, lane); }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    std::shared_ptr<State> state;
    Digest digest;
    unsigned lane;
  };
  std::shared_ptr<Claim> claim_;
  ContentRange range_;
  std::uint64_t offset_;
};

}  // namespace

namespace {

// One part of a blob: leaves out what is there already, and answers with an ETag.
class PartSink : public BodySink {
 public:
  // `rest` takes what follows the first `skip` bytes; null: nothing is needed.
  PartSink(std::shared_ptr<BodySink> rest, std::uint64_t skip, std::string tag)
      : rest_(std::move(rest)), skip_(skip), tag_(std::move(tag)) {}

  Status write(View bytes) override {
    const auto left_out = std::min<std::uint64_t>(skip_, bytes.size());
    skip_ -= left_out;
    return rest_ ? rest_->write(bytes.subspan(left_out)) : ok();
  }
  HttpResponse finish() override {
    if (!rest_) return with(HttpResponse::text(200, ""), "ETag", tag_);
    HttpResponse answer = rest_->finish();
    auto* wait = std::get_if<Wait>(&answer.body);
    if (wait == nullptr) return with(std::move(answer), "ETag", tag_);
    wait->again = [again = std::move(wait->again),
                   tag = tag_](bool last) -> std::optional<HttpResponse> {
      auto done = again(last);
      if (!done) return std::nullopt;
      return with(*std::move(done), "ETag", tag);
    };
    return answer;
  }
  HttpResponse failed(const Error& error) override {
    return rest_ ? rest_->failed(error) : HttpResponse::error(503, error.message);
  }

 private:
  std::shared_ptr<BodySink> rest_;
  std::uint64_t skip_;
  std::string tag_;
};

}  // namespace

BlobRoutes::BlobRoutes(Limits limits, Order& order, Shelf& shelf, BlobShelf& blobs,
                       std::function<void()> wake)
    : state_(std::make_shared<State>(limits, order, shelf, blobs, std::move(wake))) {
  state_->worker = std::thread([state = state_.get()] { state->work(); });
}

BlobRoutes::~BlobRoutes() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  state_->worker.join();
}

HttpResponse BlobRoutes::get(std::string_view name, const HttpRequest& request) {
  const auto digest = Digest::from_hex(name);
  if (!digest) return HttpResponse::error(400, "a blob's name is 64 lower-case hex digits");
  const auto size = state_->blobs.size(*digest);
  if (!size) return HttpResponse::error(404, "no such blob here");
  const std::string tag = "\"" + digest->hex() + "\"";

  HttpResponse response;
  response.headers = {{"Content-Type", "application/octet-stream"},
                      {"Cache-Control", kForever},
                      {"ETag", tag},
                      {"Accept-Ranges", "bytes"}};
  const std::string* none_match = request.header("if-none-match");
  if (none_match != nullptr && *none_match == tag) {
    response.status = 304;
    return response;
  }
  RangeAnswer part{RangeKind::whole, {0, *size}};
  const std::string* range = request.header("range");
  const std::string* if_range = request.header("if-range");
  if (range != nullptr && (if_range == nullptr || *if_range == tag)) {
    part = parse_range(*range, *size);
  }
  if (part.kind == RangeKind::unsatisfiable) {
    return with(HttpResponse::error(416, "the blob has " + std::to_string(*size) + " bytes"),
                "Content-Range", "bytes */" + std::to_string(*size));
  }
  if (part.kind == RangeKind::part) {
    response.status = 206;
    response.headers.emplace_back(
        "Content-Range", "bytes " + std::to_string(part.range.first) + "-" +
                             std::to_string(part.range.first + part.range.count - 1) + "/" +
                             std::to_string(*size));
  }
  if (const auto path = state_->blobs.path(*digest)) {
    auto file = OpenFile::open(*path);
    if (!file) return HttpResponse::error(status_of(file.error().code), file.error().message);
    response.body = FilePart{*std::move(file), part.range.first, part.range.count};
    return response;
  }
  auto bytes = state_->blobs.get(*digest);
  if (!bytes) return HttpResponse::error(status_of(bytes.error().code), bytes.error().message);
  response.body = std::string(text(View(*bytes).subspan(part.range.first, part.range.count)));
  return response;
}

HttpResponse BlobRoutes::upload_state(std::string_view name) {
  const auto digest = Digest::from_hex(name);
  if (!digest) return HttpResponse::error(400, "a blob's name is 64 lower-case hex digits");
  const auto size = state_->blobs.size(*digest);
  // While somebody else is writing there is nothing to resume: the whole goes in another lane.
  const std::uint64_t part = state_->busy(*digest) ? 0 : state_->blobs.upload_offset(*digest);
  return with(offset_answer(200, size.value_or(part)), "Cache-Control", "no-store");
}

namespace {

BodyPlan refuse(HttpResponse response) {
  BodyPlan plan;
  plan.refusal = std::move(response);
  return plan;
}

}  // namespace

BodyPlan BlobRoutes::plan_put(std::string_view name, const HttpRequest& head) {
  const auto digest = Digest::from_hex(name);
  if (!digest) {
    return refuse(HttpResponse::error(400, "a blob's name is 64 lower-case hex digits"));
  }
  if (!head.content_length) return refuse(HttpResponse::error(411, "Content-Length is needed"));
  ContentRange range{{0, *head.content_length}, *head.content_length};
  if (const std::string* field = head.header("content-range")) {
    auto parsed = parse_content_range(*field);
    if (!parsed) return refuse(HttpResponse::error(400, parsed.error().message));
    if (parsed->range.count != *head.content_length) {
      return refuse(HttpResponse::error(400, "Content-Range and Content-Length disagree"));
    }
    range = *parsed;
  }
  if (range.total > state_->limits.blob_bytes_max) {
    return refuse(HttpResponse::error(413, "the blob is larger than this hub takes"));
  }
  auto expected = state_->order.expects(*digest, range.total);
  if (!expected) return refuse(HttpResponse::error(503, expected.error().message));
  if (!*expected) {
    return refuse(
        HttpResponse::error(404, "no logged record names a blob of this digest and size"));
  }
  return take(*digest, range);
}

BodyPlan BlobRoutes::plan_wanted(const Digest& digest, std::uint64_t size,
                                 const HttpRequest& head) {
  if (!head.content_length) return refuse(HttpResponse::error(411, "Content-Length is needed"));
  if (*head.content_length != size) {
    return refuse(HttpResponse::error(400, "Content-Length must be " + std::to_string(size)));
  }
  return take(digest, {{0, size}, size});
}

BodyPlan BlobRoutes::plan_part(const Digest& digest, const ContentRange& part,
                               const HttpRequest& head) {
  const std::uint64_t end = part.range.first + part.range.count;
  if (head.content_length != part.range.count) {
    return refuse(HttpResponse::error(400, "Content-Length must be that of the part"));
  }
  const std::string tag =
      "\"" + digest.hex().substr(0, 16) + "-" + std::to_string(part.range.first) + "\"";
  BodyPlan plan;
  const auto later = [](const char* why) {
    return refuse(with(HttpResponse::error(503, why), "Retry-After", "1"));
  };
  if (state_->blobs.size(digest)) {
    plan.sink = std::make_shared<PartSink>(nullptr, 0, tag);
    return plan;
  }
  auto space = state_->shelf.free_bytes();
  if (!space || *space < state_->limits.free_bytes_min + part.range.count) {
    return later("the hub's disk is nearly full; try later");
  }
  if (!state_->begin(digest, true)) return later("another upload of this blob is under way");
  const std::uint64_t there = state_->blobs.upload_offset(digest);
  const bool known = there >= end && end < part.total;
  const ContentRange rest{{there, end - std::min(there, end)}, part.total};
  // From here the sink's claim gives the lane back.
  auto sink = std::make_shared<UploadSink<State>>(state_, digest, 0, rest);
  if (there < part.range.first) return later("parts before this one are not there yet");
  plan.sink = known ? std::make_shared<PartSink>(nullptr, 0, tag)
                    : std::make_shared<PartSink>(std::move(sink), there - part.range.first, tag);
  return plan;
}

BodyPlan BlobRoutes::take(const Digest& digest, const ContentRange& range) {
  BodyPlan plan;
  if (state_->blobs.size(digest)) {
    if (range.range.count > kDiscardBytesMax) return refuse(HttpResponse::text(200, ""));
    plan.sink = std::make_shared<DiscardSink>();
    return plan;
  }
  auto space = state_->shelf.free_bytes();
  if (!space || *space < state_->limits.free_bytes_min + range.range.count) {
    return refuse(HttpResponse::error(503, "the hub's disk is nearly full; try later"));
  }
  const bool whole = range.range.count == range.total;
  const auto lane = state_->begin(digest, !whole);
  if (!lane) {
    return refuse(with(HttpResponse::error(409, "another upload of this blob is under way"),
                       "Retry-After", "1"));
  }
  // From here the sink's claim gives the lane back.
  auto sink = std::make_shared<UploadSink<State>>(state_, digest, *lane, range);
  const std::uint64_t there = state_->blobs.upload_offset(digest);
  if (range.range.first != 0 && range.range.first != there) {
    return refuse(
        with(HttpResponse::error(409, "the upload continues at byte " + std::to_string(there)),
             "Upload-Offset", std::to_string(there)));
  }
  plan.sink = std::move(sink);
  return plan;
}

}  // namespace harambee::hub
