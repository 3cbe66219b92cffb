#include "trainer/exact/model.h"

#include <algorithm>
#include <cstring>

#include "trainer/exact/body.h"
#include "trainer/exact/math.h"

namespace harambee::trainer {
namespace {

constexpr std::size_t kTokensPerThread = 256;

std::string layer_name(std::size_t layer, const char* rest) {
  return "model.layers." + std::to_string(layer) + "." + rest;
}

Matrix matrix_at(const format::ModelLayout& layout, const std::string& name) {
  const format::TensorPlace& place = layout.at(name);
  return {place.offset, place.shape[0], place.shape[1]};
}

// The angle per position of pair i: theta^(-2i/d), stretched as Llama 3.1 does.
double frequency(double theta, std::size_t i, std::size_t head_size,
                 const std::optional<RopeScaling>& scaling) {
  const double power = static_cast<double>(2 * i) / static_cast<double>(head_size);
  const double f = exact_exp(-(power * exact_log(theta)));
  if (!scaling) return f;
  const double wavelength = 0x1.921fb54442d18p+2 / f;
  const double low = scaling->original_context / scaling->low_freq_factor;
  const double high = scaling->original_context / scaling->high_freq_factor;
  if (wavelength < high) return f;
  if (wavelength > low) return f / scaling->factor;
  const double smooth = (scaling->original_context / wavelength - scaling->low_freq_factor) /
                        (scaling->high_freq_factor - scaling->low_freq_factor);
  return (1.0 - smooth) * f / scaling->factor + smooth * f;
}

Error too_large(std::uint64_t bytes, std::uint64_t bytes_max) {
  return fail(ErrorCode::limit, "the model needs " + std::to_string(bytes >> 20) +
                                    " MiB, more than the limit of " +
                                    std::to_string(bytes_max >> 20) + " MiB");
}

}  // namespace

Model::Body::Body(const format::ModelLayout& model_layout, const ModelOptions& model_options)
    : layout(model_layout),
      kernels(model_options.kernels ? *model_options.kernels : best_kernels()),
      options(model_options),
      pool(model_options.threads) {
  const format::ModelConfig& config = layout.config();
  context = config.context;
  hidden = config.hidden;
  ffn = config.ffn;
  vocab = config.vocab;
  heads = config.heads;
  kv_heads = config.kv_heads;
  head_size = config.head_dim();
  group = heads / kv_heads;
  q_width = heads * head_size;
  kv_width = kv_heads * head_size;
  qkv_width = q_width + 2 * kv_width;
  norm_eps = static_cast<float>(config.norm_eps.to_double());
  find_weights();
}

void Model::Body::find_weights() {
  const format::ModelConfig& config = layout.config();
  layers.resize(config.layers);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    LayerWeights& l = layers[i];
    l.input_norm = layout.at(layer_name(i, "input_layernorm.weight")).offset;
    l.post_norm = layout.at(layer_name(i, "post_attention_layernorm.weight")).offset;
    l.q = matrix_at(layout, layer_name(i, "self_attn.q_proj.weight"));
    l.k = matrix_at(layout, layer_name(i, "self_attn.k_proj.weight"));
    l.v = matrix_at(layout, layer_name(i, "self_attn.v_proj.weight"));
    l.o = matrix_at(layout, layer_name(i, "self_attn.o_proj.weight"));
    l.gate = matrix_at(layout, layer_name(i, "mlp.gate_proj.weight"));
    l.up = matrix_at(layout, layer_name(i, "mlp.up_proj.weight"));
    l.down = matrix_at(layout, layer_name(i, "mlp.down_proj.weight"));
  }
  embedding = layout.at("model.embed_tokens.weight").offset;
  final_norm = layout.at("model.norm.weight").offset;
  head = matrix_at(layout, config.tied ? "model.embed_tokens.weight" : "lm_head.weight");
}

void Model::Body::make_rotations() {
  const std::size_t half = head_size / 2;
  const double theta = layout.config().rope_theta.to_double();
  cos.resize(context * half);
  sin.resize(context * half);
  for (std::size_t i = 0; i < half; ++i) {
    const double f = frequency(theta, i, head_size, options.rope_scaling);
    for (std::size_t t = 0; t < context; ++t) {
      const SinCos angle = exact_sin_cos(static_cast<double>(t) * f);
      cos[t * half + i] = static_cast<float>(angle.cos);
      sin[t * half + i] = static_cast<float>(angle.sin);
    }
  }
}

