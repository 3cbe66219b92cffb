// The Hugging Face API of a hub, put together (spec/huggingface.md).
#pragma once

#include <functional>

#include "hub/hf_catalog.h"
#include "hub/hf_routes.h"
#include "hub/hf_writer.h"
#include "hub/log_folder.h"
#include "hub/shelf.h"
#include "hub/weights_cache.h"

namespace harambee::hub {

struct HuggingFaceOptions {
  BlobShelf* weights_shelf = nullptr;  // borrowed; for computed weights, empty at first
  MakeWeights make_weights;            // may be empty: checkpoints only
  WeightsCacheLimits weights;
  Clock* clock = nullptr;          // borrowed; how long upload addresses are good for
  UploadLedger* ledger = nullptr;  // borrowed; uploads that are not committed yet
  HfWriterLimits uploads;
};

// What it borrows outlives it.
class HuggingFace {
 public:
  HuggingFace(const HuggingFaceOptions& options, const LogFolder& log, Sequencer& sequencer,
              Order& order, BlobRoutes& blob_routes, BlobShelf& blobs, const std::string& origin,
              const std::function<void()>& wake)
      : catalog_(log, blobs),
        weights_(options.weights, log, blobs, *options.weights_shelf, options.make_weights, wake),
        writer_(options.uploads, {catalog_, log, sequencer, order, blob_routes, blobs,
                                  *options.ledger, *options.clock, origin, wake}),
        routes_(catalog_, blobs, weights_, writer_) {}

  [[nodiscard]] HfRoutes& routes() { return routes_; }
  // With every request: what is to be done once a day.
  void look_around() { writer_.look_after_uploads(); }

 private:
  HfCatalog catalog_;
  WeightsCache weights_;
  HfWriter writer_;
  HfRoutes routes_;
};

}  // namespace harambee::hub
