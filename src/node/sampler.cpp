#include "node/sampler.h"

#include <atomic>
#include <chrono>
#include <future>
#include <utility>

#include "base/check.h"

namespace harambee::node {
namespace {

Result<fold::Sample> write_texts(const TrainerOptions& options, const format::ModelConfig& model,
                                 const std::vector<Bytes>& prompts,
                                 const std::filesystem::path& file, fold::Sample sample) {
  TrainerProcess trainer(options, model);
  const auto hello = trainer.hello();
  if (!hello) return hello.error();
  sample.numeric_class = hello->numeric_class;
  for (const Bytes& prompt : prompts) {
    auto text = trainer.generate(file, prompt, sample.bytes, sample.temperature, sample.seed);
    if (!text) return text.error();
    if (static_cast<std::int64_t>(text->size()) != sample.bytes) {
      return fail(ErrorCode::limit, "the trainer wrote " + std::to_string(text->size()) +
                                        " bytes, not " + std::to_string(sample.bytes));
    }
    sample.texts.push_back({prompt, *std::move(text)});
  }
  static_cast<void>(trainer.bye());  // it has done its work, however it ends
  return sample;
}

}  // namespace

bool sample_is_due(const SampleRule& rule, const fold::Recipe& recipe, std::int64_t rounds) {
  if (rule.every == 0) return false;
  if (rounds == 0 || rounds == recipe.rounds) return true;
  return rule.every ? rounds % *rule.every == 0 : recipe.checkpoint_due(rounds - 1);
}

struct Sampler::Work {
  std::atomic<bool> stop = false;
  std::future<Result<fold::Sample>> made;
};

Sampler::Sampler(SampleRule rule, TrainerOptions options, const format::ModelConfig& model)
    : rule_(std::move(rule)), options_(std::move(options)), model_(model) {}

Sampler::~Sampler() {
  if (!work_) return;
  work_->stop = true;
  work_->made.wait();
}

bool Sampler::busy() const { return work_ != nullptr; }

void Sampler::begin(const Digest& run, std::int64_t round, const Digest& weights,
                    const std::filesystem::path& file) {
  HARAMBEE_CHECK(!busy());
  fold::Sample sample;
  sample.run = run;
  sample.round = round;
  sample.weights = weights;
  sample.seed = fold::sample_seed(run);
  sample.temperature = rule_.temperature;
  sample.bytes = rule_.bytes;
  work_ = std::make_unique<Work>();
  TrainerOptions options = options_;
  options.keep_going = [work = work_.get()] { return !work->stop; };
  work_->made = std::async(std::launch::async, write_texts, std::move(options), model_,
                           rule_.prompts, file, std::move(sample));
}

std::optional<Result<fold::Sample>> Sampler::take(std::int64_t wait_ms) {
  if (!busy()) return std::nullopt;
  const auto ready = work_->made.wait_for(std::chrono::milliseconds(wait_ms));
  if (ready != std::future_status::ready) return std::nullopt;
  Result<fold::Sample> made = work_->made.get();
  work_.reset();
  return made;
}

}  // namespace harambee::node