void Model::Body::carve_saved(Arena& arena, Saved& saved, std::size_t rows, bool shares_x) const {
  const std::size_t tokens = rows * context;
  if (!shares_x) saved.x = arena.take(tokens * hidden);
  saved.input_scale = arena.take(tokens);
  saved.qkv = arena.take(tokens * qkv_width);
  saved.peak = arena.take(tokens * heads);
  saved.scale = arena.take(tokens * heads);
  saved.out = arena.take(tokens * q_width);
  saved.mid = arena.take(tokens * hidden);
  saved.post_scale = arena.take(tokens);
  saved.gate_up = arena.take(tokens * 2 * ffn);
}

std::vector<Matrix*> Model::Body::matrices() {
  std::vector<Matrix*> all = {&head};
  for (LayerWeights& l : layers) {
    all.insert(all.end(), {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down});
  }
  return all;
}

void Model::Body::carve_back_panels(Arena& arena) {
  for (Matrix* m : matrices()) {
    m->back_panels = arena.take(packed_size(kernels, m->inputs, m->outputs));
  }
}

void Model::Body::carve(Arena& arena) {
  parameters = arena.take(layout.parameters());
  for (Matrix* m : matrices()) m->panels = arena.take(packed_size(kernels, m->outputs, m->inputs));
  scratch.resize(pool.threads());
  for (Scratch& s : scratch) {
    s.x = arena.take(context * hidden);
    s.x_next = arena.take(context * hidden);
    s.normed = arena.take(context * hidden);
    s.act = arena.take(context * ffn);
    s.d_out = arena.take(context * q_width);
    s.logits = arena.take(context * vocab);
    s.final_scale = arena.take(context);
    s.attention = arena.take(attention_scratch(context, head_size));
    carve_saved(arena, s.saved, 1, true);
  }
}

void Model::Body::carve_training(Arena& arena, Training& t, std::size_t rows) const {
  const std::size_t tokens = rows * context;
  t.rows = rows;
  t.gradients = arena.take(layout.parameters());
  t.embedding = arena.take(layout.config().tied ? vocab * hidden : 0);
  if (!layout.config().tied && t.gradients) t.embedding = t.gradients + embedding;
  t.saved.resize(layers.size());
  for (Saved& saved : t.saved) carve_saved(arena, saved, rows, false);
  t.x_final = arena.take(tokens * hidden);
  t.final_scale = arena.take(tokens);
  t.normed = arena.take(tokens * hidden);
  t.d_normed = arena.take(tokens * hidden);
  t.d_logits = arena.take(tokens * vocab);
  for (float*& d_x : t.d_x) d_x = arena.take(tokens * hidden);
  for (Reverse& r : t.reverse) {
    for (float** p : {&r.normed, &r.d_normed, &r.post_normed, &r.d_post_normed, &r.d_mid}) {
      *p = arena.take(tokens * hidden);
    }
    r.d_qkv = arena.take(tokens * qkv_width);
    r.act = arena.take(tokens * ffn);
    r.d_gate_up = arena.take(tokens * 2 * ffn);
  }
}

std::uint64_t Model::Body::training_floats(std::size_t rows) {
  Training measured;
  Arena arena(nullptr);
  carve_back_panels(arena);
  carve_training(arena, measured, rows);
  return arena.used();
}

Result<std::unique_ptr<Model>> Model::make(const format::ModelLayout& layout,
                                           const ModelOptions& options) {
  if (!float_mode_is_exact()) {
    return fail(ErrorCode::refused, "floating-point rounding or subnormals are not IEEE's default");
  }
  auto body = std::make_unique<Body>(layout, options);
  Arena measure(nullptr);
  body->carve(measure);
  const std::uint64_t bytes = std::uint64_t{measure.used()} * sizeof(float);
  if (bytes > options.memory_bytes_max) return too_large(bytes, options.memory_bytes_max);
  body->memory = FloatBuffer::make(measure.used());
  if (body->memory.data() == nullptr) return too_large(bytes, 0);
  body->make_rotations();
  Arena arena(body->memory.data());
  body->carve(arena);
  return std::unique_ptr<Model>(new Model(std::move(body)));
}

