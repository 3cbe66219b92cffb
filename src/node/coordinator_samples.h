// When a coordinator lets the model write, and how the texts come on the log. In the role's `dir`:
// `sampled` (the newest round whose sample is logged) and work/sample.safetensors. Internal to
// this room.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "node/sampler.h"
#include "node/session.h"

namespace harambee::node {

class CoordinatorSamples {
 public:
  // The session outlives it.
  CoordinatorSamples(Session& session, SampleRule rule);

  // Posts a text that is done and begins the next that is due; never waits for the model.
  // Errors are the log's or the disk's; a trainer that cannot write is told once, and that is all.
  [[nodiscard]] Status step();
  // step() until nothing is due any more, at the end of a run. False: the person asked to stop.
  [[nodiscard]] Result<bool> finish();

 private:
  [[nodiscard]] std::optional<std::int64_t> due() const;
  Status begin(std::int64_t round);
  Status post(const fold::Sample& sample);
  void give_up(const std::string& why);

  Session& session_;
  Sampler sampler_;
  std::int64_t newest_ = -1;  // round that has its sample, or for which it was given up
  bool able_ = true;
};

}  // namespace harambee::node
