#include "trainer/exact/inner.h"

#include <string>

#include "base/decimal.h"
#include "trainer/exact/math.h"

namespace harambee::trainer {
namespace {

Result<std::int64_t> integer_of(const Json& json, const char* key, std::int64_t low,
                                std::int64_t high) {
  const Json* value = json.find(key);
  const std::int64_t* n = value ? value->integer() : nullptr;
  if (n == nullptr || *n < low || *n > high) {
    return invalid(std::string("inner.") + key + " must be an integer in [" + std::to_string(low) +
                   ", " + std::to_string(high) + "]");
  }
  return *n;
}

Result<double> decimal_of(const Json& json, const char* key, double low, double high) {
  const Json* value = json.find(key);
  const std::string* text = value ? value->string() : nullptr;
  if (text == nullptr) return invalid(std::string("inner.") + key + " must be a decimal string");
  const Result<Decimal> decimal = Decimal::parse(*text);
  if (!decimal) return wrap(decimal.error(), std::string("inner.") + key);
  const double x = decimal->to_double();
  if (x < low || x > high) return invalid(std::string("inner.") + key + " is out of range");
  return x;
}

}  // namespace

Result<InnerConfig> inner_from_json(const Json& json) {
  InnerConfig c;
  if (json.object() == nullptr || json.object()->size() != 10) {
    return invalid("inner must be an object with exactly its ten members");
  }
  const auto batch = integer_of(json, "batch", 1, kInnerBatchMax);
  const auto steps = integer_of(json, "steps", 1, kInnerStepsMax);
  const auto warmup = integer_of(json, "warmup", 0, kJsonIntegerMax);
  for (const auto* n : {&batch, &steps, &warmup}) {
    if (!*n) return n->error();
  }
  c.batch = static_cast<std::uint32_t>(*batch);
  c.steps = static_cast<std::uint32_t>(*steps);
  c.warmup = static_cast<std::uint64_t>(*warmup);
  const double below_one = 1.0 - 1e-9;
  const struct {
    const char* key;
    double* value;
    double low, high;
  } decimals[] = {{"lr", &c.lr, 0, 1000},
                  {"final", &c.final, 0, 1},
                  {"beta1", &c.beta1, 0, below_one},
                  {"beta2", &c.beta2, 0, below_one},
                  {"eps", &c.eps, 1e-9, 1},
                  {"weight_decay", &c.weight_decay, 0, 1000},
                  {"clip", &c.clip, 0, 1e9}};
  for (const auto& d : decimals) {
    const Result<double> x = decimal_of(json, d.key, d.low, d.high);
    if (!x) return x.error();
    *d.value = *x;
  }
  return c;
}

double learning_rate(const InnerConfig& config, std::uint64_t step, std::uint64_t total) {
  if (step < config.warmup) {
    return config.lr * static_cast<double>(step + 1) / static_cast<double>(config.warmup);
  }
  if (total <= config.warmup || step >= total) return config.lr * config.final;
  const double done =
      static_cast<double>(step - config.warmup) / static_cast<double>(total - config.warmup);
  const double wave = 0.5 * (1.0 + exact_sin_cos(0x1.921fb54442d18p+1 * done).cos);
  return config.lr * (config.final + (1.0 - config.final) * wave);
}

}  // namespace harambee::trainer
