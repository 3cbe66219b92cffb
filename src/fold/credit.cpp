#include "fold/credit.h"

#include "base/check.h"

namespace harambee::fold {

std::string MicroCredit::str() const {
  constexpr std::int64_t kScale = 1'000'000;
  const std::int64_t whole = micros_ / kScale;
  const std::int64_t part = micros_ % kScale;
  std::string digits = std::to_string(part < 0 ? -part : part);
  digits.insert(0, 6 - digits.size(), '0');
  const std::string sign = micros_ < 0 && whole == 0 ? "-" : "";
  return sign + std::to_string(whole) + "." + digits;
}

std::vector<MicroCredit> split_evenly(MicroCredit total, std::size_t ways) {
  HARAMBEE_CHECK(ways > 0 && total.micros() >= 0);
  const auto count = static_cast<std::int64_t>(ways);
  const std::int64_t each = total.micros() / count;
  const auto larger = static_cast<std::size_t>(total.micros() % count);
  std::vector<MicroCredit> parts(ways, MicroCredit(each));
  for (std::size_t i = 0; i < larger; ++i) parts[i] += MicroCredit(1);
  return parts;
}

namespace {

// floor(total · percent / 100) without a product that could overflow.
std::int64_t percent_of(MicroCredit total, std::int64_t percent) {
  const std::int64_t hundredths = total.micros() / 100;
  const std::int64_t rest = total.micros() % 100;
  return hundredths * percent + rest * percent / 100;
}

}  // namespace

RoundCredits split_round(const CreditRule& rule, std::size_t trainers, std::size_t validators) {
  HARAMBEE_CHECK(rule.trainer_percent + rule.validator_percent + rule.coordinator_percent == 100);
  const std::int64_t validator_pool = percent_of(rule.round, rule.validator_percent);
  const std::int64_t coordinator_pool = percent_of(rule.round, rule.coordinator_percent);
  const std::int64_t trainer_pool = rule.round.micros() - validator_pool - coordinator_pool;
  RoundCredits credits;
  credits.trainers = split_evenly(MicroCredit(trainer_pool), trainers);
  credits.validators = split_evenly(MicroCredit(validator_pool), validators);
  credits.coordinator = MicroCredit(coordinator_pool);
  return credits;
}

}  // namespace harambee::fold
