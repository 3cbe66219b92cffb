// Disputes by others than the accused: honest members that have trained a forgery again, and
// attackers who accuse whom they like.
#include <algorithm>

#include "sim/world.h"

namespace harambee::sim {
namespace {

constexpr std::size_t kDisputesMax = 3;  // of one process

// As chance would have it, but the same for this member and contribution however often it looks.
std::uint64_t coin(const KeyId& who, const RecordId& contribution) {
  const Digest mixed = sha256({who.view(), contribution.view()});
  return get_u64be(mixed.bytes.data());
}

}  // namespace

// What this member would bring before all auditors, while it has nothing else to do. It has looked
// at some of the newest contributions; attackers do not ask whether they may.
std::optional<role::trainer::Dispute> World::complaint(const fold::RunState& run,
                                                       const Peer& peer) const {
  const bool honest = peer.conduct == Conduct::honest;
  if (!(honest ? plan_.watched : plan_.slandered) || !run.member(peer.id)) return std::nullopt;
  if (peer.desk && peer.desk->disputed.size() >= kDisputesMax) return std::nullopt;
  const std::size_t rounds = run.history.size();
  for (std::size_t i = rounds < 3 ? 0 : rounds - 3; i < rounds; ++i) {
    for (const fold::ClosedContribution& one : run.history[i].contributions) {
      const Conduct author = peers_[peer_of_.at(one.author)].conduct;
      const bool lazy = author == Conduct::lazy || author == Conduct::lazy_hidden;
      const bool due = honest ? lazy : author == Conduct::honest;
      const bool sent = peer.desk && peer.desk->disputed.contains(one.place.id);
      if (!one.accepted || !due || sent || one.author == peer.id) continue;
      if (coin(peer.id, one.place.id) % 8 != 0) continue;
      const auto number = static_cast<std::int64_t>(i);
      const fold::Dispute act{run.id, number, one.place.id};
      const bool hopeless = fold::object_to_dispute(run, peer.id, act).has_value();
      if (hopeless && (honest || coin(peer.id, one.place.id) % 64 != 0)) continue;
      return role::trainer::Dispute{one.place.id, number};
    }
  }
  return std::nullopt;
}

}  // namespace harambee::sim
