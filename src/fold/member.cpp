#include "fold/member.h"

#include <utility>

#include "base/check.h"

namespace harambee::fold {

Member& Members::add(Member member) {
  member.ordinal = all_.size();
  const bool added = by_key_.emplace(member.key, static_cast<std::uint32_t>(all_.size())).second;
  HARAMBEE_CHECK(added);
  all_.push_back(std::move(member));
  return all_.back();
}

const Member* Members::find(const KeyId& key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : &all_[found->second];
}

Member* Members::find(const KeyId& key) {
  return const_cast<Member*>(std::as_const(*this).find(key));
}

const Member& Members::at(const KeyId& key) const {
  const Member* found = find(key);
  HARAMBEE_CHECK(found != nullptr);
  return *found;
}

Member& Members::at(const KeyId& key) { return const_cast<Member&>(std::as_const(*this).at(key)); }

}  // namespace harambee::fold
