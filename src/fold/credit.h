// Credits: what accepted work is owed, in millionths, never as a floating-point number.
// The rule of the split is spec/credit.md.
#pragma once

#include <compare>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace harambee::fold {

// An amount of credit in micro-credits. Built from integers only; there is no way to or from a
// double, and no multiplication, so that every amount is one that a split handed out.
class MicroCredit {
 public:
  constexpr MicroCredit() = default;
  template <std::integral T>
  requires(!std::same_as<T, bool> &&
           !std::same_as<T, char>) constexpr explicit MicroCredit(T micros)
      : micros_(static_cast<std::int64_t>(micros)) {}

  [[nodiscard]] constexpr std::int64_t micros() const { return micros_; }
  auto operator<=>(const MicroCredit&) const = default;
  // Amounts are bounded by kRoundCreditMax × kRoundsMax (recipe.h), so sums cannot overflow.
  constexpr MicroCredit& operator+=(MicroCredit other) {
    micros_ += other.micros_;
    return *this;
  }
  // What a conviction takes back was paid before, so that no amount becomes negative.
  constexpr MicroCredit& operator-=(MicroCredit other) {
    micros_ -= other.micros_;
    return *this;
  }
  [[nodiscard]] friend constexpr MicroCredit operator+(MicroCredit a, MicroCredit b) {
    return a += b;
  }
  // "1.500000": credits with all six places.
  [[nodiscard]] std::string str() const;

 private:
  std::int64_t micros_ = 0;
};

// A recipe's rule: what one closed round distributes, and the percentages, which sum to 100.
struct CreditRule {
  MicroCredit round;
  std::int64_t trainer_percent = 0;
  std::int64_t validator_percent = 0;
  std::int64_t coordinator_percent = 0;
  bool operator==(const CreditRule&) const = default;
};

struct RoundCredits {
  std::vector<MicroCredit> trainers;    // in log order of the accepted contributions
  std::vector<MicroCredit> validators;  // in log order of the scores
  MicroCredit coordinator;
};

// `total` in `ways` parts that differ by at most one micro-credit; the first parts are the larger
// ones. The parts sum to `total`. ways > 0, total >= 0.
[[nodiscard]] std::vector<MicroCredit> split_evenly(MicroCredit total, std::size_t ways);

// The whole of rule.round, to the last micro-credit: the validators' and the coordinator's pools
// are rounded down, the trainers' pool is the rest, shared by the groups evenly and in each group
// by its members. groups[i]: what the i-th accepted contribution's group is called, the same number
// for the whole group. groups not empty, validators > 0.
[[nodiscard]] RoundCredits split_round(const CreditRule& rule, std::span<const std::size_t> groups,
                                       std::size_t validators);

}  // namespace harambee::fold
