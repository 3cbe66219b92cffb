#include "trainer/exact/trainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/rng.h"
#include "trainer/exact/math.h"

namespace harambee::trainer {
namespace {

bool ends_with(const std::string& text, std::string_view end) {
  return std::string_view(text).ends_with(end);
}

// Irwin–Hall: twelve uniforms of 32 bits minus six. Integers until the end, so it is exact.
double normal(Rng& rng) {
  std::int64_t sum = 0;
  for (int i = 0; i < 6; ++i) {
    const std::uint64_t two = rng.next();
    sum += static_cast<std::int64_t>(two >> 32) + static_cast<std::int64_t>(two & 0xffffffffu);
  }
  return static_cast<double>(sum - 6 * (std::int64_t{1} << 32)) / 4294967296.0;
}

// One byte: weights 2^32 e^((logit - peak) / temperature), rounded down to integers.
std::uint8_t sample(std::span<const float> logits, double temperature, Rng& rng) {
  const std::size_t best =
      static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  if (temperature <= 0) return static_cast<std::uint8_t>(best);
  std::array<std::uint64_t, 256> weight{};
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double x =
        (static_cast<double>(logits[i]) - static_cast<double>(logits[best])) / temperature;
    weight[i] = x < -40 ? 0 : static_cast<std::uint64_t>(exact_exp(x) * 4294967296.0);
    total += weight[i];
  }
  std::uint64_t pick = rng.below(total);
  for (std::size_t i = 0; i < weight.size(); ++i) {
    if (pick < weight[i]) return static_cast<std::uint8_t>(i);
    pick -= weight[i];
  }
  return static_cast<std::uint8_t>(best);
}

}  // namespace

std::int64_t nano_nats(double nats) {
  const double x = nats * 1e9;
  return static_cast<std::int64_t>(x < 0 ? x - 0.5 : x + 0.5);
}

void init_weights(const format::ModelLayout& layout, const Digest& seed, std::span<float> out) {
  HARAMBEE_CHECK(out.size() == layout.parameters());
  const double residual = 0.02 / std::sqrt(2.0 * static_cast<double>(layout.config().layers));
  for (const format::TensorPlace& tensor : layout.tensors()) {
    float* const p = out.data() + tensor.offset;
    if (tensor.shape.size() == 1) {
      std::fill_n(p, tensor.size, 1.0f);
      continue;
    }
    Rng rng(sha256({view("harambee init v1\n"), seed.view(), view(tensor.name)}));
    const bool into_residual =
        ends_with(tensor.name, "o_proj.weight") || ends_with(tensor.name, "down_proj.weight");
    const double deviation = into_residual ? residual : 0.02;
    for (std::size_t i = 0; i < tensor.size; ++i) {
      p[i] = static_cast<float>(deviation * normal(rng));
    }
  }
}

Trainer::Trainer(std::unique_ptr<Model> model) : model_(std::move(model)) {}

Result<std::unique_ptr<Trainer>> Trainer::make(const format::ModelConfig& config,
                                               const ModelOptions& options) {
  if (const Status valid = config.validate(); !valid) return valid.error();
  if (config.vocab != 256) return invalid("model.vocab must be 256: a token is a byte");
  const Result<format::ModelLayout> layout = format::ModelLayout::make(config);
  if (!layout) return layout.error();
  Result<std::unique_ptr<Model>> model = Model::make(*layout, options);
  if (!model) return model.error();
  return std::unique_ptr<Trainer>(new Trainer(std::move(*model)));
}

Status Trainer::load(const std::string& path) {
  // What was packed from older parameters is stale even if reading fails half-way.
  model_->touch();
  return read_weights(model_->layout(), path, model_->parameters());
}

Result<Digest> Trainer::init(const Digest& seed, const std::string& out) {
  model_->touch();
  init_weights(model_->layout(), seed, model_->parameters());
  return write_weights(model_->layout(), model_->parameters(), out);
}

