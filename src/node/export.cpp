#include "node/export.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/json.h"
#include "format/model.h"
#include "store/file.h"

namespace harambee::node {
namespace {

std::string nats(std::int64_t nanos) {
  return fmt::format("{:.4f}", static_cast<double>(nanos) / 1e9);
}

std::string losses(const fold::RunState& run, std::int64_t round) {
  std::optional<std::int64_t> first, last;
  for (const fold::ClosedRound& closed : run.history) {
    if (!closed.loss_nanos || closed.number >= round) continue;
    if (!first) first = closed.loss_nanos;
    last = closed.loss_nanos;
  }
  if (!first) return "No held-out loss is on the log for these weights.\n";
  return fmt::format(
      "Held-out loss, as the run's validators measured it on the log: {} nats per byte when the "
      "rounds began, {} when the last of these rounds was scored.\n",
      nats(*first), nats(*last));
}

std::string contributors(const fold::RunState& run) {
  std::string table =
      "| key | accepted | rejected | tokens | credit |\n|---|---:|---:|---:|---:|\n";
  for (const KeyId& key : run.member_order) {
    const fold::Member& member = run.members.at(key);
    table += fmt::format("| `{}` | {} | {} | {} | {} |{}\n", key.hex().substr(0, 16),
                         member.accepted, member.rejected, member.tokens, member.credit.str(),
                         member.excluded ? " excluded: " + *member.excluded : "");
  }
  return table;
}

std::string recipe_lines(const fold::Recipe& recipe) {
  const format::ModelConfig& model = recipe.model;
  return fmt::format(
      "A LLaMA-style decoder over bytes: {} layers, width {}, {} heads ({} for keys and values), "
      "feed-forward width {}, context {} bytes.\n\n"
      "{} warm-up steps on the maintainer's machine, then rounds of {} AdamW steps on each "
      "volunteer's machine (batch {}, learning rate {}), compressed to {} values of each 4096 "
      "({}), aggregated in integers, outer learning rate {}.\n",
      model.layers, model.hidden, model.heads, model.kv_heads, model.ffn, model.context,
      recipe.warm.steps, recipe.inner.steps, recipe.inner.batch, recipe.inner.lr.str(),
      recipe.codec.keep, recipe.codec.name, recipe.outer_lr.str());
}

}  // namespace

std::string model_card(const fold::LogState& log, const fold::RunState& run,
                       const ExportOptions& options, const Exported& exported) {
  std::string card = fmt::format(
      "---\nlibrary_name: transformers\npipeline_tag: text-generation\n"
      "tags:\n- harambee\n- byte-level\n---\n# {}\n\n",
      run.name);
  card += fmt::format(
      "{} parameters, trained together by {} members of an open run. Every step to these weights "
      "is on a public log and can be repeated to the bit.\n\n",
      exported.parameters, run.members.size());
  card += fmt::format(
      "| | |\n|---|---|\n| run | `{}` |\n| log | `{}` |\n| log key | `{}` |\n| found at | {} |\n"
      "| round | {} of {} |\n| weights (SHA-256 of model.safetensors) | `{}` |\n"
      "| data manifest | `{}` |\n| maintainer | `{}` |\n\n",
      run.id.hex(), log.origin, options.vkey, options.url, exported.round, run.recipe.rounds,
      exported.weights.hex(), run.data.digest.hex(), run.maintainer.hex());
  card += "## Training\n\n" + recipe_lines(run.recipe) + "\n" + losses(run, exported.round);
  card += "\n<details><summary>The whole recipe</summary>\n\n```json\n" +
          write(fold::to_json(run.recipe)) + "\n```\n</details>\n";
  card += "\n## Who trained it\n\n" + contributors(run);
  card += fmt::format(
      "\nCredits of all roles so far: {}.\n\n## Check it\n\n```sh\nsha256sum model.safetensors   "
      "# {}\nharambee verify {} --retrain 4\n```\n\n"
      "The first line compares this file with the log. The second replays the log from its first "
      "entry, recomputes these weights from the contributions, and trains four of them again.\n",
      run.distributed.str(), exported.weights.hex(), options.url);
  card += fmt::format(
      "\n## Use it\n\n```sh\nharambee generate . --prompt 'Once'\n```\n\nor with any tool that "
      "reads Hugging Face directories; a token is a byte.\n");
  return card;
}

Result<Exported> export_model(const fold::LogState& log, const fold::RunState& run,
                              const FetchBlob& blobs, const ExportOptions& options) {
  Result<std::vector<float>> weights = weights_at(run, options.round, blobs, options.progress);
  if (!weights) return weights.error();
  Result<format::ModelLayout> layout = format::ModelLayout::make(run.recipe.model);
  if (!layout) return layout.error();
  Exported exported;
  exported.round = options.round;
  exported.parameters = layout->parameters();
  Bytes model = format::weights_file(*layout, *weights);
  exported.weights = sha256(model);
  const format::ModelConfig& config = run.recipe.model;
  const std::pair<const char*, Bytes> files[] = {
      {"model.safetensors", std::move(model)},
      {"config.json", to_bytes(format::hf_config_json(config))},
      {"generation_config.json", to_bytes(format::hf_generation_config_json())},
      {"tokenizer.json", to_bytes(format::hf_tokenizer_json())},
      {"tokenizer_config.json", to_bytes(format::hf_tokenizer_config_json(config))},
      {"README.md", to_bytes(model_card(log, run, options, exported))},
  };
  for (const auto& [name, bytes] : files) {
    Status written = store::write_file_atomic(options.dir + "/" + name, bytes);
    if (!written) return written.error();
    exported.files.emplace_back(name);
  }
  return exported;
}

}  // namespace harambee::node
