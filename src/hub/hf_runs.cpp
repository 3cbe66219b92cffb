#include "hub/hf_runs.h"

#include <algorithm>
#include <cstdio>

#include "fold/card.h"
#include "format/data.h"
#include "format/model.h"
#include "hub/hf_text.h"

namespace harambee::hub {
namespace {

constexpr std::size_t kOidDigits = 40;
constexpr std::size_t kAuthorDigits = 16;
constexpr std::int64_t kBeforeStart = -1;

// A hub does not know by which address it is reached, and the text must not depend on it.
std::string url_of(const fold::RunState& run) { return "http://HUB/runs/" + run.name; }

HfCommit commit_of(const RecordId& record, const KeyId& author, std::int64_t ms,
                   std::string title) {
  HfCommit commit;
  commit.record = record;
  commit.oid = record.hex().substr(0, kOidDigits);
  commit.title = std::move(title);
  commit.author = author.hex().substr(0, kAuthorDigits);
  commit.ms = ms;
  return commit;
}

std::string round_title(const fold::RunState& run, const fold::ClosedRound& closed) {
  if (closed.voided) {
    return "Round " + std::to_string(closed.number + 1) + ": void, held-out loss had risen to " +
           Decimal{*closed.loss_nanos}.str() + " nats; back to the weights before round " +
           std::to_string(closed.number);
  }
  const auto accepted = std::count_if(closed.contributions.begin(), closed.contributions.end(),
                                      [](const auto& one) { return one.accepted; });
  std::string title = "Round " + std::to_string(closed.number + 1) + ": " +
                      std::to_string(accepted) + " of " +
                      std::to_string(closed.contributions.size()) + " contributions accepted";
  if (closed.loss_nanos) {
    title += ", held-out loss before it " + Decimal{*closed.loss_nanos}.str() + " nats";
  }
  if (run.left_by_void(closed.number + 1)) title += " (taken back by the next round)";
  return title;
}

std::int64_t started_ms(const fold::RunState& run) {
  return run.history.empty() ? run.round.opened_ms : run.history.front().opened_ms;
}

void add_model_commits(const fold::RunState& run, HfExtent extent, HfRepo& repo) {
  const bool newest = extent == HfExtent::newest_commit;
  if (run.start && !(newest && !run.history.empty())) {
    repo.commits.push_back(commit_of(run.start_place.id, run.maintainer, started_ms(run),
                                     "Start: the first weights (round 0)"));
    repo.tags.emplace_back("round-0", run.start_place.id);
  }
  const std::size_t skipped = newest && !run.history.empty() ? run.history.size() - 1 : 0;
  for (std::size_t i = skipped; i < run.history.size(); ++i) {
    const fold::ClosedRound& closed = run.history[i];
    repo.commits.push_back(
        commit_of(closed.close.id, run.coordinator, closed.closed_ms, round_title(run, closed)));
    if (run.left_by_void(closed.number + 1)) continue;  // nobody finds them by a name
    repo.tags.emplace_back("round-" + std::to_string(closed.number + 1), closed.close.id);
  }
}

// The round whose opening weights the commit holds.
std::int64_t round_of(const fold::RunState& run, const RecordId& record) {
  if (record == run.opened.id) return kBeforeStart;
  for (const fold::ClosedRound& closed : run.history) {
    if (closed.close.id == record) return closed.number + 1;
  }
  return 0;
}

void sort_files(HfTree& tree) {
  std::sort(tree.files.begin(), tree.files.end(),
            [](const HfFile& a, const HfFile& b) { return a.path < b.path; });
}

void add_weights(const fold::RunState& run, std::int64_t round, HfTree& tree) {
  const auto layout = format::ModelLayout::make(run.recipe.model);
  HARAMBEE_CHECK(layout.ok());  // the fold takes no recipe without
  const Digest digest = round == 0 ? run.start->checkpoint.digest
                                   : run.history[static_cast<std::size_t>(round - 1)].weights;
  HfWeights weights{run.id, round, digest, layout->file_bytes(), std::nullopt};
  HfFile file = large_file("model.safetensors", digest, weights.size);
  file.weights = weights;
  tree.files.push_back(std::move(file));
  weights.gguf = format::GgufType::f32;
  const auto gguf = format::GgufFile::make(*layout, *weights.gguf, digest);
  if (!gguf) return;  // its tokens are no bytes
  HfFile other;
  other.path = "model-f32.gguf";
  other.size = gguf->file_bytes();
  other.lfs = true;
  other.weights = weights;
  tree.files.push_back(std::move(other));
}

std::string shard_path(const char* folder, std::size_t index) {
  char name[64];
  std::snprintf(name, sizeof name, "%s/%05zu.txt", folder, index);
  return name;
}

}  // namespace

HfRepo run_repo(const Folded& log, const fold::RunState& run, HfType type, HfExtent extent) {
  HfRepo repo;
  repo.name = {type, std::string(kRunsSpace), run.name};
  repo.author = std::string(kRunsSpace);
  const auto notes = log.runs.find(run.id);
  repo.created_ms = notes == log.runs.end() ? 0 : notes->second.opened_ms;
  repo.commits.push_back(
      commit_of(run.opened.id, run.maintainer, repo.created_ms, "Open the run " + run.name));
  if (type == HfType::model) {
    add_model_commits(run, extent, repo);
    repo.labels = {"harambee",
                   "byte-level",
                   "llama",
                   "safetensors",
                   "transformers",
                   "text-generation",
                   std::string("phase:") + fold::name(run.phase)};
    if (run.recipe.model.vocab == 256) repo.labels.emplace_back("gguf");
    repo.architecture = "LlamaForCausalLM";
    if (notes != log.runs.end()) repo.parameters = notes->second.parameters;
  } else {
    repo.labels = {"harambee", "text-generation"};
  }
  for (std::size_t i = 1; i < repo.commits.size(); ++i) {
    repo.commits[i].parent = repo.commits[i - 1].record;
  }
  repo.branches.emplace_back("main", repo.commits.back().record);
  return repo;
}

HfTree run_model_tree(const Folded& log, const fold::RunState& run, const HfCommit& commit) {
  const std::int64_t round = round_of(run, commit.record);
  const format::ModelConfig& config = run.recipe.model;
  HfTree tree;
  tree.commit = commit;
  tree.files = {
      generated_file("README.md", fold::model_card(log.state, run, round, url_of(run))),
      generated_file("config.json", format::hf_config_json(config)),
      generated_file("generation_config.json", format::hf_generation_config_json()),
      generated_file("tokenizer.json", format::hf_tokenizer_json()),
      generated_file("tokenizer_config.json", format::hf_tokenizer_config_json(config)),
  };
  if (round != kBeforeStart) add_weights(run, round, tree);
  sort_files(tree);
  return tree;
}

Result<HfTree> run_data_tree(const Folded& log, const fold::RunState& run, const HfCommit& commit,
                             View manifest) {
  const auto data = format::parse_data_manifest(manifest);
  if (!data) return data.error();
  HfTree tree;
  tree.commit = commit;
  tree.files = {generated_file("README.md", fold::data_card(log.state, run, url_of(run))),
                generated_file("manifest.json", std::string(text(manifest)))};
  for (std::size_t i = 0; i < data->train.size(); ++i) {
    tree.files.push_back(
        large_file(shard_path("train", i), data->train[i].digest, data->train[i].size));
  }
  for (std::size_t i = 0; i < data->heldout.size(); ++i) {
    tree.files.push_back(
        large_file(shard_path("heldout", i), data->heldout[i].digest, data->heldout[i].size));
  }
  sort_files(tree);
  return tree;
}

HfRepo uploaded_repo(const fold::Repo& from) {
  const auto slash = from.id.find('/');
  HfRepo repo;
  repo.name = {from.type == fold::RepoType::model ? HfType::model : HfType::dataset,
               from.id.substr(0, slash), from.id.substr(slash + 1)};
  repo.author = repo.name.space;
  repo.created_ms = from.made_ms;
  repo.labels = {"harambee", "uploaded"};
  repo.commits.push_back(commit_of(from.made.id, from.owner, from.made_ms, "initial commit"));
  for (const fold::RepoRevision& revision : from.revisions) {
    HfCommit commit = commit_of(revision.place.id, revision.author, revision.ms, revision.title);
    commit.message = revision.message;
    commit.parent = revision.parent;
    repo.commits.push_back(std::move(commit));
  }
  for (HfCommit& commit : repo.commits) commit.author = repo.name.space;
  repo.branches.emplace_back("main", from.branches.at("main"));
  for (const auto& [name, record] : from.branches) {
    if (name != fold::kMainBranch) repo.branches.emplace_back(name, record);
  }
  repo.tags.assign(from.tags.begin(), from.tags.end());
  return repo;
}

}  // namespace harambee::hub
