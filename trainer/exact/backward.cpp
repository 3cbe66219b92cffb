#include <algorithm>
#include <array>
#include <cstring>

#include "trainer/exact/body.h"
#include "trainer/exact/math.h"

namespace harambee::trainer {
namespace {

// Outputs per weight-gradient task: large enough to pay for copying the panels of B.
constexpr std::size_t kTaskOutputs = 128;
// Columns per embedding-gradient task.
constexpr std::size_t kTaskColumns = 64;

std::size_t pieces(std::size_t size, std::size_t piece) { return (size + piece - 1) / piece; }

}  // namespace

Saved Model::Body::saved_row(std::size_t layer, std::size_t row) const {
  Saved s = training->saved[layer];
  const std::size_t t = row * context;
  s.x += t * hidden;
  s.input_scale += t;
  s.qkv += t * qkv_width;
  s.peak += t * heads;
  s.scale += t * heads;
  s.out += t * q_width;
  s.mid += t * hidden;
  s.post_scale += t;
  s.gate_up += t * 2 * ffn;
  return s;
}

Reverse Model::Body::reverse_row(std::size_t layer, std::size_t row) const {
  Reverse r = training->reverse[layer % 2];
  const std::size_t t = row * context;
  for (float** p : {&r.normed, &r.d_normed, &r.post_normed, &r.d_post_normed, &r.d_mid}) {
    *p += t * hidden;
  }
  r.d_qkv += t * qkv_width;
  r.act += t * ffn;
  r.d_gate_up += t * 2 * ffn;
  return r;
}

void Model::Body::product_back(const Matrix& w, const float* d_y, std::size_t d_y_row,
                               std::size_t tokens, float* d_x, bool add) const {
  Gemm g;
  g.m = tokens, g.n = w.inputs, g.k = w.outputs;
  g.a = d_y, g.a_row = d_y_row;
  g.b = {w.back_panels, 0};
  g.c = d_x, g.c_row = w.inputs;
  g.start = add ? d_x : nullptr, g.start_row = w.inputs;
  kernels.gemm(g);
}

double Model::Body::row_train(std::span<const Token> tokens, std::size_t row, float scale,
                              const Scratch& s) const {
  const Training& t = *training;
  const std::size_t first = row * context;
  embed(tokens.first(context), t.saved[0].x + first * hidden);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    float* const all = i + 1 < layers.size() ? t.saved[i + 1].x : t.x_final;
    layer_forward(i, context, saved_row(i, row), all + first * hidden, s);
  }
  const float* const x = t.x_final + first * hidden;
  float* const normed = t.normed + first * hidden;
  float* const d_normed = t.d_normed + first * hidden;
  float* const logits = t.d_logits + first * vocab;
  const float* const weight = parameters + final_norm;
  kernels.rms_norm(context, hidden, x, weight, norm_eps, normed, t.final_scale + first);
  product(head, normed, context, logits, vocab);
  double total = 0;
  for (std::size_t i = 0; i < context; ++i) {
    float* const logit = logits + i * vocab;
    const float wanted = logit[tokens[i + 1]];
    float peak = 0, sum = 0;
    kernels.softmax_gradient(vocab, logit, tokens[i + 1], scale, &peak, &sum);
    total += exact_log(sum) + (static_cast<double>(peak) - static_cast<double>(wanted));
  }
  product_back(head, logits, vocab, context, d_normed, false);
  kernels.rms_backward(context, hidden, x, weight, t.final_scale + first, d_normed, nullptr,
                       t.d_x[layers.size() % 3] + first * hidden);
  return total / static_cast<double>(context);
}

