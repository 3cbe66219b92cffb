// A hub in this process, a wire that calls it directly and can be made to fail, and a run on it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/encoding.h"
#include "base/rng.h"
#include "fold/acts.h"
#include "format/data.h"
#include "format/model.h"
#include "hub/hub.h"
#include "hub/sequencer.h"
#include "log/note.h"
#include "node/follower.h"
#include "node/hub_blobs.h"
#include "node/publisher.h"
#include "store/memory_blobs.h"
#include "store/memory_order.h"
#include "store/memory_shelf.h"
#include "store/temporary_folder.h"

namespace harambee::node::testing {

inline SecretKey key_of(const std::string& who) {
  return SecretKey::from_seed(sha256(view("key of " + who)).bytes);
}

// The machine's clocks; wait_ms() ends early when somebody stops it.
class StoppableClock : public Clock {
 public:
  std::int64_t unix_ms() const override { return ms<std::chrono::system_clock>(); }
  std::int64_t steady_ms() const override { return ms<std::chrono::steady_clock>(); }
  bool wait_ms(std::int64_t wait) override {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(wait), [this] { return stopped_; });
    return !stopped_;
  }
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
  }

 private:
  template <typename C>
  static std::int64_t ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(C::now().time_since_epoch()).count();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
};

// A hub in memory with its sequencer's thread.
class TestHub {
 public:
  explicit TestHub(std::int64_t tick_ms = 10, std::string who = "hub")
      : key_(key_of(who)),
        order_(store::make_memory_order()),
        shelf_(store::make_memory_shelf()),
        blobs_(store::make_memory_blobs()) {
    hub::SequencerOptions options;
    options.origin = "hub.test/log";
    options.tick_ms = tick_ms;
    options.batch_ms = 1;
    options.free_bytes_min = 0;
    auto sequencer = hub::Sequencer::open(options, key_, *order_, *shelf_, clock_);
    EXPECT_TRUE(sequencer.ok()) << sequencer.error().message;
    sequencer_ = std::move(*sequencer);
    sequencer_->on_change([this] { wake(); });
    hub::HubOptions hub_options;
    hub_options.vkey = vkey();
    hub_options.free_bytes_min = 0;
    handler_ =
        hub::make_hub(hub_options, *sequencer_, *order_, *shelf_, *blobs_, [this] { wake(); });
    sequencer_->start();
  }
  ~TestHub() { sequencer_->stop(); }

  [[nodiscard]] std::string vkey() const {
    return log::VerifierKey{"hub.test/log", log::NoteKeyType::ed25519, key_.public_key()}.str();
  }
  [[nodiscard]] hub::BlobShelf& blobs() { return *blobs_; }

  WireResponse answer(const WireRequest& request) {
    hub::HttpRequest http;
    http.method = request.method;
    http.target = request.url.substr(request.url.find('/', 8));
    for (const auto& [name, value] : request.headers) http.headers.emplace_back(name, value);
    http.content_length = request.body.size();
    hub::HttpResponse response = take(http, request.body);
    while (auto* waiting = std::get_if<hub::Wait>(&response.body)) {
      hub::HttpResponse next = resolve(*waiting);
      response = std::move(next);
    }
    return finish(request, response);
  }

 private:
  void wake() {
    {
      const std::lock_guard lock(mutex_);
      ++changes_;
    }
    changed_.notify_all();
  }

  hub::HttpResponse take(hub::HttpRequest& http, View body) {
    const std::lock_guard one_at_a_time(handler_mutex_);
    hub::BodyPlan plan = handler_->plan(http);
    if (plan.refusal) return std::move(*plan.refusal);
    if (plan.sink) {
      if (Status written = plan.sink->write(body); !written) {
        return plan.sink->failed(written.error());
      }
      return plan.sink->finish();
    }
    if (body.size() > plan.bytes_max) return hub::HttpResponse::error(413, "too large");
    http.body.assign(body.begin(), body.end());
    return handler_->handle(http);
  }

