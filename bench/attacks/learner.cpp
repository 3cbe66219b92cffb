#include "bench/attacks/learner.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>

#include "base/check.h"
#include "format/model.h"
#include "trainer/exact/inner.h"
#include "trainer/exact/trainer.h"

namespace harambee::attack_bench {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kDomainBytesMax = 192 * 1024;
constexpr std::size_t kDomainBytesMin = 24 * 1024;

std::string read_folders(const fs::path& root, const std::vector<std::string>& folders,
                         const std::string& extension) {
  std::vector<fs::path> files;
  for (const std::string& folder : folders) {
    std::error_code ignored;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder, ignored)) {
      if (entry.is_regular_file() && entry.path().extension() == extension) {
        files.push_back(entry.path());
      }
    }
  }
  std::ranges::sort(files);
  std::string text;
  for (const fs::path& file : files) {
    if (text.size() >= kDomainBytesMax) break;
    std::ifstream in(file, std::ios::binary);
    text.append(std::istreambuf_iterator<char>(in), {});
  }
  text.resize(std::min(text.size(), kDomainBytesMax));
  return text;
}

format::ModelConfig config_of(const Plan& plan) {
  format::ModelConfig config;
  config.hidden = plan.hidden, config.layers = plan.layers, config.heads = plan.heads;
  config.kv_heads = plan.heads, config.ffn = plan.ffn, config.vocab = 256;
  config.context = plan.context, config.tied = true;
  config.rope_theta = Decimal{10'000'000'000'000};
  config.norm_eps = Decimal{10'000};
  return config;
}

trainer::InnerConfig inner_rules() {
  trainer::InnerConfig inner;
  inner.beta1 = 0.9, inner.beta2 = 0.99, inner.eps = 1e-8, inner.weight_decay = 0.1;
  inner.clip = 1;
  return inner;
}

void copy_row(const std::string& text, std::uint64_t at, std::span<Token> row) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    row[i] = static_cast<unsigned char>(text[(at + i) % text.size()]);
  }
}

}  // namespace

Result<std::vector<Domain>> read_domains(const std::string& repository) {
  struct Kind {
    std::string name;
    std::vector<std::string> folders;
    std::string extension;
  };
  const std::vector<Kind> kinds{{"prose", {"docs", "spec"}, ".md"},
                                {"sources", {"src", "trainer"}, ".cpp"},
                                {"headers", {"src", "trainer"}, ".h"},
                                {"python", {"bench", "examples", "tests"}, ".py"}};
  std::vector<Domain> domains;
  for (const Kind& kind : kinds) {
    const std::string text = read_folders(repository, kind.folders, kind.extension);
    if (text.size() < kDomainBytesMin) {
      return fail(ErrorCode::not_found, "too little text (" + kind.name + ") under " + repository +
                                            ": this needs the repository's sources");
    }
    const std::size_t train = text.size() / 10 * 9;
    domains.push_back({kind.name, text.substr(0, train), text.substr(train)});
  }
  return domains;
}

Digest Plan::digest(std::string_view what, std::uint64_t a, std::uint64_t b) const {
  const std::string text = std::string(what) + " " + std::to_string(seed) + " " +
                           std::to_string(a) + " " + std::to_string(b);
  return sha256(view(text));
}

Learner::Learner(const Plan& plan, std::span<const Domain> domains)
    : plan_(plan), domains_(domains) {
  const format::ModelLayout layout = format::ModelLayout::make(config_of(plan)).value();
  model_ = trainer::Model::make(layout, {}).value();
  const std::size_t rows = std::max(plan.batch, plan.warm_batch);
  HARAMBEE_CHECK(model_->reserve_training(rows).ok());
}

std::size_t Learner::parameters() const { return model_->layout().parameters(); }

trainer::AdamW Learner::optimizer() const { return trainer::AdamW::make(model_->layout()).value(); }

void Learner::load(const Vector& weights) {
  std::ranges::copy(weights, model_->parameters().begin());
  model_->touch();
}

Vector Learner::warm_start() {
  Vector weights(parameters());
  trainer::init_weights(model_->layout(), plan_.digest("init"), weights);
  trainer::AdamW moments = optimizer();
  return train(weights, moments, {}, plan_.warm_steps, plan_.warm_batch, nullptr,
               plan_.digest("warm"), plan_.warm_rate);
}

void Learner::draw_row(const Diet& diet, Rng& rng, std::span<Token> row) const {
  const bool own = rng.below(100) < diet.own_percent;
  const std::string& text =
      domains_[own ? diet.domain : static_cast<std::size_t>(rng.below(domains_.size()))].train;
  copy_row(text, rng.below(text.size() - row.size()), row);
}

Vector Learner::train(const Vector& base, trainer::AdamW& optimizer, const Diet& diet,
                      std::uint32_t steps, std::uint32_t batch, attacks::Poison poison,
                      const Digest& seed, double rate) {
  load(base);
  const std::size_t length = plan_.context + 1;
  std::vector<Token> tokens(batch * length);
  std::vector<double> losses(batch);
  Rng rng(seed);
  const trainer::InnerConfig inner = inner_rules();
  for (std::uint32_t step = 0; step < steps; ++step) {
    for (std::uint32_t row = 0; row < batch; ++row) {
      const std::span<Token> place = std::span(tokens).subspan(row * length, length);
      draw_row(diet, rng, place);
      if (poison != nullptr) poison(place, rng);
    }
    model_->gradient(tokens, batch, losses);
    (void)optimizer.step(*model_, inner, rate);
  }
  const std::span<const float> trained = model_->parameters();
  return {trained.begin(), trained.end()};
}

std::vector<Token> Learner::train_rows(const Diet& diet, std::uint32_t rows,
                                       const Digest& seed) const {
  const std::size_t length = plan_.context + 1;
  std::vector<Token> tokens(rows * length);
  Rng rng(seed);
  for (std::uint32_t row = 0; row < rows; ++row) {
    draw_row(diet, rng, std::span(tokens).subspan(row * length, length));
  }
  return tokens;
}

double Learner::mean_loss(const Vector& weights, std::span<const Token> rows) {
  load(weights);
  std::vector<double> losses(rows.size() / (plan_.context + 1));
  model_->losses(rows, losses.size(), losses);
  return std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
}

std::vector<Token> Learner::held_out_rows(std::uint32_t rows, const Digest& seed) const {
  const std::size_t length = plan_.context + 1;
  const std::size_t each = rows / domains_.size();
  std::vector<Token> tokens(each * domains_.size() * length);
  Rng rng(seed);
  for (std::size_t row = 0; row < each * domains_.size(); ++row) {
    const std::string& text = domains_[row / each].held_out;
    copy_row(text, rng.below(text.size() - length),
             std::span(tokens).subspan(row * length, length));
  }
  return tokens;
}

std::vector<double> Learner::losses(const Vector& weights, std::span<const Token> rows) {
  load(weights);
  const std::size_t count = rows.size() / (plan_.context + 1);
  std::vector<double> row_losses(count);
  model_->losses(rows, count, row_losses);
  const std::size_t each = count / domains_.size();
  std::vector<double> out(domains_.size());
  for (std::size_t row = 0; row < count; ++row) {
    out[row / each] += row_losses[row] / static_cast<double>(each);
  }
  return out;
}

double Learner::loss(const Vector& weights, std::span<const Token> rows) {
  const std::vector<double> all = losses(weights, rows);
  return std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size());
}

}  // namespace harambee::attack_bench
