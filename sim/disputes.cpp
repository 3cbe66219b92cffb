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

// The accepted work of the newest rounds that somebody may complain of: forgeries, of which honest
// members know, and honest work, which attackers accuse.
void World::note_works(const fold::ClosedRound& closed) {
  if (!plan_.watched && !plan_.slandered) return;
  constexpr std::size_t kRounds = 3;
  Closed works{closed.number, {}, {}};
  for (const fold::ClosedContribution& one : closed.contributions) {
    const Conduct author = peers_[peer_of_.at(one.author)].conduct;
    const bool lazy = author == Conduct::lazy || author == Conduct::lazy_hidden;
    if (!one.accepted) continue;
    if (lazy) works.forged.push_back({one.place.id, one.author});
    if (author == Conduct::honest) works.honest.push_back({one.place.id, one.author});
  }
  newest_works_.push_back(std::move(works));
  if (newest_works_.size() > kRounds) newest_works_.pop_front();
  // There is something new to look at.
  if (plan_.watched) {
    for (Peer& peer : peers_) peer.calm = false;
  }
}

// What this member would bring before all auditors, while it has nothing else to do. It has looked
// at some of the newest contributions; attackers do not ask whether they may.
std::optional<role::trainer::Dispute> World::complaint(const fold::RunState& run,
                                                       const Peer& peer) const {
  const bool honest = peer.conduct == Conduct::honest;
  if (!(honest ? plan_.watched : plan_.slandered) || !run.member(peer.id)) return std::nullopt;
  if (peer.desk && peer.desk->disputed.size() >= kDisputesMax) return std::nullopt;
  for (const Closed& round : newest_works_) {
    for (const Closed::Work& one : honest ? round.forged : round.honest) {
      const bool sent = peer.desk && peer.desk->disputed.contains(one.id);
      if (sent || one.author == peer.id || coin(peer.id, one.id) % 8 != 0) continue;
      const fold::Dispute act{run.id, round.number, one.id};
      const bool hopeless = fold::object_to_dispute(run, peer.id, act).has_value();
      if (hopeless && (honest || coin(peer.id, one.id) % 64 != 0)) continue;
      return role::trainer::Dispute{one.id, round.number};
    }
  }
  return std::nullopt;
}

}  // namespace harambee::sim