  hub::HttpResponse resolve(hub::Wait& waiting) {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(waiting.ms_max);
    for (;;) {
      std::uint64_t seen = 0;
      {
        const std::lock_guard lock(mutex_);
        seen = changes_;
      }
      if (auto answered = waiting.again(false)) return std::move(*answered);
      std::unique_lock lock(mutex_);
      if (!changed_.wait_until(lock, deadline, [&] { return changes_ != seen; })) break;
    }
    return *waiting.again(true);
  }

  static WireResponse finish(const WireRequest& request, const hub::HttpResponse& response) {
    WireResponse out;
    out.status = response.status;
    for (auto [name, value] : response.headers) {
      std::transform(name.begin(), name.end(), name.begin(), ::tolower);
      out.headers[name] = value;
    }
    if (request.method == "HEAD") return out;
    if (const auto* text = std::get_if<std::string>(&response.body)) out.body = to_bytes(*text);
    if (const auto* part = std::get_if<hub::FilePart>(&response.body)) {
      out.body.resize(part->length);
      EXPECT_EQ(::pread(part->file->descriptor(), out.body.data(), out.body.size(),
                        static_cast<off_t>(part->offset)),
                static_cast<ssize_t>(out.body.size()));
    }
    return out;
  }

  // Before all whose threads wake(): these end first.
  std::mutex handler_mutex_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t changes_ = 0;
  SecretKey key_;
  StoppableClock clock_;
  std::unique_ptr<hub::Order> order_;
  std::unique_ptr<hub::Shelf> shelf_;
  std::unique_ptr<hub::BlobShelf> blobs_;
  std::unique_ptr<hub::Sequencer> sequencer_;
  std::unique_ptr<hub::HttpHandler> handler_;
};

// To a hub without sockets. `before` may answer or fail in the hub's place, `after` may spoil what
// it said; both see every exchange.
class DirectWire : public Wire {
 public:
  using Before = std::function<std::optional<Result<WireResponse>>(const WireRequest&)>;
  using After = std::function<Result<WireResponse>(const WireRequest&, WireResponse)>;

  explicit DirectWire(TestHub& hub) : hub_(&hub) {}

  Result<WireResponse> exchange(const WireRequest& request) override {
    {
      const std::lock_guard lock(mutex_);
      ++asked_[request.method + " " + path_of(request)];
      sent_ += request.body.size() + 100;
    }
    if (before) {
      if (auto instead = before(request)) return std::move(*instead);
    }
    WireResponse response = hub_->answer(request);
    {
      const std::lock_guard lock(mutex_);
      received_ += response.body.size() + 100;
    }
    if (after) return after(request, std::move(response));
    return response;
  }
  Traffic traffic() const override {
    const std::lock_guard lock(mutex_);
    return {sent_, received_};
  }
  // How often paths beginning with `prefix` ("GET /blobs/") were asked for.
  int asked(const std::string& prefix) const {
    const std::lock_guard lock(mutex_);
    int count = 0;
    for (const auto& [what, times] : asked_) count += what.starts_with(prefix) ? times : 0;
    return count;
  }
  static std::string path_of(const WireRequest& request) {
    return request.url.substr(request.url.find('/', 8));
  }

  Before before;
  After after;