void Model::Body::mlp_backward(std::size_t layer, std::size_t row, const Scratch& s) const {
  const LayerWeights& l = layers[layer];
  const Saved saved = saved_row(layer, row);
  const Reverse r = reverse_row(layer, row);
  const float* const d_out = training->d_x[(layer + 1) % 3] + row * context * hidden;
  float* const d_act = s.act;
  product_back(l.down, d_out, hidden, context, d_act, false);
  kernels.swiglu_backward(context, ffn, saved.gate_up, d_act, r.act, r.d_gate_up);
  product_back(l.gate, r.d_gate_up, 2 * ffn, context, r.d_post_normed, false);
  product_back(l.up, r.d_gate_up + ffn, 2 * ffn, context, r.d_post_normed, true);
  const float* const weight = parameters + l.post_norm;
  kernels.rms_apply(context, hidden, saved.mid, weight, saved.post_scale, r.post_normed);
  kernels.rms_backward(context, hidden, saved.mid, weight, saved.post_scale, r.d_post_normed, d_out,
                       r.d_mid);
}

void Model::Body::attention_backward(std::size_t layer, std::size_t row, const Scratch& s) const {
  const LayerWeights& l = layers[layer];
  const Saved saved = saved_row(layer, row);
  const Reverse r = reverse_row(layer, row);
  product_back(l.o, r.d_mid, hidden, context, s.d_out, false);
  for (std::size_t i = 0; i < kv_heads; ++i) {
    Attention a = attention(saved, context, i, s);
    a.d_out = s.d_out + i * group * head_size;
    a.d_q = r.d_qkv + i * group * head_size;
    a.d_k = r.d_qkv + q_width + i * head_size;
    a.d_v = r.d_qkv + q_width + kv_width + i * head_size;
    kernels.attention_backward(a);
  }
  kernels.rope(context, heads + kv_heads, head_size, qkv_width, cos.data(), sin.data(), true,
               r.d_qkv);
  product_back(l.q, r.d_qkv, qkv_width, context, r.d_normed, false);
  product_back(l.k, r.d_qkv + q_width, qkv_width, context, r.d_normed, true);
  product_back(l.v, r.d_qkv + q_width + kv_width, qkv_width, context, r.d_normed, true);
  const float* const weight = parameters + l.input_norm;
  kernels.rms_apply(context, hidden, saved.x, weight, saved.input_scale, r.normed);
  kernels.rms_backward(context, hidden, saved.x, weight, saved.input_scale, r.d_normed, r.d_mid,
                       training->d_x[layer % 3] + row * context * hidden);
}

void Model::Body::row_layer_backward(std::size_t layer, std::size_t row, const Scratch& s) const {
  mlp_backward(layer, row, s);
  attention_backward(layer, row, s);
}

namespace {

// One matrix's gradient: d_w[outputs, inputs] += d_y[tokens, outputs]ᵀ · x[tokens, inputs].
struct WeightGradient {
  const Matrix* matrix;
  const float* d_y;
  std::size_t d_y_row;
  const float* x;
};

void run_piece(const Kernels& kernels, const WeightGradient& w, std::size_t tokens,
               std::size_t piece, float* gradients) {
  const std::size_t begin = piece * kTaskOutputs;
  float* const c = gradients + w.matrix->offset + begin * w.matrix->inputs;
  Gemm g;
  g.m = std::min(kTaskOutputs, w.matrix->outputs - begin);
  g.n = w.matrix->inputs, g.k = tokens;
  g.a = w.d_y + begin, g.a_row = 1, g.a_column = w.d_y_row;
  g.b = {w.x, w.matrix->inputs};
  g.c = c, g.c_row = w.matrix->inputs;
  g.start = c, g.start_row = w.matrix->inputs;
  kernels.gemm(g);
}

}  // namespace

std::size_t Model::Body::layer_gradient_tasks() const {
  std::size_t tasks = 1;  // the two norms
  const LayerWeights& l = layers[0];
  for (const Matrix* m : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down}) {
    tasks += pieces(m->outputs, kTaskOutputs);
  }
  return tasks;
}

