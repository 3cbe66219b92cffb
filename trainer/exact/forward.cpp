#include <cstring>
#include <utility>

#include "trainer/exact/body.h"
#include "trainer/exact/math.h"

namespace harambee::trainer {

void Model::Body::pack_matrix(const Matrix& matrix) const {
  kernels.pack_columns(parameters + matrix.offset, matrix.inputs, matrix.outputs, matrix.inputs,
                       matrix.panels);
  if (matrix.back_panels == nullptr) return;
  kernels.pack_rows(parameters + matrix.offset, matrix.inputs, matrix.outputs, matrix.inputs,
                    matrix.back_panels);
}

void Model::Body::pack() {
  if (packed) return;
  const auto tasks = static_cast<std::uint32_t>(layers.size() * 7 + 1);
  pool.run(tasks, [&](std::uint32_t task, unsigned) {
    if (task == layers.size() * 7) return pack_matrix(head);
    const LayerWeights& l = layers[task / 7];
    const Matrix* const matrices[7] = {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down};
    pack_matrix(*matrices[task % 7]);
  });
  packed = true;
}

void Model::Body::product(const Matrix& w, const float* x, std::size_t tokens, float* y,
                          std::size_t y_row, const float* start) const {
  Gemm g;
  g.m = tokens, g.n = w.outputs, g.k = w.inputs;
  g.a = x, g.a_row = w.inputs;
  g.b = {w.panels, 0};
  g.c = y, g.c_row = y_row;
  g.start = start, g.start_row = y_row;
  kernels.gemm(g);
}

void Model::Body::embed(std::span<const Token> tokens, float* x) const {
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    std::memcpy(x + t * hidden, parameters + embedding + tokens[t] * hidden,
                hidden * sizeof(float));
  }
}

Attention Model::Body::attention(const Saved& saved, std::size_t tokens, std::size_t kv_head,
                                 const Scratch& s) const {
  Attention a;
  a.tokens = tokens;
  a.head_size = head_size;
  a.group = group;
  a.qkv_row = qkv_width;
  a.out_row = q_width;
  a.q = saved.qkv + kv_head * group * head_size;
  a.k = saved.qkv + q_width + kv_head * head_size;
  a.v = saved.qkv + q_width + kv_width + kv_head * head_size;
  a.out = saved.out + kv_head * group * head_size;
  a.peak = saved.peak + kv_head * group * tokens;
  a.scale = saved.scale + kv_head * group * tokens;
  a.scratch = s.attention;
  return a;
}

void Model::Body::layer_forward(std::size_t layer, std::size_t tokens, const Saved& saved,
                                float* x_out, const Scratch& s) const {
  const LayerWeights& l = layers[layer];
  kernels.rms_norm(tokens, hidden, saved.x, parameters + l.input_norm, norm_eps, s.normed,
                   saved.input_scale);
  product(l.q, s.normed, tokens, saved.qkv, qkv_width);
  product(l.k, s.normed, tokens, saved.qkv + q_width, qkv_width);
  product(l.v, s.normed, tokens, saved.qkv + q_width + kv_width, qkv_width);
  // q and k lie side by side: one pass turns the heads of both.
  kernels.rope(tokens, heads + kv_heads, head_size, qkv_width, cos.data(), sin.data(), false,
               saved.qkv);
  for (std::size_t i = 0; i < kv_heads; ++i) {
    kernels.attention_forward(attention(saved, tokens, i, s));
  }
  // The residual is where the product's chain starts.
  product(l.o, saved.out, tokens, saved.mid, hidden, saved.x);
  kernels.rms_norm(tokens, hidden, saved.mid, parameters + l.post_norm, norm_eps, s.normed,
                   saved.post_scale);
  product(l.gate, s.normed, tokens, saved.gate_up, 2 * ffn);
  product(l.up, s.normed, tokens, saved.gate_up + ffn, 2 * ffn);
  kernels.swiglu(tokens, ffn, saved.gate_up, s.act);
  product(l.down, s.act, tokens, x_out, hidden, saved.mid);
}

void Model::Body::row_forward(std::span<const Token> tokens, Scratch& s) const {
  embed(tokens, s.x);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    s.saved.x = s.x;
    layer_forward(i, tokens.size(), s.saved, s.x_next, s);
    std::swap(s.x, s.x_next);
  }
}

void Model::Body::row_logits(std::span<const Token> tokens, Scratch& s, float* logits) const {
  row_forward(tokens, s);
  kernels.rms_norm(tokens.size(), hidden, s.x, parameters + final_norm, norm_eps, s.normed,
                   s.final_scale);
  product(head, s.normed, tokens.size(), logits, vocab);
}

double Model::Body::row_loss(std::span<const Token> tokens, Scratch& s) const {
  row_logits(tokens.first(context), s, s.logits);
  double total = 0;
  for (std::size_t t = 0; t < context; ++t) {
    const float* const row = s.logits + t * vocab;
    float peak = 0, sum = 0;
    kernels.softmax_sum(vocab, row, &peak, &sum);
    total += exact_log(sum) + (static_cast<double>(peak) - static_cast<double>(row[tokens[t + 1]]));
  }
  return total / static_cast<double>(context);
}

}  // namespace harambee::trainer
