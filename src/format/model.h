// A LLaMA-style decoder as numbers: its configuration, the order of its parameters in one flat
// vector, and its files as Hugging Face tools read them (spec/weights.md).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/decimal.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/result.h"
#include "format/safetensors.h"

namespace harambee::format {

inline constexpr std::uint64_t kModelParametersMax = std::uint64_t{1} << 36;
inline constexpr std::uint32_t kModelLayersMax = 1'024;
inline constexpr std::uint32_t kModelWidthMax = 1u << 18;  // hidden and ffn
inline constexpr std::uint32_t kModelVocabMax = 1u << 20;
inline constexpr std::uint32_t kModelContextMax = 1u << 20;

// Names as in the recipe.
struct ModelConfig {
  std::uint32_t hidden = 0;
  std::uint32_t layers = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t ffn = 0;
  std::uint32_t vocab = 0;
  std::uint32_t context = 0;
  Decimal rope_theta;
  Decimal norm_eps;
  bool tied = false;  // the output layer is the embedding, and is not stored

  bool operator==(const ModelConfig&) const = default;
  [[nodiscard]] std::uint32_t head_dim() const { return hidden / heads; }
  // Refuses zero sizes, sizes beyond the limits, hidden not divisible by heads, odd head_dim (RoPE
  // turns pairs), heads not divisible by kv_heads, and rope_theta or norm_eps that are not > 0.
  [[nodiscard]] Status validate() const;
};

// The recipe's "model" object; exactly these keys. from_json validates.
[[nodiscard]] Json to_json(const ModelConfig& config);
[[nodiscard]] Result<ModelConfig> model_from_json(const Json& json);

// Where one tensor lies in the flat parameter vector.
struct TensorPlace {
  std::string name;                  // Hugging Face's, e.g. "model.layers.0.mlp.up_proj.weight"
  std::vector<std::uint64_t> shape;  // row-major: [rows, columns] or [length]
  std::uint64_t offset = 0;          // in floats
  std::uint64_t size = 0;            // in floats
};

// The flat parameter vector of a model: all tensors, F32, sorted by name bytewise ("…layers.10…"
// before "…layers.2…"), with nothing between them. It is the data section of the canonical file.
class ModelLayout {
 public:
  [[nodiscard]] static Result<ModelLayout> make(const ModelConfig& config);

  [[nodiscard]] const ModelConfig& config() const { return config_; }
  [[nodiscard]] std::span<const TensorPlace> tensors() const { return tensors_; }
  // A bug if the model has no such tensor.
  [[nodiscard]] const TensorPlace& at(std::string_view name) const;
  [[nodiscard]] std::uint64_t parameters() const { return parameters_; }
  // The canonical file is these bytes, then the parameters in little-endian order. Its length is a
  // multiple of 8, so floats in a buffer aligned to 8 are aligned.
  [[nodiscard]] View header() const { return header_; }
  [[nodiscard]] std::uint64_t file_bytes() const { return header_.size() + 4 * parameters_; }

 private:
  ModelLayout() = default;
  ModelConfig config_;
  std::vector<TensorPlace> tensors_;
  std::uint64_t parameters_ = 0;
  Bytes header_;
};

// `parameters.size()` must be layout.parameters() (a bug otherwise) in the functions below.

// The canonical safetensors file.
[[nodiscard]] Bytes weights_file(const ModelLayout& layout, std::span<const float> parameters);
// SHA-256 of that file, without building it: what `sha256sum model.safetensors` prints.
[[nodiscard]] Digest weights_digest(const ModelLayout& layout, std::span<const float> parameters);
// The parameters of a canonical file, borrowed from `file`, which must be aligned to 4 (any
// allocation or mapping is) and outlive the result. Refuses any other header and any other size.
// Does not look at the numbers: they may be NaN.
[[nodiscard]] Result<std::span<const float>> flat_weights(const ModelLayout& layout, View file);

// Hugging Face's files beside model.safetensors, for models whose tokens are bytes (vocab 256).
// config.json in the older style (rope_theta, torch_dtype), which old and new readers understand.
[[nodiscard]] std::string hf_config_json(const ModelConfig& config);
// tokenizer.json: token id = byte value; no merges, no special tokens.
[[nodiscard]] std::string hf_tokenizer_json();
[[nodiscard]] std::string hf_tokenizer_config_json(const ModelConfig& config);
[[nodiscard]] std::string hf_generation_config_json();

}  // namespace harambee::format
