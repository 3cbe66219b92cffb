#include "fold/credit.h"

#include <map>

#include "base/check.h"
#include "base/mutant.h"

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
  const auto larger =
      HARAMBEE_MUTANT("credit-lost") ? 0 : static_cast<std::size_t>(total.micros() % count);
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

// Groups in the order of their first members, members in log order.
std::vector<MicroCredit> split_in_groups(MicroCredit total, std::span<const std::size_t> groups) {
  std::vector<std::size_t> names;
  std::map<std::size_t, std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::size_t group = HARAMBEE_MUTANT("paid-by-head") ? i : groups[i];
    if (members[group].empty()) names.push_back(group);
    members[group].push_back(i);
  }
  const std::vector<MicroCredit> pools = split_evenly(total, names.size());
  std::vector<MicroCredit> parts(groups.size());
  for (std::size_t g = 0; g < names.size(); ++g) {
    const std::vector<std::size_t>& sharing = members[names[g]];
    const std::vector<MicroCredit> shares = split_evenly(pools[g], sharing.size());
    for (std::size_t i = 0; i < sharing.size(); ++i) parts[sharing[i]] = shares[i];
  }
  return parts;
}

}  // namespace

RoundCredits split_round(const CreditRule& rule, std::span<const std::size_t> groups,
                         std::size_t validators) {
  HARAMBEE_CHECK(rule.trainer_percent + rule.validator_percent + rule.coordinator_percent == 100);
  const std::int64_t validator_pool = percent_of(rule.round, rule.validator_percent);
  const std::int64_t coordinator_pool = percent_of(rule.round, rule.coordinator_percent);
  const std::int64_t trainer_pool = rule.round.micros() - validator_pool - coordinator_pool;
  RoundCredits credits;
  credits.trainers = split_in_groups(MicroCredit(trainer_pool), groups);
  credits.validators = split_evenly(MicroCredit(validator_pool), validators);
  credits.coordinator = MicroCredit(coordinator_pool);
  return credits;
}

}  // namespace harambee::fold