void Model::Body::layer_gradient(std::size_t layer, std::size_t rows, std::size_t task) const {
  const LayerWeights& l = layers[layer];
  const Saved& s = training->saved[layer];
  const Reverse& r = training->reverse[layer % 2];
  const std::size_t tokens = rows * context;
  const float* const d_out = training->d_x[(layer + 1) % 3];
  const std::array<WeightGradient, 7> all = {{
      {&l.gate, r.d_gate_up, 2 * ffn, r.post_normed},
      {&l.up, r.d_gate_up + ffn, 2 * ffn, r.post_normed},
      {&l.down, d_out, hidden, r.act},
      {&l.q, r.d_qkv, qkv_width, r.normed},
      {&l.k, r.d_qkv + q_width, qkv_width, r.normed},
      {&l.v, r.d_qkv + q_width + kv_width, qkv_width, r.normed},
      {&l.o, r.d_mid, hidden, s.out},
  }};
  for (const WeightGradient& w : all) {
    const std::size_t count = pieces(w.matrix->outputs, kTaskOutputs);
    if (task < count) return run_piece(kernels, w, tokens, task, training->gradients);
    task -= count;
  }
  kernels.rms_weight_gradient(tokens, hidden, s.x, s.input_scale, r.d_normed, 0, hidden,
                              training->gradients + l.input_norm);
  kernels.rms_weight_gradient(tokens, hidden, s.mid, s.post_scale, r.d_post_normed, 0, hidden,
                              training->gradients + l.post_norm);
}

std::size_t Model::Body::head_gradient_tasks() const {
  return pieces(head.outputs, kTaskOutputs) + 1;
}

void Model::Body::head_gradient(std::size_t rows, std::size_t task) const {
  const Training& t = *training;
  const std::size_t tokens = rows * context;
  if (task + 1 < head_gradient_tasks()) {
    run_piece(kernels, {&head, t.d_logits, vocab, t.normed}, tokens, task, t.gradients);
  } else {
    kernels.rms_weight_gradient(tokens, hidden, t.x_final, t.final_scale, t.d_normed, 0, hidden,
                                t.gradients + final_norm);
  }
}

std::size_t Model::Body::embedding_gradient_tasks() const { return pieces(hidden, kTaskColumns); }

void Model::Body::embedding_gradient(std::span<const Token> tokens, std::size_t rows,
                                     std::size_t task) const {
  const std::size_t begin = task * kTaskColumns;
  const std::size_t columns = std::min(kTaskColumns, hidden - begin);
  const float* d_x = training->d_x[0] + begin;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t t = 0; t < context; ++t, d_x += hidden) {
      const Token token = tokens[r * (context + 1) + t];
      kernels.add(columns, d_x, training->embedding + token * hidden + begin);
    }
  }
}

void Model::Body::batch_gradient(std::span<const Token> tokens, std::size_t rows, float scale,
                                 std::span<double> losses) {
  pack();
  const std::size_t length = context + 1;
  pool.run(static_cast<std::uint32_t>(rows), [&](std::uint32_t row, unsigned thread) {
    losses[row] = row_train(tokens.subspan(row * length, length), row, scale, scratch[thread]);
  });
  // A layer's rows go backward while the weight gradients of the layer above are summed.
  for (std::size_t above = layers.size(); above > 0; --above) {
    const std::size_t layer = above - 1;
    const bool head_next = above == layers.size();
    const std::size_t weights = head_next ? head_gradient_tasks() : layer_gradient_tasks();
    pool.run(static_cast<std::uint32_t>(rows + weights), [&](std::uint32_t task, unsigned thread) {
      if (task < rows) {
        row_layer_backward(layer, task, scratch[thread]);
      } else if (head_next) {
        head_gradient(rows, task - rows);
      } else {
        layer_gradient(above, rows, task - rows);
      }
    });
  }
  const std::size_t weights = layer_gradient_tasks();
  const std::size_t all = weights + embedding_gradient_tasks();
  pool.run(static_cast<std::uint32_t>(all), [&](std::uint32_t task, unsigned) {
    if (task < weights) {
      layer_gradient(0, rows, task);
    } else {
      embedding_gradient(tokens, rows, task - weights);
    }
  });
}

}  // namespace harambee::trainer
