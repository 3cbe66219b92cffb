#include "cli/recipe_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>  // fmt::join, since version 11

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <initializer_list>
#include <sstream>
#include <utility>
#include <vector>

#include "base/decimal.h"
#include "base/json.h"
#include "cli/suggest.h"
#include "fold/audit_cost.h"
#include "store/file.h"

namespace harambee::cli {
namespace {

struct Said {
  std::string_view path;
  std::string_view comment;
};
// One sentence a field; the order is the order in which a recipe is printed.
constexpr std::array kSaid = {
    Said{"rounds", "outer steps of the whole run"},
    Said{"min_contributions", "a round waits for at least so many"},
    Said{"shards_per_member", "training shards that each member gets"},
    Said{"checkpoint_every", "rounds between full copies of the weights on the hub"},
    Said{"commit_ms", "time for training and committing, at most"},
    Said{"reveal_ms", "then for uploading what was committed to"},
    Said{"score_ms", "then for scoring"},
    Said{"seed", "of the first weights, 64 hex digits"},
    Said{"model", "a LLaMA-style decoder over bytes"},
    Said{"model.hidden", "width"},
    Said{"model.layers", ""},
    Said{"model.heads", "attention heads"},
    Said{"model.kv_heads", "key and value heads (grouped-query attention)"},
    Said{"model.ffn", "width of the feed-forward layers"},
    Said{"model.context", "bytes a row"},
    Said{"model.vocab", "256: tokens are bytes"},
    Said{"model.rope_theta", "base of the rotary positions"},
    Said{"model.norm_eps", "of RMSNorm"},
    Said{"model.tied", "the output layer is the embedding"},
    Said{"warm", "the maintainer's own training before round 0"},
    Said{"warm.steps", "0: begin from random weights"},
    Said{"warm.batch", "rows a step"},
    Said{"warm.lr", "constant after the warm-up"},
    Said{"warm.warmup", "steps"},
    Said{"inner", "AdamW on each volunteer's machine"},
    Said{"inner.steps", "a round"},
    Said{"inner.batch", "rows a step"},
    Said{"inner.lr", "at its highest"},
    Said{"inner.warmup", "steps up to it"},
    Said{"inner.final", "cosine down to this fraction of lr at the end of the run"},
    Said{"inner.beta1", ""},
    Said{"inner.beta2", ""},
    Said{"inner.eps", ""},
    Said{"inner.weight_decay", ""},
    Said{"inner.clip", "largest norm of a gradient, 0: none"},
    Said{"codec", "the way up: what a volunteer sends"},
    Said{"codec.name", "sign, two-level, ternary, int4, dense"},
    Said{"codec.keep", "values of each 4096"},
    Said{"codec.feedback", "what is left over, carried to the next round"},
    Said{"down", "the way down: the update that everybody applies"},
    Said{"down.name", ""},
    Said{"down.keep", ""},
    Said{"down.feedback", ""},
    Said{"outer", "θ ← θ − lr · update"},
    Said{"outer.lr", ""},
    Said{"gate", "how contributions are scored"},
    Said{"gate.rows", "held-out rows, chosen by the log's root; 0: no held-out text decides"},
    Said{"gate.step", "the fraction of a contribution that is tried"},
    Said{"gate.report", "fixed rows of the reported loss, 0: none is reported"},
    Said{"judge", "what keeps strangers' work from doing harm"},
    Said{"judge.aggregate",
         "mean, clip, centered, neighbours, krum (docs/attacks.md compares them)"},
    Said{"judge.centered_iterations", "of centered clipping"},
    Said{"judge.faulty", "share that may be malicious: what neighbours and krum leave out"},
    Said{"judge.step_max", "times the length of the update before, 0: any step"},
    Said{"judge.norm_max", "times the median norm is no contribution, 0: any norm"},
    Said{"judge.similar", "contributions whose cosine is above it share one vote, 1: none do"},
    Said{"judge.sample", "the fraction of the chunks that similarity is measured on"},
    Said{"judge.cohort", "members drawn for a round, 0: all"},
    Said{"judge.committee", "validators drawn for a round, 0: all"},
    Said{"judge.newcomer_rounds", "accepted contributions before full weight"},
    Said{"judge.newcomer_share", "of a round's weight, for all newcomers together"},
    Said{"judge.guard", "nats that a guarded domain may lose, 0: domains do not count"},
    Said{"judge.own_rounds", "window of the test for work on assigned data, 0: no test"},
    Said{"judge.auditors",
         "asked of each drawn contribution, 0: none is drawn (disputes are heard)"},
    Said{"judge.audit",
         "the fraction of contributions that is trained again; less by default in short runs"},
    Said{"judge.audit_newcomer", "the same of newcomers'"},
    Said{"judge.void_rise", "nats of loss above the best that take the run back, 0: never"},
    Said{"credit", "what a round distributes, and its split in percent"},
    Said{"credit.round", "micro-credits"},
    Said{"credit.trainer", ""},
    Said{"credit.validator", ""},
    Said{"credit.coordinator", ""},
};

// A number of the file as the decimal that the log will carry, or nothing if it has more digits.
std::optional<std::string> decimal_text(double value) {
  if (!(value > -9e9 && value < 9e9)) return std::nullopt;
  std::string digits = fmt::format("{:.9f}", value);
  while (digits.back() == '0') digits.pop_back();
  if (digits.back() == '.') digits.pop_back();
  if (digits == "-0") digits = "0";
  Result<Decimal> decimal = Decimal::parse(digits);
  if (!decimal || decimal->to_double() != value) return std::nullopt;
  return digits;
}

class Merge {
 public:
  explicit Merge(std::string name) : name_(std::move(name)) {}

