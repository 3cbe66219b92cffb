// A model on this machine behind the interface of a server far away (OpenAI's completions), so that
// hub/try_model.h serves both.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "format/model.h"
#include "hub/completion_request.h"
#include "node/trainer_process.h"
#include "port/wire.h"

namespace harambee::cli {

class ModelWire : public Wire {
 public:
  // `weights`: a safetensors file. Tokens are bytes: the model must have 256 of them.
  ModelWire(node::TrainerOptions options, const format::ModelConfig& model,
            std::filesystem::path weights, std::string name);

  // Answers GET …/v1/models and POST …/v1/completions; 404 otherwise, also to chats: the model has
  // no template for them. One text at a time.
  [[nodiscard]] Result<WireResponse> exchange(const WireRequest& request) override;
  [[nodiscard]] Traffic traffic() const override { return {}; }

 private:
  [[nodiscard]] Result<WireResponse> complete(const WireRequest& request);
  [[nodiscard]] Result<Bytes> next_piece(const hub::Completion& asked, const Digest& seed,
                                         const Bytes& so_far);

  const std::filesystem::path weights_;
  const std::string name_;
  std::mutex mutex_;  // around the trainer
  node::TrainerProcess trainer_;
};

}  // namespace harambee::cli
