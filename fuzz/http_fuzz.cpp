// A connection's bytes from a stranger: parsed as the server parses them, answered by a hub in
// memory. Nothing may crash, every answer must have a sane head, and no input may change the log
// (nobody can sign by chance), ticks apart.
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "base/check.h"
#include "hub/blob_routes.h"
#include "hub/hub.h"
#include "hub/log_folder.h"
#include "net/http_reader.h"
#include "net/http_text.h"
#include "store/memory_blobs.h"
#include "store/memory_order.h"
#include "store/memory_shelf.h"

namespace {

using namespace harambee;

constexpr std::uint32_t kHeaderBytesMax = 16u << 10;

class StoppedClock : public Clock {
 public:
  std::int64_t unix_ms() const override { return 1'700'000'000'000; }
  std::int64_t steady_ms() const override { return 0; }
  bool wait_ms(std::int64_t) override { return false; }
};

// One hub for all inputs; it begins with a blob that may be uploaded.
class World {
 public:
  World() {
    hub::OrderBatch named;
    named.blobs = {{sha256(view("hello")), 5}};
    HARAMBEE_CHECK(order_->commit(named).ok());
    hub::SequencerOptions options;
    options.origin = "fuzz.example/log";
    options.free_bytes_min = 0;
    auto opened =
        hub::Sequencer::open(options, SecretKey::from_seed({1}), *order_, *shelf_, clock_);
    HARAMBEE_CHECK(opened.ok());
    sequencer_ = *std::move(opened);
    hub::HubOptions hub_options;
    hub_options.vkey = "fuzz.example/log+key";
    hub_options.free_bytes_min = 0;
    folder_ = std::make_unique<hub::LogFolder>(*sequencer_);
    folder_->catch_up();
    hub_options.folder = folder_.get();
    hub_options.hugging_face.weights_shelf = computed_.get();
    hub_options.hugging_face.clock = &clock_;
    hub_ = hub::make_hub(hub_options, *sequencer_, *order_, *shelf_, *blobs_, [this] {
      const std::lock_guard lock(mutex_);
      ++wakes_;
      woken_.notify_all();
    });
  }

  hub::HttpHandler& handler() { return *hub_; }
  [[nodiscard]] std::uint64_t size() const { return sequencer_->head()->size; }

  // As the server waits, but without time: a long poll ends at once.
  hub::HttpResponse settle(hub::HttpResponse response) {
    while (auto* wait = std::get_if<hub::Wait>(&response.body)) {
      std::unique_lock lock(mutex_);
      const int seen = wakes_;
      lock.unlock();
      sequencer_->run_batch();
      auto answer = wait->again(wait->long_poll);
      if (answer) {
        response = *std::move(answer);
        continue;
      }
      lock.lock();
      woken_.wait(lock, [&] { return wakes_ > seen; });
    }
    if (auto* stream = std::get_if<hub::Stream>(&response.body)) {
      HARAMBEE_CHECK(!stream->next(false).empty());
      HARAMBEE_CHECK(!stream->next(true).empty());
    }
    folder_->catch_up();  // ticks, and nothing else, have grown the log
    HARAMBEE_CHECK(!folder_->trouble());
    return response;
  }

 private:
  std::unique_ptr<hub::Order> order_ = store::make_memory_order();
  std::unique_ptr<hub::Shelf> shelf_ = store::make_memory_shelf();
  std::unique_ptr<hub::BlobShelf> blobs_ = store::make_memory_blobs();
  StoppedClock clock_;
  std::unique_ptr<hub::BlobShelf> computed_ = store::make_memory_blobs();
  std::unique_ptr<hub::Sequencer> sequencer_;
  std::unique_ptr<hub::LogFolder> folder_;
  std::mutex mutex_;
  std::condition_variable woken_;
  int wakes_ = 0;
  std::unique_ptr<hub::HttpHandler> hub_;
};

void check_answer(const hub::HttpResponse& response) {
  HARAMBEE_CHECK(response.status >= 200 && response.status < 600);
  const std::string head = net::response_head(response, 0, false, "date");
  // Exactly one empty line, at the end: no answer can be split.
  HARAMBEE_CHECK(head.find("\r\n\r\n") == head.size() - 4);
}

// One request from the front of `input`; false when the connection would end.
bool one_request(World& world, View& input) {
  net::RequestReader reader(kHeaderBytesMax);
  auto taken = reader.read_head(input.first(std::min<std::size_t>(input.size(), 64u << 10)));
  if (!taken || !reader.head_done()) return false;
  HARAMBEE_CHECK(*taken <= input.size());
  input = input.subspan(*taken);
  hub::BodyPlan plan = world.handler().plan(reader.head());
  if (plan.refusal) {
    check_answer(*plan.refusal);
    return reader.done();
  }
  Bytes body;
  while (!reader.done()) {
    const std::size_t before = body.size();
    auto step = reader.read_body(input, body);
    if (!step) return false;
    HARAMBEE_CHECK(*step <= input.size());
    input = input.subspan(*step);
    if (*step == 0 && body.size() == before && !reader.done()) return false;
    if (plan.sink) {
      if (!plan.sink->write(body).ok()) return false;
      body.clear();
    } else if (body.size() > plan.bytes_max) {
      return false;
    }
  }
  if (plan.sink) {
    check_answer(world.settle(plan.sink->finish()));
    return true;
  }
  hub::HttpRequest request = reader.head();
  request.body = std::move(body);
  check_answer(world.settle(world.handler().handle(request)));
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  View input(data, size);
  while (!input.empty() && one_request(world, input)) {
  }
  // genesis, and the one tick that a clock that stands still allows.
  HARAMBEE_CHECK(world.size() <= 2);

  const std::string_view field = text(View(data, size));
  const auto range = hub::parse_range(field, 1000);
  if (range.kind == hub::RangeKind::part) {
    HARAMBEE_CHECK(range.range.count > 0 && range.range.first + range.range.count <= 1000);
  }
  if (const auto content = hub::parse_content_range(field)) {
    HARAMBEE_CHECK(content->range.first + content->range.count <= content->total);
  }
  return 0;
}
