#include "node/export.h"

#include <fmt/format.h>

#include <utility>

#include "fold/card.h"
#include "format/model.h"
#include "store/file.h"

namespace harambee::node {
namespace {

Result<Bytes> gguf_file(const format::ModelLayout& layout, format::GgufType type,
                        const Digest& weights, std::span<const float> parameters) {
  auto file = format::GgufFile::make(layout, type, weights);
  if (!file) return file.error();
  Bytes bytes;
  bytes.reserve(file->file_bytes());
  const Status written = file->write(parameters, [&](View piece) {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    return ok();
  });
  if (!written) return written.error();
  return bytes;
}

}  // namespace

Result<Exported> export_model(const fold::LogState& log, const fold::RunState& run,
                              const FetchBlob& blobs, const ExportOptions& options) {
  if (run.left_by_void(options.round)) {
    return invalid(fmt::format(
        "the weights after round {0} were taken back by the void of round {1}; the good ones are "
        "those of rounds {0} and {2}",
        options.round - 1, options.round, options.round + 1));
  }
  Result<std::vector<float>> weights = weights_at(run, options.round, blobs, options.progress);
  if (!weights) return weights.error();
  Result<format::ModelLayout> layout = format::ModelLayout::make(run.recipe.model);
  if (!layout) return layout.error();
  Exported exported;
  exported.round = options.round;
  exported.parameters = layout->parameters();
  Bytes model = format::weights_file(*layout, *weights);
  exported.weights = sha256(model);
  const format::ModelConfig& config = run.recipe.model;
  std::vector<std::pair<std::string, Bytes>> files;
  if (options.gguf) {
    auto gguf = gguf_file(*layout, *options.gguf, exported.weights, *weights);
    if (!gguf) return gguf.error();
    files.emplace_back(std::string("model-") + name(*options.gguf) + ".gguf", *std::move(gguf));
  }
  *weights = {};
  std::pair<const char*, Bytes> always[] = {
      {"model.safetensors", std::move(model)},
      {"config.json", to_bytes(format::hf_config_json(config))},
      {"generation_config.json", to_bytes(format::hf_generation_config_json())},
      {"tokenizer.json", to_bytes(format::hf_tokenizer_json())},
      {"tokenizer_config.json", to_bytes(format::hf_tokenizer_config_json(config))},
      {"README.md", to_bytes(fold::model_card(log, run, options.round, options.url))},
  };
  for (auto& [name, bytes] : always) files.emplace_back(name, std::move(bytes));
  for (const auto& [name, bytes] : files) {
    Status written = store::write_file_atomic(options.dir + "/" + name, bytes);
    if (!written) return written.error();
    exported.files.emplace_back(name);
  }
  return exported;
}

}  // namespace harambee::node
