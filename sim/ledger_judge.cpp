// The judge's layers of spec/run.md §9 and spec/assignment.md, once more: who is drawn, who shares
// a vote, whose vote is small.
#include <algorithm>

#include "base/encoding.h"
#include "base/hash.h"
#include "base/rng.h"
#include "sim/ledger.h"

namespace harambee::sim {
namespace {

using Keys = std::vector<std::string>;

Bytes bytes_of(const std::string& hex) { return *from_hex(hex); }

// The first `count` of a shuffle from the front.
Keys shuffled(Keys keys, std::size_t count, const Digest& seed) {
  Rng rng(seed);
  count = std::min(count, keys.size());
  Keys out;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t other = i + static_cast<std::size_t>(rng.below(keys.size() - i));
    out.push_back(keys[other]);
    keys[other] = keys[i];
  }
  return out;
}

}  // namespace

void Ledger::draw_cohort(const std::string& opening) {
  cohort.clear();
  const auto places = static_cast<std::size_t>(judge("cohort"));
  for (auto* one : by_ordinal_) one->second.drawn = true;
  if (places == 0) return;
  Keys settled, returning, fresh;
  for (const auto* one : by_ordinal_) {
    const auto& [key, member] = *one;
    if (member.left || member.excluded || member.suspended || member.joined >= opened_) continue;
    if (member.joined >= opened_before_) {
      fresh.push_back(key);
    } else {
      (member.missed ? returning : settled).push_back(key);
    }
  }
  if (settled.size() + returning.size() + fresh.size() <= places) return;
  Bytes number;
  put_u64be(number, static_cast<std::uint64_t>(round));
  const Digest seed =
      sha256({view("harambee cohort v1\n"), bytes_of(run), number, bytes_of(opening)});
  const std::size_t back = std::min(returning.size(), std::max<std::size_t>(1, places / 8));
  const auto take = [&](const Keys& from, std::size_t most) {
    const Keys drawn = shuffled(from, most - cohort.size(), seed);
    cohort.insert(drawn.begin(), drawn.end());
  };
  take(settled, places - back);
  take(returning, places);
  take(fresh, places);
  for (auto* one : by_ordinal_) one->second.drawn = false;
  for (const std::string& key : cohort) members.at(key).drawn = true;
}

void Ledger::draw_committee() {
  const std::int64_t seats = judge("committee");
  committee = acting();
  if (seats == 0 || static_cast<std::size_t>(seats) >= committee.size()) return;
  const Digest seed = sha256({view("harambee committee v1\n"), bytes_of(seed_)});
  committee = shuffled(committee, static_cast<std::size_t>(seats), seed);
}

// For each of these works the index among them of its group's first: pairs that more than half of
// the scores put together, and chains of such pairs.
std::vector<std::size_t> Ledger::groups_of(const std::vector<std::size_t>& some) const {
  std::vector<std::size_t> group(some.size());
  for (std::size_t i = 0; i < some.size(); ++i) group[i] = i;
  bool changed = true;
  while (changed) {
    changed = false;
    for (std::size_t i = 0; i < some.size(); ++i) {
      for (std::size_t j = i + 1; j < some.size(); ++j) {
        if (group[i] == group[j]) continue;
        std::size_t votes = 0;
        for (const Score& one : scores) {
          votes += one.votes[some[i]].group == one.votes[some[j]].group ? 1 : 0;
        }
        if (2 * votes <= scores.size()) continue;
        group[i] = group[j] = std::min(group[i], group[j]);
        changed = true;
      }
    }
  }
  return group;
}

