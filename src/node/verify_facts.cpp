#include "node/verify_facts.h"

#include <optional>
#include <utility>

#include "node/round_close.h"
#include "node/run_manifest.h"

namespace harambee::node {
namespace {

// A round's blobs, fetched once, and what is found in those that a validator says it had.
class RoundFacts {
 public:
  RoundFacts(const fold::RunState& run, const fold::ClosedRound& round, std::uint64_t parameters,
             const format::DataManifest* data)
      : run_(run),
        round_(round),
        data_(data),
        context_{run.recipe, parameters, round.base, round.score_seed} {}

  Status fetch(const FetchBlob& blobs) {
    for (const fold::ClosedContribution& one : round_.contributions) {
      Result<Content> content = blobs(one.delta);
      if (content) {
        contents_.emplace_back(*std::move(content));
      } else if (content.error().code == ErrorCode::not_found ||
                 content.error().code == ErrorCode::corrupt) {
        contents_.emplace_back();  // a blob that is spoilt is a fault of its own
      } else {
        return content.error();
      }
    }
    return ok();
  }

  // Null if a blob that the score speaks of is not there.
  Result<const std::vector<Finding>*> findings(const fold::Score& score) {
    std::vector<bool> had;
    std::vector<Revealed> revealed;
    for (std::size_t i = 0; i < score.entries.size(); ++i) {
      const fold::ClosedContribution& one = round_.contributions[i];
      had.push_back(score.entries[i].verdict != fold::kVerdictWithheld);
      revealed.push_back({one.delta, one.author, std::nullopt,
                          data_ && is_foreign_domain(run_, *data_, one.author, one.domain)});
      if (had[i] && contents_[i]) revealed[i].bytes = contents_[i]->bytes();
    }
    if (auto known = known_.find(had); known != known_.end()) return &known->second;
    Result<std::vector<Finding>> found = examine(context_, revealed);
    if (!found) return found.error();
    for (std::size_t i = 0; i < had.size(); ++i) {
      if (had[i] && (*found)[i].verdict == fold::kVerdictWithheld) return nullptr;
    }
    return &known_.emplace(std::move(had), *std::move(found)).first->second;
  }

 private:
  const fold::RunState& run_;
  const fold::ClosedRound& round_;
  const format::DataManifest* data_;
  RoundContext context_;
  std::vector<std::optional<Content>> contents_;
  std::map<std::vector<bool>, std::vector<Finding>> known_;  // by which blobs there were
};

std::string differs(const RecordId& contribution, const char* what, const std::string& should,
                    const std::string& said) {
  return "the " + std::string(what) + " of contribution " + contribution.hex() + " should be " +
         should + ", the record says " + said;
}

// The first difference, or an empty text.
std::string compare(const RecordId& contribution, const fold::ScoreEntry& entry,
                    const Finding& found) {
  if (entry.verdict == fold::kVerdictWithheld) return {};
  if (entry.verdict != found.verdict) {
    return differs(contribution, "verdict", "\"" + found.verdict + "\"",
                   "\"" + entry.verdict + "\"");
  }
  if (entry.group != found.group) {
    return differs(contribution, "group", std::to_string(found.group), std::to_string(entry.group));
  }
  const exact::SquaredNorm norm = found.delta ? found.delta->squared_norm() : exact::SquaredNorm{};
  if (entry.squared_norm == norm.digits() && entry.norm_exponent == norm.exponent) return {};
  return differs(contribution, "squared norm",
                 norm.digits() + "·2^" + std::to_string(norm.exponent),
                 entry.squared_norm + "·2^" + std::to_string(entry.norm_exponent));
}

}  // namespace

Result<FactsChecked> check_facts(const fold::RunState& run, const fold::ClosedRound& round,
                                 const std::map<RecordId, fold::Score>& scores,
                                 std::uint64_t parameters, const format::DataManifest* data,
                                 const FetchBlob& blobs) {
  FactsChecked checked;
  RoundFacts facts(run, round, parameters, data);
  if (Status fetched = facts.fetch(blobs); !fetched) return fetched.error();
  for (const fold::ClosedScore& closed : round.scores) {
    const auto score = scores.find(closed.place.id);
    if (score == scores.end()) continue;
    const auto found = facts.findings(score->second);
    if (!found) return found.error();
    if (*found == nullptr) continue;
    ++checked.scores;
    for (std::size_t i = 0; i < (*found)->size(); ++i) {
      std::string what =
          compare(round.contributions[i].place.id, score->second.entries[i], (**found)[i]);
      if (what.empty()) continue;
      checked.lies.push_back({&closed, std::move(what)});
      break;
    }
  }
  return checked;
}

}  // namespace harambee::node