Model::Model(std::unique_ptr<Body> body) : body_(std::move(body)) {}
Model::~Model() = default;

const format::ModelLayout& Model::layout() const { return body_->layout; }
const Kernels& Model::kernels() const { return body_->kernels; }
Pool& Model::pool() { return body_->pool; }
std::span<float> Model::parameters() { return {body_->parameters, body_->layout.parameters()}; }
void Model::touch() { body_->packed = false; }
std::size_t Model::rows_at_once() const { return body_->training ? body_->training->rows : 0; }

std::size_t Model::fast_rows(std::size_t batch) const {
  const std::size_t each = (kTokensPerThread + body_->context - 1) / body_->context;
  return std::min(batch, each * body_->pool.threads());
}

void Model::release_training() {
  for (Matrix* m : body_->matrices()) m->back_panels = nullptr;
  body_->training.reset();
  body_->packed = false;
}

Status Model::reserve_training(std::size_t rows) {
  HARAMBEE_CHECK(rows > 0);
  release_training();
  const std::uint64_t used = std::uint64_t{body_->memory.size()} * sizeof(float);
  const std::uint64_t left = body_->options.memory_bytes_max - used;
  while (rows > 1 && body_->training_floats(rows) * sizeof(float) > left) rows = (rows + 1) / 2;
  const std::uint64_t floats = body_->training_floats(rows);
  if (floats * sizeof(float) > left) {
    return too_large(used + floats * sizeof(float), body_->options.memory_bytes_max);
  }
  auto training = std::make_unique<Training>();
  training->memory = FloatBuffer::make(floats);
  if (training->memory.data() == nullptr) return too_large(floats * sizeof(float), 0);
  Arena arena(training->memory.data());
  body_->carve_back_panels(arena);
  body_->carve_training(arena, *training, rows);
  body_->training = std::move(training);
  return ok();
}

std::span<float> Model::gradients() {
  HARAMBEE_CHECK(body_->training != nullptr);
  return {body_->training->gradients, body_->layout.parameters()};
}

void Model::gradient(std::span<const Token> tokens, std::size_t rows, std::span<double> losses) {
  Body& b = *body_;
  const std::size_t row = b.context + 1;
  HARAMBEE_CHECK(b.training != nullptr && tokens.size() == rows * row && losses.size() == rows);
  for (const Token token : tokens) HARAMBEE_CHECK(token < b.vocab);
  std::memset(b.training->gradients, 0, b.layout.parameters() * sizeof(float));
  const bool tied = b.layout.config().tied;
  if (tied) std::memset(b.training->embedding, 0, b.vocab * b.hidden * sizeof(float));
  const float scale = 1.0f / static_cast<float>(rows * b.context);
  // Every gradient is one chain over all tokens in order, so the pieces of a batch leave no trace.
  for (std::size_t r = 0; r < rows; r += b.training->rows) {
    const std::size_t count = std::min(b.training->rows, rows - r);
    b.batch_gradient(tokens.subspan(r * row, count * row), count, scale, losses.subspan(r, count));
  }
  if (tied) {
    b.kernels.add(b.vocab * b.hidden, b.training->embedding, b.training->gradients + b.embedding);
  }
}

void Model::losses(std::span<const Token> tokens, std::size_t rows, std::span<double> losses) {
  Body& b = *body_;
  const std::size_t row = b.context + 1;
  HARAMBEE_CHECK(tokens.size() == rows * row && losses.size() == rows);
  for (const Token token : tokens) HARAMBEE_CHECK(token < b.vocab);
  b.pack();
  b.pool.run(static_cast<std::uint32_t>(rows), [&](std::uint32_t task, unsigned thread) {
    losses[task] = b.row_loss(tokens.subspan(task * row, row), b.scratch[thread]);
  });
}

void Model::logits(std::span<const Token> tokens, std::span<float> out) {
  Body& b = *body_;
  HARAMBEE_CHECK(tokens.size() >= 1 && tokens.size() <= b.context);
  HARAMBEE_CHECK(out.size() == tokens.size() * b.vocab);
  for (const Token token : tokens) HARAMBEE_CHECK(token < b.vocab);
  b.pack();
  b.row_logits(tokens, b.scratch[0], out.data());
}

}  // namespace harambee::trainer
