#include "fold/card.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/json.h"
#include "format/model.h"

namespace harambee::fold {

namespace {

constexpr std::int64_t kNanosPerShown = 100'000;  // four places

// What one member did in the rounds that led to the weights.
struct Deeds {
  std::uint64_t ordinal = 0;
  std::int64_t accepted = 0;
  std::int64_t rejected = 0;
  std::int64_t tokens = 0;
  MicroCredit credit;
};

std::string number(std::int64_t value) { return std::to_string(value); }

std::string nats(std::int64_t nanos) {
  Decimal shown{(nanos + kNanosPerShown / 2) / kNanosPerShown * kNanosPerShown};
  return shown.str();
}

std::string row(const std::string& name, const std::string& value) {
  return "| " + name + " | " + value + " |\n";
}

std::string code(const std::string& value) { return "`" + value + "`"; }

std::string losses(const RunState& run, std::int64_t round) {
  std::optional<std::int64_t> first, last;
  for (const ClosedRound& closed : run.history) {
    if (!closed.loss_nanos || closed.number >= round) continue;
    if (closed.voided) continue;  // of weights that the run left
    if (!first) first = closed.loss_nanos;
    last = closed.loss_nanos;
  }
  if (!first) return "No held-out loss is on the log for these weights.\n";
  return "Held-out loss, as the run's validators measured it on the log: " + nats(*first) +
         " nats per byte when the rounds began, " + nats(*last) +
         " when the last of these rounds was scored.\n";
}

std::string recipe_text(const Recipe& recipe) {
  const format::ModelConfig& model = recipe.model;
  return "A LLaMA-style decoder over bytes: " + number(model.layers) + " layers, width " +
         number(model.hidden) + ", " + number(model.heads) + " heads (" + number(model.kv_heads) +
         " for keys and values), feed-forward width " + number(model.ffn) + ", context " +
         number(model.context) + " bytes.\n\n" + number(recipe.warm.steps) +
         " warm-up steps on the maintainer's machine, then rounds of " +
         number(recipe.inner.steps) + " AdamW steps on each volunteer's machine (batch " +
         number(recipe.inner.batch) + ", learning rate " + recipe.inner.lr.str() +
         "), compressed to " + number(recipe.codec.keep) + " values of each 4096 (" +
         recipe.codec.name + "), aggregated in integers, outer learning rate " +
         recipe.outer_lr.str() + ".\n";
}

std::map<KeyId, Deeds> deeds_before(const RunState& run, std::int64_t round) {
  std::map<KeyId, Deeds> all;
  for (const ClosedRound& closed : run.history) {
    if (closed.number >= round) break;
    for (const ClosedContribution& one : closed.contributions) {
      Deeds& deeds = all[one.author];
      if (const Member* member = run.member(one.author)) deeds.ordinal = member->ordinal;
      one.accepted ? ++deeds.accepted : ++deeds.rejected;
      if (one.accepted) deeds.tokens += one.tokens;
      deeds.credit += one.credit;
    }
  }
  return all;
}

std::string contributors(const std::map<KeyId, Deeds>& all) {
  if (all.empty()) return "Nobody has contributed to these weights but the maintainer.\n";
  std::vector<std::pair<KeyId, Deeds>> list(all.begin(), all.end());
  std::sort(list.begin(), list.end(),
            [](const auto& a, const auto& b) { return a.second.ordinal < b.second.ordinal; });
  std::string table =
      "| key | accepted | rejected | tokens | credit |\n|---|---:|---:|---:|---:|\n";
  for (const auto& [key, deeds] : list) {
    table += row(code(key.hex().substr(0, 16)),
                 number(deeds.accepted) + " | " + number(deeds.rejected) + " | " +
                     number(deeds.tokens) + " | " + deeds.credit.str());
  }
  return table;
}

std::string head(const RunState& run) {
  return "---\nlibrary_name: transformers\npipeline_tag: text-generation\n"
         "tags:\n- harambee\n- byte-level\n- llama\n- safetensors\ndatasets:\n- runs/" +
         run.name + "\n---\n# " + run.name + "\n\n";
}

std::string table(const LogState& log, const RunState& run, std::int64_t round,
                  const std::string& weights, const std::string& url) {
  return "| | |\n|---|---|\n" + row("run", code(run.id.hex())) + row("log", code(log.origin)) +
         row("log key", code(log.vkey)) + row("found at", url) +
         row("round",
             number(std::max<std::int64_t>(round, 0)) + " of " + number(run.recipe.rounds)) +
         row("weights (SHA-256 of model.safetensors)",
             weights.empty() ? "none yet" : code(weights)) +
         row("data manifest", code(run.data.digest.hex())) +
         row("maintainer", code(run.maintainer.hex())) + "\n";
}

std::string how_to_check(const std::string& weights, const std::string& url) {
  return "\n## Check it\n\n```sh\nsha256sum model.safetensors   # " + weights +
         "\nharambee verify " + url +
         " --retrain 4\n```\n\nThe first line compares this file with the log. The second replays "
         "the log from its first entry, recomputes these weights from the contributions, and "
         "trains four of them again.\n";
}

std::string weights_at_opening(const RunState& run, std::int64_t round) {
  if (!run.start || round < 0) return "";
  if (round == 0) return run.start->checkpoint.digest.hex();
  return run.history[static_cast<std::size_t>(round - 1)].weights.hex();
}

}  // namespace

std::string model_card(const LogState& log, const RunState& run, std::int64_t round,
                       const std::string& url) {
  HARAMBEE_CHECK(round >= -1 && round <= static_cast<std::int64_t>(run.history.size()));
  const std::string weights = weights_at_opening(run, round);
  const std::map<KeyId, Deeds> all = deeds_before(run, round);
  const Result<format::ModelLayout> layout = format::ModelLayout::make(run.recipe.model);
  std::string card = head(run);
  card +=
      (layout ? number(static_cast<std::int64_t>(layout->parameters())) + " parameters, " : "") +
      "trained together by " + number(static_cast<std::int64_t>(all.size())) +
      " members of an open run. Every step to these weights is on a public log and can be "
      "repeated to the bit.\n\n";
  card += table(log, run, round, weights, url);
  card += "## Training\n\n" + recipe_text(run.recipe) + "\n" + losses(run, round);
  card += "\n<details><summary>The whole recipe</summary>\n\n```json\n" +
          write(to_json(run.recipe)) + "\n```\n</details>\n";
  card += "\n## Who trained it\n\n" + contributors(all);
  if (!weights.empty()) card += how_to_check(weights, url);
  card +=
      "\n## Use it\n\n```sh\nharambee generate . --prompt 'Once'\n```\n\nor with any tool that "
      "reads Hugging Face directories; a token is a byte.\n";
  return card;
}

std::string data_card(const LogState& log, const RunState& run, const std::string& url) {
  const bool measured = run.recipe.needs_held_out_text();
  const std::string test = measured ? "  - split: test\n    path: heldout/*.txt\n" : "";
  return "---\ntask_categories:\n- text-generation\ntags:\n- harambee\nconfigs:\n"
         "- config_name: default\n  data_files:\n  - split: train\n    path: train/*.txt\n" +
         test + "---\n# Data of the run " + run.name + "\n\nThe bytes that " +
         code("runs/" + run.name) + " trains on (train/)" +
         (measured ? " and is measured on (heldout/)" : "") +
         ", as its data manifest on the log names them. Each file's SHA-256 is in "
         "manifest.json.\n\n| | |\n|---|---|\n" +
         row("run", code(run.id.hex())) + row("log", code(log.origin)) + row("found at", url) +
         row("manifest (SHA-256 of manifest.json)", code(run.data.digest.hex())) +
         row("maintainer", code(run.maintainer.hex()));
}

}  // namespace harambee::fold