Result<TrainResult> Trainer::train(const TrainTask& task,
                                   const std::function<bool(const StepReport&)>& report) {
  const std::size_t context = model_->layout().config().context;
  const Result<Corpus> corpus = Corpus::open(task.shards, context);
  if (!corpus) return corpus.error();
  if (Status s = load(task.base); !s) return s.error();
  if (!optimizer_) {
    Result<AdamW> made = AdamW::make(model_->layout());
    if (!made) return made.error();
    optimizer_ = std::move(*made);
  }
  optimizer_->reset();
  if (task.state) {
    if (Status s = read_state(*task.state, *optimizer_); !s) return s.error();
  }
  if (Status s = model_->reserve_training(model_->fast_rows(task.inner.batch)); !s)
    return s.error();

  const std::size_t batch = task.inner.batch;
  std::vector<Token> tokens(batch * (context + 1));
  std::vector<double> losses(batch);
  TrainResult result;
  for (std::uint64_t step = 0; step < task.inner.steps; ++step) {
    for (std::size_t row = 0; row < batch; ++row) {
      const std::uint64_t at = draw(task.seed, step, row) % (corpus->size() - context);
      corpus->read(at, std::span(tokens).subspan(row * (context + 1), context + 1));
    }
    model_->gradient(tokens, batch, losses);
    double total = 0;
    for (const double loss : losses) total += loss;
    const double loss = total / static_cast<double>(batch);
    const double rate = learning_rate(task.inner, task.first_step + step, task.total_steps);
    const double norm = optimizer_->step(*model_, task.inner, rate);
    if (!std::isfinite(loss) || !std::isfinite(norm)) {
      return invalid("training diverged at inner step " + std::to_string(step + 1) +
                     ": the loss or the gradient is not finite");
    }
    result.tokens += batch * context;
    result.steps = step + 1;
    if (step == 0) result.loss_first = nano_nats(loss);
    result.loss_last = nano_nats(loss);
    if (!report({step + 1, loss, result.tokens, norm})) {
      return fail(ErrorCode::cancelled, "nobody listens any more");
    }
  }
  const Result<Digest> state = write_state(*optimizer_, task.state_out);
  if (!state) return state.error();
  const Result<Digest> weights = write_weights(model_->layout(), model_->parameters(), task.out);
  if (!weights) return weights.error();
  result.state = *state;
  result.weights = *weights;
  return result;
}

Result<std::vector<std::int64_t>> Trainer::evaluate(const std::string& weights,
                                                    const std::vector<std::string>& files,
                                                    std::span<const std::uint64_t> offsets) {
  const std::size_t context = model_->layout().config().context;
  const Result<Corpus> corpus = Corpus::open(files, context);
  if (!corpus) return corpus.error();
  for (const std::uint64_t offset : offsets) {
    if (offset >= corpus->size() - context) {
      return invalid("offset " + std::to_string(offset) + " is beyond the text's last row");
    }
  }
  if (Status s = load(weights); !s) return s.error();
  std::vector<Token> tokens(offsets.size() * (context + 1));
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    corpus->read(offsets[i], std::span(tokens).subspan(i * (context + 1), context + 1));
  }
  std::vector<double> losses(offsets.size());
  model_->losses(tokens, offsets.size(), losses);
  std::vector<std::int64_t> nanos;
  nanos.reserve(losses.size());
  for (const double loss : losses) {
    if (!std::isfinite(loss)) return invalid(weights + ": a loss is not finite");
    nanos.push_back(nano_nats(loss));
  }
  return nanos;
}

Result<Bytes> Trainer::generate(const std::string& weights, View prompt, std::size_t bytes,
                                double temperature, const Digest& seed) {
  if (bytes > kGenerateBytesMax) return fail(ErrorCode::limit, "too many bytes asked for");
  if (Status s = load(weights); !s) return s.error();
  const std::size_t context = model_->layout().config().context;
  const std::size_t vocab = model_->layout().config().vocab;
  std::vector<Token> text(prompt.begin(), prompt.end());
  if (text.empty()) text.push_back('\n');
  std::vector<float> logits(context * vocab);
  Rng rng(seed);
  Bytes out;
  for (std::size_t i = 0; i < bytes; ++i) {
    const std::size_t length = std::min(context, text.size());
    const std::span<const Token> window = std::span(text).last(length);
    const std::span<float> all = std::span(logits).first(length * vocab);
    model_->logits(window, all);
    const std::span<const float> last = all.last(vocab);
    for (const float x : last) {
      if (!std::isfinite(x)) return invalid(weights + ": a logit is not finite");
    }
    out.push_back(sample(last, temperature, rng));
    text.push_back(out.back());
  }
  return out;
}

}  // namespace harambee::trainer
