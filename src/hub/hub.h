// The hub's HTTP API (spec/hub-api.md): requests in, responses out, as values.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "hub/http.h"
#include "hub/hugging_face.h"
#include "hub/log_folder.h"
#include "hub/order.h"
#include "hub/pace.h"
#include "hub/sequencer.h"
#include "hub/shelf.h"
#include "hub/try_model.h"
#include "port/clock.h"

namespace harambee::hub {

struct HubOptions {
  std::string vkey;                             // the log's verifier key, for people
  std::uint64_t blob_bytes_max = 64ull << 30;   // larger blobs are refused
  std::uint64_t log_bytes_max = 1ull << 20;     // entries in one /log answer
  std::int64_t wait_ms_max = 30'000;            // long poll
  std::uint64_t free_bytes_min = 256ull << 20;  // uploads are refused below it
  LogFolder* folder = nullptr;  // borrowed; without one there are no views of the log
  PaceRules pace;               // needs the clock
  Clock* clock = nullptr;       // borrowed
  TryModelOptions try_model;    // not there without a wire and a clock
  // The Hugging Face API; not there without the folder, a shelf for weights, a
  // ledger of uploads, and a clock.
  HuggingFaceOptions hugging_face;
};

// Borrowed parts outlive the handler. `wake` is called from any thread when a waiting answer may
// have become ready.
[[nodiscard]] std::unique_ptr<HttpHandler> make_hub(HubOptions options, Sequencer& sequencer,
                                                    Order& order, Shelf& shelf, BlobShelf& blobs,
                                                    std::function<void()> wake);

}  // namespace harambee::hub
