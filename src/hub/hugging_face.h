// The Hugging Face API of a hub, put together (spec/huggingface.md).
#pragma once

#include <functional>

#include "hub/hf_catalog.h"
#include "hub/hf_routes.h"
#include "hub/log_folder.h"
#include "hub/shelf.h"
#include "hub/weights_cache.h"

namespace harambee::hub {

struct HuggingFaceOptions {
  BlobShelf* weights_shelf = nullptr;  // borrowed; for computed weights, empty at first
  MakeWeights make_weights;            // may be empty: checkpoints only
  WeightsCacheLimits weights;
};

// What it borrows outlives it.
class HuggingFace {
 public:
  HuggingFace(const HuggingFaceOptions& options, const LogFolder& log, BlobShelf& blobs,
              std::function<void()> wake)
      : catalog_(log, blobs),
        weights_(options.weights, log, blobs, *options.weights_shelf, options.make_weights,
                 std::move(wake)),
        routes_(catalog_, blobs, weights_) {}

  [[nodiscard]] HfRoutes& routes() { return routes_; }

 private:
  HfCatalog catalog_;
  WeightsCache weights_;
  HfRoutes routes_;
};

}  // namespace harambee::hub
