// A hub in memory with the Hugging Face API and one run, for hub/hf_*_test.cpp: requests as clients
// send them, without a socket.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "fold/acts.h"
#include "format/data.h"
#include "format/model.h"
#include "hub/hub.h"
#include "hub/log_folder.h"
#include "hub/world.h"
#include "store/memory_uploads.h"

namespace harambee::hub {

using Headers = std::vector<std::pair<std::string, std::string>>;

class HfWorld : public testing::Test {
 protected:
  void SetUp() override {
    sequencer = *Sequencer::open(test_options(), test_key(200), *order, *shelf, clock);
    folder = std::make_unique<LogFolder>(*sequencer);
    options.vkey = hub_verifier().str();
    options.free_bytes_min = 0;
    options.folder = folder.get();
    options.hugging_face.weights_shelf = computed.get();
    options.hugging_face.clock = &clock;
    options.hugging_face.ledger = uploads.get();
    options.hugging_face.make_weights = [this](const fold::RunState&, std::int64_t round) {
      const std::lock_guard lock(mutex);
      ++weights_made;
      return make_weights(round);
    };
    make_the_hub();
    open_run();
  }

  void make_the_hub() {
    hub = make_hub(options, *sequencer, *order, *shelf, *blobs, [this] {
      const std::lock_guard lock(mutex);
      ++wakes;
      woken.notify_all();
    });
  }

  // As the server does it, with the sequencer's batches and the fold in between.
  HttpResponse ask(const HttpRequest& question) {
    BodyPlan plan = hub->plan(question);
    if (plan.refusal) return *plan.refusal;
    if (plan.sink) {
      if (auto status = plan.sink->write(question.body); !status) {
        return plan.sink->failed(status.error());
      }
      return settle(plan.sink->finish());
    }
    if (question.body.size() > plan.bytes_max) return HttpResponse::error(413, "server");
    return settle(hub->handle(question));
  }
  HttpResponse settle(HttpResponse response) {
    while (auto* wait = std::get_if<Wait>(&response.body)) {
      std::unique_lock lock(mutex);
      const int seen = wakes;
      lock.unlock();
      sequencer->run_batch();
      folder->catch_up();
      if (auto next = wait->again(false)) {
        response = *std::move(next);
        continue;
      }
      // What it waits for is a thread, or the batch that the next turn makes.
      lock.lock();
      woken.wait_for(lock, std::chrono::milliseconds(1), [&] { return wakes > seen; });
    }
    return response;
  }
  static HttpRequest request(std::string method, std::string target, std::string_view body = {},
                             Headers headers = {}) {
    HttpRequest out;
    out.method = std::move(method);
    out.target = std::move(target);
    out.headers = std::move(headers);
    out.headers.emplace_back("host", "hub.test:8080");
    out.content_length = body.size();
    out.body = to_bytes(body);
    return out;
  }
  HttpResponse get(const std::string& target, Headers headers = {}) {
    return ask(request("GET", target, {}, std::move(headers)));
  }
  HttpResponse post(const std::string& target, std::string_view body, Headers headers = {}) {
    return ask(request("POST", target, body, std::move(headers)));
  }
  nlohmann::json get_json(const std::string& target) {
    const HttpResponse response = get(target);
    EXPECT_EQ(response.status, 200) << target << ": " << body(response);
    return nlohmann::json::parse(body(response), nullptr, false);
  }
  static std::string body(const HttpResponse& response) {
    const auto* text = std::get_if<std::string>(&response.body);
    return text != nullptr ? *text : "(no text)";
  }
  static std::string header(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return "";
  }
  void log_record(Person& author, Payload payload) {
    const auto answer = ask(request("POST", "/records", text(author.say(payload))));
    EXPECT_EQ(answer.status, 200) << body(answer);
    folder->catch_up();
  }
  static Payload filled(const Person& author, const Payload& act) {
    Payload payload = author.draft(act.kind);
    payload.run = act.run;
    payload.round = act.round;
    payload.body = act.body;
    payload.blobs = act.blobs;
    return payload;
  }

  static fold::Recipe recipe() {
    fold::Recipe recipe = fold::default_recipe();
    recipe.model.hidden = 8;
    recipe.model.heads = 2;
    recipe.model.kv_heads = 1;
    recipe.model.layers = 1;
    recipe.model.ffn = 16;
    recipe.model.context = 16;
    return recipe;
  }
  static Bytes make_weights(std::int64_t) {
    const auto layout = *format::ModelLayout::make(recipe().model);
    std::vector<float> values(layout.parameters());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7);
    return format::weights_file(layout, values);
  }
  // The run record's manifest; the weights stay away, so that they must be computed.
  void open_run() {
    EXPECT_EQ(ask(request("POST", "/records", text(maintainer.introduce()))).status, 200);
    format::DataManifest data;
    data.train = {{sha256(view("train")), 5}, {sha256(view("more")), 4}};
    data.heldout = {{sha256(view("held")), 4}};
    const Bytes manifest = format::write_data_manifest(data);
    for (const char* shard : {"train", "more", "held"}) {
      EXPECT_TRUE(blobs->put(sha256(view(shard)), view(shard)).ok());
    }
    EXPECT_TRUE(blobs->put(sha256(manifest), manifest).ok());
    fold::OpenRun open;
    open.name = "demo";
    open.coordinator = maintainer.key().id();
    open.validators = {maintainer.key().id()};
    open.recipe = recipe();
    open.data = {sha256(manifest), manifest.size(), std::string(format::kDataManifestType)};
    log_record(maintainer, filled(maintainer, fold::write(open)));
  }
  void start_run() {
    const Bytes weights = make_weights(0);
    fold::Start start;
    folder->read([&](const Folded& log) { start.run = log.run_order.at(0); });
    start.checkpoint = {sha256(weights), weights.size(), std::string(fold::kWeightsType)};
    log_record(maintainer, filled(maintainer, fold::write(start)));
  }

  std::unique_ptr<Order> order = store::make_memory_order();
  std::unique_ptr<Shelf> shelf = store::make_memory_shelf();
  std::unique_ptr<BlobShelf> blobs = store::make_memory_blobs();
  std::unique_ptr<BlobShelf> computed = store::make_memory_blobs();
  std::unique_ptr<UploadLedger> uploads = store::make_memory_uploads();
  TestClock clock;
  std::unique_ptr<Sequencer> sequencer;
  std::unique_ptr<LogFolder> folder;
  std::mutex mutex;
  std::condition_variable woken;
  int wakes = 0;
  int weights_made = 0;
  HubOptions options;
  std::unique_ptr<HttpHandler> hub;
  Person maintainer{1};
};

}  // namespace harambee::hub
