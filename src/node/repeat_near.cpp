#include "node/repeat_near.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "exact/codec.h"
#include "node/closeness.h"
#include "node/link.h"
#include "node/round_math.h"
#include "store/file.h"

namespace harambee::node {
namespace fs = std::filesystem;
namespace {

class NearRepetition {
 public:
  NearRepetition(const fold::RunState& run, std::int64_t round, const fold::ClosedContribution& one,
                 const std::vector<BlobRef>& states, const RepeatWorld& world,
                 const exact::Codec& codec)
      : run_(run),
        round_(round),
        one_(one),
        states_(states),
        world_(world),
        codec_(codec),
        fresh_optimizer_(!one.optimizer.before) {}
  ~NearRepetition() {
    std::error_code ignored;
    for (const char* name : {"base", "state", "state.next", "out"}) fs::remove(file(name), ignored);
  }

  Result<fold::Audit> run() {
    const auto told = author_side();
    if (!told) return told.error();
    // No training gives what is no vector of this model.
    const Result<Closeness> found = *told ? compared(**told) : farthest();
    if (!found) return found.error();
    fold::Audit audit;
    audit.run = run_.id;
    audit.round = round_;
    audit.contribution = one_.place.id;
    audit.result = found->near() ? fold::AuditResult::near : fold::AuditResult::far;
    audit.cosine = found->cosine;
    audit.distance = found->distance;
    return audit;
  }

 private:
  using Vector = std::vector<float>;

  // A bit that flips in this machine, or a trainer that makes something else each time, must accuse
  // nobody: before anybody is told to be far our own two trainings must be near each other.
  Result<Closeness> compared(const AuthorSide& author) {
    const Result<Vector> made = first_gradient();
    if (!made) return made.error();
    const Closeness first = compare(author, *made);
    if (first.near()) return first;
    const Result<Vector> again = made_gradient();
    if (!again) return again.error();
    if (!closeness(*again, *made).near()) {
      return fail(ErrorCode::unavailable, "the trainer does not come near its own work");
    }
    const Closeness second = compare(author, *again);
    return second.distance < first.distance ? second : first;
  }

  // A state that the class's program refuses twice, though it trains the same link well from a
  // fresh start, is none of the class: no training of it went on from there, and what its author
  // claims is compared with the fresh start. A program that dies, is silent or fails at that, too,
  // is not well.
  Result<Vector> first_gradient() {
    Result<Vector> made = made_gradient();
    if (made || !refuses_state(made.error())) return made;
    made = made_gradient();
    if (made || !refuses_state(made.error())) return made;
    fresh_optimizer_ = true;
    Result<Vector> fresh = made_gradient();
    return fresh ? std::move(fresh) : std::move(made);
  }

  // An `error` as its answer, or weights that no training gives.
  [[nodiscard]] bool refuses_state(const Error& error) const {
    return !fresh_optimizer_ &&
           (error.code == ErrorCode::refused || error.code == ErrorCode::invalid);
  }

  [[nodiscard]] fs::path file(const std::string& name) const {
    return world_.dir / ("repeat." + name);
  }

  // not_found: not revealed, larger than any state, or not on the hub.
  Result<Content> state(const Digest& digest) const {
    const auto ref = std::ranges::find(states_, digest, &BlobRef::digest);
    if (ref == states_.end()) return fail(ErrorCode::not_found, "a state that is not revealed");
    if (ref->size > state_bytes_max(world_.layout.parameters())) {
      return fail(ErrorCode::not_found, "a state that is too large to be one");
    }
    return world_.blobs(*ref);
  }

  // Empty: its bytes are no vector of the model's length.
  Result<Vector> vector_of(const Digest& digest) const {
    const Result<Content> content = state(digest);
    if (!content) return content.error();
    Vector values(world_.layout.parameters());
    if (content->bytes().size() != 4 * values.size()) return Vector();
    std::memcpy(values.data(), content->bytes().data(), content->bytes().size());
    return values;
  }

  // What was sent was accepted, so validators have found it well-formed.
  Result<Vector> sent() const {
    const Result<Content> blob = world_.blobs(one_.delta);
    if (!blob) return fail(ErrorCode::unavailable, "its delta: " + blob.error().message);
    const fold::ClosedRound& closed = run_.history[static_cast<std::size_t>(round_)];
    const auto delta = exact::Delta::parse(blob->bytes(), world_.layout.parameters(), codec_,
                                           {closed.base, one_.author});
    if (!delta) return wrap(delta.error(), "its delta");
    return exact::decode(*delta);
  }

