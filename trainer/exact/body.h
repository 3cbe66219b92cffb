// The inside of Model: weights, buffers, and the passes of one row. Nobody else includes it.
//
// Shapes: R rows (sequences) of T tokens; H hidden, F ffn, V vocab, D head size, Q = heads·D,
// K = kv_heads·D, W = Q + 2K. Weights are [outputs, inputs] as in Hugging Face's files: y = x · Wᵀ.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "trainer/exact/arena.h"
#include "trainer/exact/model.h"

namespace harambee::trainer {

// One matrix: where it lies in the flat vector, and its panels for x · Wᵀ and for d_y · W.
struct Matrix {
  std::size_t offset = 0, outputs = 0, inputs = 0;
  float* panels = nullptr;
  float* back_panels = nullptr;  // null unless training is reserved
};

struct LayerWeights {
  std::size_t input_norm = 0, post_norm = 0;  // offsets of [H]
  Matrix q, k, v, o, gate, up, down;
};

// What the backward pass needs of one layer. Pointers to the first token of a row, or of all rows.
struct Saved {
  float* x = nullptr;            // [T,H] input of the layer
  float* input_scale = nullptr;  // [T]   1/rms of x
  float* qkv = nullptr;          // [T,W] after rotation
  float* peak = nullptr;         // [heads,T]
  float* scale = nullptr;        // [heads,T]
  float* out = nullptr;          // [T,Q] attention's output before o
  float* mid = nullptr;          // [T,H] after attention's residual
  float* post_scale = nullptr;   // [T]
  float* gate_up = nullptr;      // [T,2F]
};

// Gradients of one layer, and forward values computed again, for all rows: [R,T,…].
struct Reverse {
  float *normed = nullptr, *d_normed = nullptr;            // [H] before attention
  float *post_normed = nullptr, *d_post_normed = nullptr;  // [H] before the MLP
  float* d_qkv = nullptr;                                  // [W]
  float* d_mid = nullptr;                                  // [H]
  float* act = nullptr;                                    // [F]
  float* d_gate_up = nullptr;                              // [2F]
};

struct Scratch {                          // of one thread, one row
  float *x = nullptr, *x_next = nullptr;  // [T,H]
  float* normed = nullptr;                // [T,H]
  float* act = nullptr;                   // [T,F] also d_act
  float* d_out = nullptr;                 // [T,Q]
  float* logits = nullptr;                // [T,V]
  float* final_scale = nullptr;           // [T]
  float* attention = nullptr;
  Saved saved;  // for passes that keep nothing
};

struct Training {
  FloatBuffer memory;
  std::size_t rows = 0;
  float* gradients = nullptr;    // flat
  float* embedding = nullptr;    // [V,H] the embedding's own gradient
  std::vector<Saved> saved;      // a layer each, all rows
  float* x_final = nullptr;      // [R,T,H]
  float* final_scale = nullptr;  // [R,T]
  float* normed = nullptr;       // [R,T,H]
  float* d_normed = nullptr;     // [R,T,H]
  float* d_logits = nullptr;     // [R,T,V]
  float* d_x[3] = {};            // [R,T,H] gradient of layer l's input is d_x[l % 3]
  Reverse reverse[2];            // layer l uses reverse[l % 2]
};

struct Model::Body {
  Body(const format::ModelLayout& layout, const ModelOptions& options);

  void find_weights();
  void make_rotations();
  void carve(Arena& arena);
  void carve_training(Arena& arena, Training& training, std::size_t rows) const;
  void carve_back_panels(Arena& arena);
  [[nodiscard]] std::vector<Matrix*> matrices();
  void carve_saved(Arena& arena, Saved& saved, std::size_t rows, bool shares_x) const;
  [[nodiscard]] std::uint64_t training_floats(std::size_t rows);

  // Panels of all matrices from the parameters, if those changed.
  void pack();
  void pack_matrix(const Matrix& matrix) const;

  // y[tokens, outputs] = start + x[tokens, inputs] · Wᵀ.
  void product(const Matrix& w, const float* x, std::size_t tokens, float* y, std::size_t y_row,
               const float* start = nullptr) const;
  // d_x[tokens, inputs] = (add ? d_x : 0) + d_y[tokens, outputs] · W.
  void product_back(const Matrix& w, const float* d_y, std::size_t d_y_row, std::size_t tokens,
                    float* d_x, bool add) const;
  void embed(std::span<const Token> tokens, float* x) const;
  [[nodiscard]] Attention attention(const Saved& saved, std::size_t tokens, std::size_t kv_head,
                                    const Scratch& scratch) const;
  void layer_forward(std::size_t layer, std::size_t tokens, const Saved& saved, float* x_out,
                     const Scratch& scratch) const;
  // Through all layers with the thread's scratch; the result is [T,H] in scratch.x.
  void row_forward(std::span<const Token> tokens, Scratch& scratch) const;
  void row_logits(std::span<const Token> tokens, Scratch& scratch, float* logits) const;
  [[nodiscard]] double row_loss(std::span<const Token> tokens, Scratch& scratch) const;

  // Training: one row forward, then its loss and the gradient of the last layer's output.
  [[nodiscard]] double row_train(std::span<const Token> tokens, std::size_t row, float scale,
                                 const Scratch& scratch) const;
  void row_layer_backward(std::size_t layer, std::size_t row, const Scratch& scratch) const;
  void mlp_backward(std::size_t layer, std::size_t row, const Scratch& scratch) const;
  void attention_backward(std::size_t layer, std::size_t row, const Scratch& scratch) const;
  [[nodiscard]] Saved saved_row(std::size_t layer, std::size_t row) const;
  [[nodiscard]] Reverse reverse_row(std::size_t layer, std::size_t row) const;

  // Weight gradients: outputs are split among tasks, tokens never.
  [[nodiscard]] std::size_t layer_gradient_tasks() const;
  void layer_gradient(std::size_t layer, std::size_t rows, std::size_t task) const;
  [[nodiscard]] std::size_t head_gradient_tasks() const;
  void head_gradient(std::size_t rows, std::size_t task) const;
  [[nodiscard]] std::size_t embedding_gradient_tasks() const;
  void embedding_gradient(std::span<const Token> tokens, std::size_t rows, std::size_t task) const;
  void batch_gradient(std::span<const Token> tokens, std::size_t rows, float scale,
                      std::span<double> losses);

  format::ModelLayout layout;
  const Kernels& kernels;
  ModelOptions options;
  std::size_t context, hidden, ffn, vocab, head_size, heads, kv_heads, group;
  std::size_t q_width, kv_width, qkv_width;
  float norm_eps;

  std::vector<LayerWeights> layers;
  std::size_t embedding = 0, final_norm = 0;  // offsets
  Matrix head;
  std::vector<float> cos, sin;  // [T, D/2]

  Pool pool;
  FloatBuffer memory;
  float* parameters = nullptr;
  std::vector<Scratch> scratch;
  std::unique_ptr<Training> training;
  bool packed = false;
};

}  // namespace harambee::trainer
