#include "node/link.h"

#include <system_error>

#include "exact/outer_step.h"
#include "fold/assignment.h"
#include "node/round_math.h"
#include "store/file.h"

namespace harambee::node {
namespace fs = std::filesystem;
namespace {

TrainRequest request_of(const Link& link, const LinkWork& work) {
  const fold::Recipe& recipe = work.run.recipe;
  TrainRequest request;
  request.base = work.base;
  if (!link.fresh_optimizer) request.state = work.state;
  request.shards = work.shards;
  request.seed = fold::inner_seed(work.run.id, static_cast<std::uint64_t>(link.round), link.author);
  request.first_step = link.round * recipe.inner.steps;
  request.total_steps = recipe.total_steps();
  request.inner = recipe.inner;
  request.out = work.out;
  request.state_out = work.state.string() + ".next";
  return request;
}

}  // namespace

std::vector<std::uint64_t> shards_of_member(const fold::RunState& run, const KeyId& author,
                                            std::uint64_t count) {
  const fold::Member* member = run.member(author);
  HARAMBEE_CHECK(member != nullptr);
  return fold::shards_of(member->ordinal, static_cast<std::uint64_t>(run.recipe.shards_per_member),
                         count);
}

Result<Digest> train_steps(const Link& link, const LinkWork& work) {
  const TrainRequest request = request_of(link, work);
  const Result<TrainDone> done = work.trainer.train(
      request, [&work](const TrainProgress&) { return !work.go_on || work.go_on(); });
  if (!done) return done.error();
  std::error_code error;
  fs::rename(request.state_out, work.state, error);
  if (error) return fail(ErrorCode::io, work.state.string() + ": " + error.message());
  return done->state_digest;
}

Result<fold::Replica> train_link(const Link& link, const LinkWork& work,
                                 std::vector<float>& residual) {
  if (link.fresh_residual) residual.clear();
  const Result<Digest> state = train_steps(link, work);
  if (!state) return state.error();
  fold::Replica made;
  made.optimizer = *state;
  const Result<store::MappedFile> file = store::MappedFile::open(work.out.string());
  if (!file) return file.error();
  const Result<std::span<const float>> weights = format::flat_weights(work.layout, file->bytes());
  if (!weights) return weights.error();
  const Result<exact::Codec> codec = codec_of(work.run.recipe.codec);
  if (!codec) return codec.error();
  const Result<Bytes> blob = encode_contribution(*codec, {work.base_digest, link.author},
                                                 work.base_weights, *weights, residual);
  if (!blob) return made;
  made.delta = sha256(*blob);
  made.error_feedback = exact::floats_digest(residual);
  return made;
}

}  // namespace harambee::node
