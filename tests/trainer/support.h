// What the trainer's tests share: small models, numbers from a fixed stream, scratch folders.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/rng.h"
#include "format/model.h"
#include "trainer/exact/kernels.h"
#include "trainer/exact/model.h"
#include "trainer/exact/trainer.h"

namespace harambee::trainer {

inline std::vector<Simd> levels() {
  std::vector<Simd> all;
  for (const Simd simd : {Simd::scalar, Simd::neon, Simd::avx2, Simd::avx512}) {
    if (kernels(simd) != nullptr) all.push_back(simd);
  }
  return all;
}

// Numbers in (-1, 1) from a fixed stream.
class Numbers {
 public:
  explicit Numbers(std::string_view name) : rng_(sha256(view(name))) {}
  float next() {
    return static_cast<float>(static_cast<std::int64_t>(rng_.next() >> 40) - (1 << 23)) /
           8388608.0f;
  }
  std::vector<float> some(std::size_t n, float scale = 1.0f) {
    std::vector<float> x(n);
    for (float& value : x) value = scale * next();
    return x;
  }
  std::uint64_t below(std::uint64_t bound) { return rng_.below(bound); }

 private:
  Rng rng_;
};

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), 4 * a.size()) == 0;
}

// Sizes that divide nothing evenly: tails everywhere.
inline format::ModelConfig odd_config() {
  format::ModelConfig c;
  c.hidden = 36, c.layers = 2, c.heads = 6, c.kv_heads = 2, c.ffn = 50, c.vocab = 256;
  c.context = 21;
  c.rope_theta = Decimal::parse("10000").value();
  c.norm_eps = Decimal::parse("0.00001").value();
  return c;
}

inline std::unique_ptr<Model> make_model(const format::ModelConfig& config, Simd simd,
                                         unsigned threads) {
  ModelOptions options;
  options.kernels = kernels(simd);
  options.threads = threads;
  return Model::make(format::ModelLayout::make(config).value(), options).value();
}

// Weights large enough that no gradient is negligible.
inline void fill_weights(Model& model, std::string_view name) {
  Numbers numbers(name);
  for (const format::TensorPlace& tensor : model.layout().tensors()) {
    const bool is_norm = tensor.shape.size() == 1;
    for (std::size_t i = 0; i < tensor.size; ++i) {
      const float x = numbers.next();
      model.parameters()[tensor.offset + i] = is_norm ? 1.0f + 0.3f * x : 0.3f * x;
    }
  }
  model.touch();
}

inline std::vector<Token> some_tokens(const Model& model, std::size_t rows, std::string_view name) {
  Numbers numbers(name);
  std::vector<Token> tokens(rows * (model.layout().config().context + 1));
  for (Token& token : tokens) token = static_cast<Token>(numbers.below(256));
  return tokens;
}

class Folder {
 public:
  Folder() {
    std::string path = (std::filesystem::temp_directory_path() / "trainer-XXXXXX").string();
    path_ = mkdtemp(path.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string operator/(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  std::string write(std::string_view name, std::string_view content) const {
    std::ofstream(*this / name, std::ios::binary) << content;
    return *this / name;
  }
  [[nodiscard]] std::string read(std::string_view name) const {
    std::ifstream file(*this / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string path_;
};

// English enough to be learned: the same few sentences in a changing order.
inline std::string small_text(std::size_t bytes) {
  const char* const sentences[] = {"the hub keeps a log. ", "the log keeps the run. ",
                                   "all pull together. ", "a trainer lends an hour. "};
  Numbers numbers("small text");
  std::string text;
  while (text.size() < bytes) text += sentences[numbers.below(4)];
  text.resize(bytes);
  return text;
}

}  // namespace harambee::trainer