  // `base` is the default; what the table says replaces it, member by member.
  Status into(JsonObject& base, const toml::table& table, const std::string& where) {
    for (const auto& [key_node, node] : table) {
      std::string key(key_node.str());
      std::string path = where.empty() ? key : where + "." + key;
      auto member = base.find(key);
      if (member == base.end()) return unknown(base, key, path, node);
      if (Status done = value(member->second, node, path); !done) return done;
    }
    return ok();
  }

 private:
  [[nodiscard]] Error at(const toml::node& node, const std::string& what) const {
    return invalid(fmt::format("{}:{}: {}", name_, node.source().begin.line, what));
  }

  [[nodiscard]] Error unknown(const JsonObject& base, const std::string& key,
                              const std::string& path, const toml::node& node) const {
    std::vector<std::string> names;
    for (const auto& [name, member] : base) names.push_back(name);
    std::string near = nearest(key, names);
    std::string hint = near.empty() ? fmt::format("; known here are {}", fmt::join(names, ", "))
                                    : fmt::format("; did you mean \"{}\"?", near);
    return at(node, fmt::format("there is no field \"{}\"{}", path, hint));
  }

  Status value(Json& to, const toml::node& node, const std::string& path) {
    if (to.object() != nullptr) {
      const toml::table* table = node.as_table();
      if (table == nullptr) return at(node, path + " must be a table");
      JsonObject members = *to.object();
      if (Status done = into(members, *table, path); !done) return done;
      to = Json(std::move(members));
      return ok();
    }
    if (to.integer() != nullptr) {
      const auto* number = node.as_integer();
      if (number == nullptr) return at(node, path + " must be a whole number");
      to = Json(number->get());
      return ok();
    }
    if (to.boolean() != nullptr) {
      const auto* truth = node.as_boolean();
      if (truth == nullptr) return at(node, path + " must be true or false");
      to = Json(truth->get());
      return ok();
    }
    return text_or_decimal(to, node, path);
  }

  Status text_or_decimal(Json& to, const toml::node& node, const std::string& path) {
    if (const auto* text = node.as_string()) {
      to = Json(text->get());
      return ok();
    }
    bool is_decimal = to.string() != nullptr && Decimal::parse(*to.string()).ok();
    if (!is_decimal) return at(node, path + " must be a string");
    std::optional<std::string> digits;
    if (const auto* number = node.as_integer()) digits = std::to_string(number->get());
    if (const auto* number = node.as_floating_point()) digits = decimal_text(number->get());
    if (!digits) {
      return at(node, path + " must be a number with at most nine digits after the point");
    }
    to = Json(*digits);
    return ok();
  }