  // None: what the author committed to is no vector of this model. A file of the optimizer's state
  // is put where the trainer will look for it.
  Result<std::optional<AuthorSide>> author_side() const {
    AuthorSide author;
    auto after = vector_of(one_.error_feedback.after);
    if (!after) return after.error();
    author.after = *std::move(after);
    bool whole = !author.after.empty();
    if (one_.error_feedback.before) {
      auto before = vector_of(*one_.error_feedback.before);
      if (!before) return before.error();
      author.before = *std::move(before);
      whole = whole && !author.before.empty();
    }
    if (one_.optimizer.before) {
      const Result<Content> optimizer = state(*one_.optimizer.before);
      if (!optimizer) return optimizer.error();
    }
    auto delta = sent();
    if (!delta) return delta.error();
    author.sent = *std::move(delta);
    return whole ? std::optional(std::move(author)) : std::nullopt;
  }

  [[nodiscard]] Closeness compare(const AuthorSide& author, const Vector& made) const {
    return worse(closeness(told_gradient(author, codec_.feedback), made),
                 sent_closeness(author, codec_));
  }

  // What is missing here is not the author's fault.
  static Error ours(const Error& error, const std::string& context) {
    if (error.code != ErrorCode::not_found) return wrap(error, context);
    return fail(ErrorCode::unavailable, context + ": " + error.message);
  }

  // θ − θ' of our own training: finite, and something.
  [[nodiscard]] Result<Vector> made_gradient() const {
    const std::string what = "training " + one_.place.id.hex() + " again";
    auto weights = world_.weights(round_);
    if (!weights) return ours(weights.error(), what);
    if (Status written = store::write_file_atomic(file("base").string(),
                                                  format::weights_file(world_.layout, *weights));
        !written) {
      return written.error();
    }
    if (Status placed = place_optimizer(); !placed) return placed.error();
    auto shards = world_.shards(one_.author);
    if (!shards) return ours(shards.error(), what);
    const Digest& base = run_.history[static_cast<std::size_t>(round_)].base;
    const LinkWork work{world_.trainer, run_, world_.layout, *std::move(shards), file("base"),
                        *weights,       base, file("state"), file("out"),        world_.go_on};
    const Link link{one_.author, round_, !one_.error_feedback.before, fresh_optimizer_};
    const Result<Digest> trained = train_steps(link, work);
    if (!trained) return ours(trained.error(), what);
    const auto out = store::MappedFile::open(file("out").string());
    if (!out) return out.error();
    const auto after = format::flat_weights(world_.layout, out->bytes());
    if (!after) return after.error();
    bool changed = false, finite = true;
    for (std::size_t i = 0; i < weights->size(); ++i) {
      (*weights)[i] -= (*after)[i];
      changed = changed || (*weights)[i] != 0;
      finite = finite && std::isfinite((*weights)[i]);
    }
    if (!changed || !finite) return invalid(what + ": the trainer's weights are no training's");
    return *std::move(weights);
  }

  Status place_optimizer() const {
    if (fresh_optimizer_) return ok();
    const Result<Content> content = state(*one_.optimizer.before);
    if (!content) return content.error();
    return store::write_file_atomic(file("state").string(), content->bytes());
  }

  const fold::RunState& run_;
  std::int64_t round_;
  const fold::ClosedContribution& one_;
  const std::vector<BlobRef>& states_;
  const RepeatWorld& world_;
  exact::Codec codec_;
  bool fresh_optimizer_;  // the program is given no state
};

}  // namespace

Result<fold::Audit> repeat_nearly(const fold::RunState& run, std::int64_t round,
                                  const RecordId& contribution, const std::vector<BlobRef>& states,
                                  const RepeatWorld& world) {
  const fold::ClosedContribution* one = run.closed_contribution(round, contribution);
  if (one == nullptr) return invalid("no closed round has contribution " + contribution.hex());
  const Result<exact::Codec> codec = codec_of(run.recipe.codec);
  if (!codec) return codec.error();
  return NearRepetition(run, round, *one, states, world, *codec).run();
}

}  // namespace harambee::node