std::vector<std::uint64_t> Ledger::caps_of(const std::vector<std::size_t>& some,
                                           const std::vector<std::size_t>& group) const {
  constexpr std::uint64_t kFull = std::uint64_t{1} << 30;
  const auto is_new = [&](std::size_t i) {
    return members.at(works[some[i]].author).accepted < judge("newcomer_rounds");
  };
  std::set<std::size_t> known, all;
  for (std::size_t i = 0; i < some.size(); ++i) {
    all.insert(group[i]);
    if (!is_new(i)) known.insert(group[i]);
  }
  std::vector<std::uint64_t> caps(some.size(), kFull);
  if (known.empty()) return caps;
  __extension__ using Wide = unsigned __int128;
  const auto share = static_cast<std::uint64_t>(judge_nanos("newcomer_share"));
  const std::uint64_t unknown = std::max<std::uint64_t>(1, all.size() - known.size());
  const Wide cap = (static_cast<Wide>(kFull) * share * known.size()) /
                   (static_cast<Wide>(1'000'000'000 - share) * unknown);
  for (std::size_t i = 0; i < some.size(); ++i) {
    if (is_new(i) && cap < kFull) caps[i] = static_cast<std::uint64_t>(cap);
  }
  return caps;
}

std::size_t Ledger::guarded() const { return judge_nanos("guard") == 0 ? 0 : domains.size(); }

Ledger::Judged Ledger::judged(std::size_t work) const {
  std::vector<std::int64_t> gains, own;
  std::vector<std::vector<std::int64_t>> parts(guarded());
  for (const Score& one : scores) {
    const Vote& vote = one.votes[work];
    if (vote.verdict != "ok") continue;
    gains.push_back(vote.gain);
    if (vote.own) own.push_back(*vote.own);
    for (std::size_t k = 0; k < parts.size(); ++k) parts[k].push_back(vote.domains[k]);
  }
  Judged out;
  out.ok = 2 * gains.size() > scores.size();
  if (!out.ok) return out;
  if (*recipe.find("gate")->find("rows")->integer() == 0) {
    out.accepted = true;  // nothing is tried on text
    out.counted = 0;
    return out;
  }
  const auto sorted = [](std::vector<std::int64_t>& values) { std::ranges::sort(values); };
  sorted(gains);
  sorted(own);
  if (2 * own.size() > gains.size()) {
    out.own = (own[(own.size() - 1) / 2] + own[own.size() / 2]) / 2;
  }
  const std::int64_t guard = judge_nanos("guard"), gain = gains[(gains.size() - 1) / 2];
  std::int64_t worst = 0, mine = 0;
  for (std::size_t k = 0; k < parts.size(); ++k) {
    sorted(parts[k]);
    const std::int64_t part = parts[k][(parts[k].size() - 1) / 2];
    worst = std::min(worst, part);
    if (domains[k] == works[work].domain) mine = part;
  }
  // Nobody harms a domain; beyond that all text has to gain, or the author's domain more than all
  // text loses.
  const bool harms = worst < -guard;
  const bool helps = gain > 0;
  const bool serves = !helps && gain >= -guard && mine + gain > 0;
  out.counted = serves ? mine + gain : gain;
  out.accepted = !harms && (helps || serves);
  out.harms_alone = harms && (helps || serves);
  const auto author = members.find(works[work].author);
  if (out.accepted && judge("own_rounds") > 0 && author->second.idle) {
    out.accepted = false;
    out.idle = true;
  }
  return out;
}

// How often of n is too seldom for work on its own rows, and often enough for it: probabilities
// summed up as they stand in spec/run.md §9.
void Ledger::remember_own(Member& member, std::int64_t own) const {
  const auto n = static_cast<std::size_t>(judge("own_rounds"));
  if (n == 0) return;
  member.better.push_back(own > 0);
  if (member.better.size() > n) member.better.erase(member.better.begin());
  if (member.better.size() < n) return;
  std::vector<long double> choose(n + 1, 1);
  for (std::size_t k = 1; k <= n; ++k) {
    choose[k] = choose[k - 1] * static_cast<long double>(n - k + 1) / static_cast<long double>(k);
  }
  const auto times =
      static_cast<std::size_t>(std::count(member.better.begin(), member.better.end(), true));
  long double seldom = 0, often = 0;  // P(working ≤ times), P(not working ≥ times)
  for (std::size_t k = 0; k <= n; ++k) {
    long double four_fifths = choose[k], half = choose[k];
    for (std::size_t i = 0; i < n; ++i) {
      four_fifths *= i < k ? 0.8L : 0.2L;
      half *= 0.5L;
    }
    if (k <= times) seldom += four_fifths;
    if (k >= times) often += half;
  }
  if (seldom <= 1e-5L) member.idle = true;
  if (often <= 1e-3L || times == n) member.idle = false;
}

void Ledger::weigh(Closed& closed) const {
  std::vector<std::size_t> accepted, evaluated;
  for (std::size_t i = 0; i < works.size(); ++i) {
    if (closed.judged[i].ok && !closed.judged[i].idle) evaluated.push_back(i);
    if (std::count(closed.accepted.begin(), closed.accepted.end(), works[i].id)) {
      accepted.push_back(i);
    }
  }
  closed.group = groups_of(accepted);
  closed.caps = caps_of(accepted, closed.group);
  const std::vector<std::size_t> group = groups_of(evaluated);
  const std::vector<std::uint64_t> caps = caps_of(evaluated, group);
  std::map<std::size_t, std::uint64_t> largest;
  for (std::size_t i = 0; i < evaluated.size(); ++i) {
    largest[group[i]] = std::max(largest[group[i]], caps[i]);
  }
  closed.possible = 0;
  for (const auto& [first, cap] : largest) closed.possible += cap;
}

}  // namespace harambee::sim