  std::string name_;
};

// Whether the file says anything of one of these members ("judge.audit").
bool says(const toml::table& table, std::initializer_list<std::string_view> paths) {
  return std::ranges::any_of(
      paths, [&table](std::string_view path) { return static_cast<bool>(table.at_path(path)); });
}

// Defaults that follow from what the file says; what it says itself stays, and is refused where it
// cannot be. The recipe on the log states everything.
void settle_defaults(const toml::table& table, JsonObject& merged) {
  const auto zero = [&](const char* part, const char* member, Json value) {
    const std::string path = std::string(part) + "." + member;
    if (says(table, {path})) return;
    JsonObject members = *merged.at(part).object();
    members[member] = std::move(value);
    merged[part] = std::move(members);
  };
  const Json* rows = merged.at("gate").find("rows");
  if (rows == nullptr || rows->integer() == nullptr || *rows->integer() != 0) return;
  // Nothing is tried on held-out text, and by default there is none.
  zero("gate", "report", 0);
  zero("judge", "guard", "0");
  zero("judge", "own_rounds", 0);
  const Json* report = merged.at("gate").find("report");
  if (report->integer() != nullptr && *report->integer() == 0) zero("judge", "void_rise", "0");
}

std::string toml_value(const Json& value) {
  if (const std::int64_t* number = value.integer()) return std::to_string(*number);
  if (const bool* truth = value.boolean()) return *truth ? "true" : "false";
  HARAMBEE_CHECK(value.string() != nullptr);
  if (Decimal::parse(*value.string()).ok()) return *value.string();
  return "\"" + *value.string() + "\"";  // slugs and digests: nothing to escape
}

}  // namespace

Result<fold::Recipe> parse_recipe(std::string_view text, const std::string& name) {
  if (text.size() > kRecipeFileBytesMax) {
    return fail(ErrorCode::limit, name + " is larger than 64 KiB: that is no recipe");
  }
  toml::table table;
  try {
    table = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    return invalid(fmt::format("{}:{}: {}", name, error.source().begin.line, error.description()));
  }
  JsonObject merged = *fold::to_json(fold::default_recipe()).object();
  if (Status done = Merge(name).into(merged, table, ""); !done) return done.error();
  settle_defaults(table, merged);
  Result<fold::Recipe> recipe = fold::recipe_from_json(Json(std::move(merged)));
  if (!recipe) return wrap(recipe.error(), name);
  // Rates that somebody has chosen stay; others fit the length of the run.
  if (says(table, {"judge.audit", "judge.audit_newcomer"})) return recipe;
  return fold::with_affordable_audits(*std::move(recipe));
}

Result<fold::Recipe> read_recipe_file(const std::string& path) {
  Result<Bytes> bytes = store::read_file(path, kRecipeFileBytesMax);
  if (!bytes) return wrap(bytes.error(), "the recipe");
  return parse_recipe(harambee::text(*bytes), path);
}

std::string to_toml(const fold::Recipe& recipe) {
  Json json = fold::to_json(recipe);
  std::string out = "# A Harambee recipe. Every field may be left out.\n";
  for (const Said& said : kSaid) {
    std::size_t dot = said.path.find('.');
    const Json* value = json.find(said.path.substr(0, dot));
    if (dot != std::string_view::npos && value != nullptr) {
      value = value->find(said.path.substr(dot + 1));
    }
    HARAMBEE_CHECK(value != nullptr);
    std::string comment = said.comment.empty() ? "" : fmt::format("  # {}", said.comment);
    if (value->object() != nullptr) {
      out += fmt::format("\n[{}]{}\n", said.path, comment);
    } else {
      std::string_view key = dot == std::string_view::npos ? said.path : said.path.substr(dot + 1);
      out += fmt::format("{} = {}{}\n", key, toml_value(*value), comment);
    }
  }
  return out;
}

}  // namespace harambee::cli
