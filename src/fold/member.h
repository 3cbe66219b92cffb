// Who has joined a run, and what the log says of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/sign.h"
#include "fold/credit.h"
#include "fold/own_data.h"
#include "fold/place.h"

namespace harambee::fold {

inline constexpr std::size_t kMembersMax = 131072;  // of one run, ever
inline constexpr std::size_t kGainsKept = 16;

struct Member {
  KeyId key;
  std::uint64_t ordinal = 0;  // join order, kept over leave and join
  std::string numeric_class;
  std::string trainer;
  Place joined;  // the last join
  std::optional<Place> left;
  std::optional<std::string> excluded;  // the reason
  Place excluded_by;                    // the close that excluded it; meaningless unless excluded
  bool missed = false;                  // was expected, did not commit; until the next commit
  std::int64_t missed_rounds = 0;       // ever
  std::int64_t accepted = 0;            // contributions, ever
  std::int64_t rejected = 0;
  std::int64_t rejected_streak = 0;      // scored rounds in a row
  std::vector<std::int64_t> gains;       // nano-nats, the last kGainsKept
  std::optional<Digest> error_feedback;  // `after` of the last contribution taken
  std::optional<Digest> optimizer;
  std::optional<Place> last_contribution;
  std::int64_t links = 0;   // of the chain of states that ends in the last contribution
  std::int64_t tokens = 0;  // claimed, of accepted contributions
  MicroCredit credit;       // as a trainer, what was forfeited taken off
  OwnRecord own;            // of the own-versus-random test
  // Until an audit is decided or its states are revealed: contributions are refused meanwhile.
  std::optional<std::string> suspended;
  Place suspended_by;    // meaningless unless suspended
  bool slashed = false;  // excluded because a forgery was proven; its unsettled credit is gone
  // Positions of the audits of its contributions in RunState::audits, ascending. Follows from those
  // and is not hashed.
  std::vector<std::uint32_t> audits;

  [[nodiscard]] bool active() const { return !left && !excluded && !suspended; }
};

// The members of one run by ordinal, which is at once and in neighbouring memory, and by key. They
// are never removed. A value; copies share nothing.
class Members {
 public:
  // The next ordinal is given to it. Its key must not be there yet.
  Member& add(Member member);
  [[nodiscard]] const Member* find(const KeyId& key) const;  // null: never joined
  [[nodiscard]] Member* find(const KeyId& key);
  // The key must be there.
  [[nodiscard]] const Member& at(const KeyId& key) const;
  [[nodiscard]] Member& at(const KeyId& key);

  [[nodiscard]] std::size_t size() const { return all_.size(); }
  [[nodiscard]] bool empty() const { return all_.empty(); }
  [[nodiscard]] const Member& operator[](std::size_t ordinal) const { return all_[ordinal]; }
  [[nodiscard]] Member& operator[](std::size_t ordinal) { return all_[ordinal]; }
  // In the order of their ordinals.
  [[nodiscard]] auto begin() const { return all_.begin(); }
  [[nodiscard]] auto end() const { return all_.end(); }
  [[nodiscard]] auto begin() { return all_.begin(); }
  [[nodiscard]] auto end() { return all_.end(); }
  // Ordinals in the order of the keys.
  [[nodiscard]] const std::map<KeyId, std::uint32_t>& by_key() const { return by_key_; }

 private:
  std::deque<Member> all_;
  std::map<KeyId, std::uint32_t> by_key_;
};

}  // namespace harambee::fold
