// One run: peers, some of them colluding, a defence, and what became of the held-out loss.
#pragma once

#include "bench/attacks/defence.h"
#include "bench/attacks/learner.h"
#include "sim/attacks/attack.h"

namespace harambee::attack_bench {

struct Cell {
  const Defence* defence = nullptr;
  const attacks::Attack* attack = nullptr;  // null: nobody attacks
  std::uint32_t percent = 0;                // of the peers collude
  bool skewed = false;                      // 95 of 100 rows of a peer come from its own domain
};

struct Outcome {
  double first_loss = 0, last_loss = 0;  // on fixed held-out rows, all domains alike
  double worst_loss = 0;                 // of all rounds
  std::uint64_t honest_sent = 0, honest_taken = 0, honest_grouped = 0;
  // Honest ones of the kinds that few have (prose, Python), of skewed data.
  std::uint64_t minority_sent = 0, minority_taken = 0;
  std::uint64_t colluding_sent = 0, colluding_taken = 0, colluding_grouped = 0;
  // Of contributions that were tested (Plan::own): better on the rows they were to be trained on.
  std::uint64_t honest_own = 0, honest_better = 0, colluding_own = 0, colluding_better = 0;
  double honest_cosine = 0;     // the highest between two honest contributions
  double honest_exclusive = 0;  // mean share of honest mass on places of no other
};

// Deterministic: the same cell has the same outcome, whoever runs beside it and on which processor.
[[nodiscard]] Outcome run_cell(const Cell& cell, const Plan& plan, const Vector& start,
                               Learner& learner);

}  // namespace harambee::attack_bench
