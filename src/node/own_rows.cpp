#include "node/own_rows.h"

#include <algorithm>

#include "base/check.h"
#include "fold/assignment.h"
#include "node/round_math.h"

namespace harambee::node {

std::optional<OwnPlaces> own_places(const fold::RunState& run, const format::DataManifest& data,
                                    const OwnAsked& asked) {
  const fold::Recipe& recipe = run.recipe;
  const fold::Member* member = run.member(asked.author);
  if (recipe.judge.own_rounds == 0 || !member) return std::nullopt;
  OwnPlaces places;
  fold::OwnDraw draw;
  for (const std::uint64_t index :
       fold::shards_of(member->ordinal, static_cast<std::uint64_t>(recipe.shards_per_member),
                       data.train.size())) {
    places.shards.push_back(data.train[index]);
    draw.bytes += data.train[index].size;
  }
  if (draw.bytes > fold::kOwnBytesMax || draw.bytes <= recipe.model.context) return std::nullopt;
  draw.run = run.id;
  draw.round = static_cast<std::uint64_t>(asked.round);
  draw.author = asked.author;
  draw.validator = asked.validator;
  draw.score_seed = asked.score_seed;
  draw.steps = static_cast<std::uint64_t>(recipe.inner.steps);
  draw.batch = static_cast<std::uint64_t>(recipe.inner.batch);
  draw.context = recipe.model.context;
  places.offsets = fold::own_rows(draw);
  return places;
}

void OwnTest::follow(std::uint64_t bytes, std::vector<std::filesystem::path>& all_files,
                     std::vector<std::uint64_t>& all_rows) const {
  all_files.insert(all_files.end(), files.begin(), files.end());
  for (const std::uint64_t offset : offsets) all_rows.push_back(bytes + offset);
}

std::int64_t own_nanos(std::span<const std::int64_t> without, std::span<const std::int64_t> with) {
  HARAMBEE_CHECK(without.size() == 2 * fold::kOwnRows && with.size() == without.size());
  const std::int64_t own =
      gain_nanos(without.first(fold::kOwnRows), with.first(fold::kOwnRows)) -
      gain_nanos(without.subspan(fold::kOwnRows), with.subspan(fold::kOwnRows));
  return std::clamp(own, -fold::kDomainNanosMax, fold::kDomainNanosMax);
}

}  // namespace harambee::node
