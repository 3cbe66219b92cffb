// The small real model of the attack bench: the exact trainer's library on text of this repository.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "sim/attacks/attack.h"
#include "trainer/exact/model.h"
#include "trainer/exact/optimizer.h"

namespace harambee::attack_bench {

using attacks::Vector;
using trainer::Token;

// Text of one kind; the last tenth is held out.
struct Domain {
  std::string name;
  std::string train, held_out;
};

// Prose (.md), C++ sources, C++ headers, Python, from the folders of the repository, each cut to
// 192 KiB. not_found: too little text for a kind.
[[nodiscard]] Result<std::vector<Domain>> read_domains(const std::string& repository);

struct Plan {
  std::uint32_t hidden = 32, layers = 2, heads = 2, ffn = 96, context = 32;
  std::uint32_t peers = 20, rounds = 20;
  std::uint32_t steps = 5, batch = 4;  // of a peer in a round
  double learning_rate = 0.003, warm_rate = 0.003;
  std::uint32_t warm_steps = 100, warm_batch = 16;
  std::uint32_t keep = 128, down_keep = 512;
  double outer_rate = 4;
  double gate_step = 0.25;
  std::uint32_t gate_rows = 32, report_rows = 512;
  bool shares = false;    // the gate's gain on everything is weighted by what the peers have
  std::uint32_t own = 0;  // validators that measure how often work is better on its own rows
  std::uint64_t seed = 1;

  [[nodiscard]] Digest digest(std::string_view what, std::uint64_t a = 0,
                              std::uint64_t b = 0) const;
};

// What a peer's rows are drawn from: of each hundred, `own` come from its own domain, the rest from
// any.
struct Diet {
  std::size_t domain = 0;
  std::uint32_t own_percent = 0;
};

// One model in memory. Not thread-safe; its results do not depend on which thread uses it.
class Learner {
 public:
  // `domains` outlives it.
  Learner(const Plan& plan, std::span<const Domain> domains);

  [[nodiscard]] std::size_t parameters() const;
  // Fresh moments.
  [[nodiscard]] trainer::AdamW optimizer() const;
  // The weights that all runs start from.
  [[nodiscard]] Vector warm_start();
  // `steps` inner steps from `base`; the moments go on in `optimizer`.
  [[nodiscard]] Vector train(const Vector& base, trainer::AdamW& optimizer, const Diet& diet,
                             std::uint32_t steps, std::uint32_t batch, attacks::Poison poison,
                             const Digest& seed, double rate);
  // The rows that train() draws from this seed for this diet, without poison.
  [[nodiscard]] std::vector<Token> train_rows(const Diet& diet, std::uint32_t rows,
                                              const Digest& seed) const;
  [[nodiscard]] double mean_loss(const Vector& weights, std::span<const Token> rows);
  // Rows of held-out text, the same number of each domain, one domain after another.
  [[nodiscard]] std::vector<Token> held_out_rows(std::uint32_t rows, const Digest& seed) const;
  // Mean loss of each domain's part of such rows.
  [[nodiscard]] std::vector<double> losses(const Vector& weights, std::span<const Token> rows);
  // The mean over all rows.
  [[nodiscard]] double loss(const Vector& weights, std::span<const Token> rows);

 private:
  void load(const Vector& weights);
  void draw_row(const Diet& diet, Rng& rng, std::span<Token> row) const;

  Plan plan_;
  std::span<const Domain> domains_;
  std::unique_ptr<trainer::Model> model_;
};

}  // namespace harambee::attack_bench
