#include "node/repeat.h"

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

#include "node/link.h"
#include "store/file.h"

namespace harambee::node {
namespace fs = std::filesystem;
namespace {

struct ChainLink {
  Link link;
  Digest base;
  const fold::ClosedContribution* one = nullptr;
};

// From the fresh start (or, with states, from the link itself) to the contribution.
std::vector<ChainLink> chain_of(const fold::RunState& run, std::int64_t round,
                                const fold::ClosedContribution& last, bool whole) {
  std::vector<ChainLink> chain;
  for (std::int64_t number = round; number >= 0; --number) {
    const fold::ClosedRound& closed = run.history[static_cast<std::size_t>(number)];
    for (const fold::ClosedContribution& one : closed.contributions) {
      if (one.author != last.author) continue;
      chain.push_back({{one.author, number, !one.error_feedback.before, !one.optimizer.before},
                       closed.base,
                       &one});
      if (!whole || one.links == 1) {
        std::ranges::reverse(chain);
        return chain;
      }
    }
  }
  std::ranges::reverse(chain);
  return chain;
}

class Repetition {
 public:
  Repetition(const fold::RunState& run, const RepeatWorld& world) : run_(run), world_(world) {}
  ~Repetition() {
    std::error_code ignored;
    for (const char* name : {"base", "state", "state.next", "out", "control"}) {
      fs::remove(file(name), ignored);
    }
  }

  // The revealed states become what the first link starts from.
  Status take(const std::vector<BlobRef>& states) {
    for (const BlobRef& ref : states) {
      if (ref.size > state_bytes_max(world_.layout.parameters())) {
        return fail(ErrorCode::not_found, "a state that is too large to be one");
      }
      Result<Content> content = world_.blobs(ref);
      if (!content) return content.error();
      const View bytes = content->bytes();
      if (ref.type == fold::kOptimizerType) {
        if (Status kept = store::write_file_atomic(file("state").string(), bytes); !kept) {
          return kept;
        }
        continue;
      }
      // A residual of another length is none that training gives: nothing can be sent from it.
      residual_.assign(world_.layout.parameters(), 0.0F);
      spoilt_ = bytes.size() != 4 * residual_.size();
      if (!spoilt_) std::memcpy(residual_.data(), bytes.data(), bytes.size());
    }
    return ok();
  }

  Result<fold::Replica> train(const ChainLink& link) {
    auto weights = world_.weights(link.link.round);
    if (!weights) return weights.error();
    if (Status written = store::write_file_atomic(file("base").string(),
                                                  format::weights_file(world_.layout, *weights));
        !written) {
      return written.error();
    }
    auto shards = world_.shards(link.link.author);
    if (!shards) return shards.error();
    const LinkWork work{world_.trainer, run_,      world_.layout, *std::move(shards), file("base"),
                        *weights,       link.base, file("state"), file("out"),        world_.go_on};
    auto made = train_link(link.link, work, residual_);
    if (!made && made.error().code == ErrorCode::refused && can_train(link, work)) {
      // The trainer is well and takes no such state: no training gave it.
      return fold::Replica{};
    }
    if (made && spoilt_) return fold::Replica{{}, {}, made->optimizer};
    return made;
  }

 private:
  // Whether the trainer does the same work from a fresh state: if not, the trouble is ours.
  bool can_train(const ChainLink& link, const LinkWork& work) {
    Link fresh = link.link;
    fresh.fresh_optimizer = fresh.fresh_residual = true;
    LinkWork control = work;
    control.state = file("control");
    std::vector<float> none;
    return train_link(fresh, control, none).ok();
  }
  [[nodiscard]] fs::path file(const std::string& name) const {
    return world_.dir / ("repeat." + name);
  }

  const fold::RunState& run_;
  const RepeatWorld& world_;
  std::vector<float> residual_;
  bool spoilt_ = false;
};

Result<fold::Replica> replica(const fold::RunState& run, const std::vector<ChainLink>& chain,
                              const std::vector<BlobRef>& states, const RepeatWorld& world) {
  Repetition repetition(run, world);
  if (Status taken = repetition.take(states); !taken) return taken.error();
  Result<fold::Replica> made = fold::Replica{};
  for (const ChainLink& link : chain) {
    made = repetition.train(link);
    if (!made) return wrap(made.error(), "training " + link.one->place.id.hex() + " again");
    // Nothing follows from a state that no training gave.
    if (!made->delta) break;
  }
  return made;
}

}  // namespace

Result<fold::Audit> repeat_contribution(const fold::RunState& run, std::int64_t round,
                                        const RecordId& contribution,
                                        const std::vector<BlobRef>& states,
                                        const RepeatWorld& world) {
  const fold::ClosedContribution* one = run.closed_contribution(round, contribution);
  if (one == nullptr) return invalid("no closed round has contribution " + contribution.hex());
  const std::vector<ChainLink> chain = chain_of(run, round, *one, states.empty());
  fold::Audit audit;
  audit.run = run.id;
  audit.round = round;
  audit.contribution = contribution;
  const fold::Replica told{one->delta.digest, one->error_feedback.after, one->optimizer.after};
  Result<fold::Replica> made = replica(run, chain, states, world);
  if (!made) return made.error();
  if (*made != told) {
    // A bit that flipped in this machine must accuse nobody.
    const Result<fold::Replica> again = replica(run, chain, states, world);
    if (!again) return again.error();
    if (*again != *made) {
      return fail(ErrorCode::unavailable, "this machine does not give the same bytes twice");
    }
  }
  audit.result = *made == told ? fold::AuditResult::exact : fold::AuditResult::differs;
  audit.made = *made;
  return audit;
}

}  // namespace harambee::node
