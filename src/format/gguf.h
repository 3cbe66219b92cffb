// GGUF version 3: weights, sizes and tokenizer in one file, as llama.cpp and its kin read it
// (github.com/ggml-org/ggml, docs/gguf.md). One output for one input: the file's digest follows
// from the weights and the type of its numbers. A writer only; nothing here reads GGUF.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"
#include "format/model.h"

namespace harambee::format {

// How the matrices are stored; norms are always f32.
enum class GgufType {
  f32,   // the very weights
  f16,   // rounded to the nearest half-precision number
  q8_0,  // 8 bits and a scale per 32 weights, as llama-quantize does it
};
[[nodiscard]] const char* name(GgufType type);  // "f32", "f16", "q8_0"
[[nodiscard]] std::optional<GgufType> parse_gguf_type(std::string_view text);

// IEEE 754 binary16, rounded to the nearest, ties to even; too large becomes infinite, NaN a NaN.
[[nodiscard]] std::uint16_t to_half(float number);

class GgufFile {
 public:
  // `weights`: the digest of the model's safetensors file, which the GGUF names. Refuses models
  // whose tokens are not bytes (vocab 256), and q8_0 where a row is no multiple of 32.
  [[nodiscard]] static Result<GgufFile> make(const ModelLayout& layout, GgufType type,
                                             const Digest& weights);

  [[nodiscard]] std::uint64_t file_bytes() const { return file_bytes_; }
  // Gives `sink` the whole file, in order, in pieces of at most 1 MiB; stops at its first error.
  // `parameters` as in the layout.
  using Sink = std::function<Status(View)>;
  [[nodiscard]] Status write(std::span<const float> parameters, const Sink& sink) const;

 private:
  enum class RowOrder { same, rotary };
  struct Place {
    std::uint64_t offset = 0;  // in floats, of the flat vector
    std::uint64_t rows = 1;
    std::uint64_t columns = 0;
    GgufType type = GgufType::f32;
    RowOrder order = RowOrder::same;
  };

  GgufFile() = default;
  void add_tensor(Bytes& infos, const std::string& name, const TensorPlace& from, RowOrder order,
                  GgufType type);
  [[nodiscard]] Status write_tensor(const Place& place, std::span<const float> parameters,
                                    const Sink& sink) const;

  std::uint64_t head_dim_ = 0;
  Bytes header_;  // up to the first tensor's data
  std::vector<Place> places_;
  std::uint64_t data_bytes_ = 0;
  std::uint64_t file_bytes_ = 0;
};

}  // namespace harambee::format