 private:
  TestHub* hub_;
  mutable std::mutex mutex_;
  std::map<std::string, int> asked_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

inline constexpr const char* kHubUrl = "http://hub.test:80";

inline std::vector<std::string> fake_trainer(const std::string& mode = "good") {
  return {"python3", HARAMBEE_SOURCE "/tests/node/fake_trainer.py", mode};
}

inline fold::Recipe tiny_recipe() {
  fold::Recipe recipe = fold::default_recipe();
  recipe.model.context = 16;
  recipe.model.ffn = 16;
  recipe.model.heads = 2;
  recipe.model.hidden = 8;
  recipe.model.kv_heads = 1;
  recipe.model.layers = 1;
  recipe.rounds = 3;
  recipe.checkpoint_every = 2;
  recipe.min_contributions = 2;
  recipe.commit_ms = 3'000;
  recipe.reveal_ms = 1'500;
  recipe.score_ms = 60'000;
  recipe.shards_per_member = 2;
  recipe.inner.steps = 3;
  recipe.inner.batch = 2;
  recipe.gate.rows = 4;
  recipe.gate.report = 4;
  recipe.codec.keep = 64;
  recipe.outer_lr = {1'000'000'000};
  return recipe;
}

// A person at a machine of their own: follower, blobs, publisher.
struct Desk {
  Desk(TestHub& hub, const std::string& who, const std::string& dir)
      : wire(hub), blobs(kHubUrl, dir + "/blobs", &wire, &clock) {
    auto opened = Follower::open({kHubUrl, dir + "/log", std::nullopt}, &wire);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    follower = std::move(*opened);
    publisher = std::make_unique<Publisher>(*follower, key_of(who), wire, clock, dir);
  }
  DirectWire wire;
  StoppableClock clock;
  HubBlobs blobs;
  std::unique_ptr<Follower> follower;
  std::unique_ptr<Publisher> publisher;
};

// Opens a run named "tiny" with its data, all of one domain if that has a name, and first weights.
// The keys are those of "maintainer", "coordinator" and "validator"; if the recipe needs no
// held-out text, there is none, and the coordinator is the validator.
inline RecordId open_tiny_run(TestHub& hub, const std::string& dir, const fold::Recipe& recipe,
                              const std::string& domain = "") {
  Desk desk(hub, "maintainer", dir);
  const auto put = [&desk](View bytes, std::string_view type) {
    const BlobRef ref{sha256(bytes), bytes.size(), std::string(type)};
    EXPECT_TRUE(desk.blobs.put(ref.digest, bytes).ok());
    return ref;
  };
  format::DataManifest manifest;
  std::vector<BlobRef> shards;
  for (int i = 0; i < 4; ++i) {
    const std::string text(400 + static_cast<std::size_t>(i), static_cast<char>('a' + i));
    shards.push_back(put(view(text), "text/plain"));
    auto& list = i < 3 || !recipe.needs_held_out_text() ? manifest.train : manifest.heldout;
    list.push_back({shards.back().digest, shards.back().size, domain});
  }
  fold::OpenRun act;
  if (!domain.empty()) act.domains = {domain};
  act.name = "tiny";
  act.coordinator = key_of("coordinator").id();
  act.validators = {key_of(recipe.needs_held_out_text() ? "validator" : "coordinator").id()};
  act.recipe = recipe;
  act.data = put(format::write_data_manifest(manifest), format::kDataManifestType);
  Payload draft = fold::write(act);
  const auto run = desk.publisher->post(draft);
  EXPECT_TRUE(run.ok()) << run.error().message;
  EXPECT_TRUE(desk.blobs.upload(act.data).ok());
  for (const BlobRef& shard : shards) {
    EXPECT_TRUE(hub.blobs().put(shard.digest, *desk.blobs.get(shard.digest)).ok());
  }
  const auto layout = format::ModelLayout::make(recipe.model);
  EXPECT_TRUE(layout.ok());
  std::vector<float> weights(layout->parameters());
  Rng rng(sha256(view("tiny weights")));
  for (float& weight : weights) weight = static_cast<float>(rng.below(1000)) * 1e-4F - 0.05F;
  const Bytes file = format::weights_file(*layout, weights);
  fold::Start start;
  start.run = run->id;
  start.checkpoint = put(file, fold::kWeightsType);
  const auto started = desk.publisher->post(fold::write(start));
  EXPECT_TRUE(started.ok()) << started.error().message;
  EXPECT_TRUE(desk.blobs.upload(start.checkpoint).ok());
  return run->id;
}

}  // namespace harambee::node::testing
