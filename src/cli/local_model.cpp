#include "cli/local_model.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "store/file.h"

namespace harambee::cli {
namespace {

namespace fs = std::filesystem;

Result<std::int64_t> number_of(const nlohmann::json& config, const char* name) {
  auto member = config.find(name);
  if (member == config.end() || !member->is_number_integer() || member->get<std::int64_t>() <= 0 ||
      member->get<std::int64_t>() > (1 << 20)) {
    return invalid(fmt::format("config.json: \"{}\" is missing or no sensible number", name));
  }
  return member->get<std::int64_t>();
}

Result<Decimal> decimal_of(const nlohmann::json& config, const char* name) {
  auto member = config.find(name);
  if (member == config.end() || !member->is_number()) {
    return invalid(fmt::format("config.json: \"{}\" is missing or no number", name));
  }
  double value = member->get<double>();
  if (!(value > 0 && value < 9e9))
    return invalid(fmt::format("config.json: \"{}\" is {}", name, value));
  return Decimal{static_cast<std::int64_t>(value * 1e9 + 0.5)};
}

}  // namespace

Result<format::ModelConfig> read_config(const std::string& dir) {
  Result<Bytes> bytes = store::read_file(dir + "/config.json", 1 << 20);
  if (!bytes) return wrap(bytes.error(), "no model in " + dir);
  nlohmann::json config = nlohmann::json::parse(bytes->begin(), bytes->end(), nullptr, false);
  if (!config.is_object()) return invalid(dir + "/config.json is no JSON object");
  format::ModelConfig model;
  struct Field {
    const char* name;
    std::uint32_t* to;
  };
  for (const Field& field :
       {Field{"hidden_size", &model.hidden}, Field{"num_hidden_layers", &model.layers},
        Field{"num_attention_heads", &model.heads}, Field{"num_key_value_heads", &model.kv_heads},
        Field{"intermediate_size", &model.ffn}, Field{"vocab_size", &model.vocab},
        Field{"max_position_embeddings", &model.context}}) {
    Result<std::int64_t> number = number_of(config, field.name);
    if (!number) return number.error();
    *field.to = static_cast<std::uint32_t>(*number);
  }
  Result<Decimal> theta = decimal_of(config, "rope_theta");
  Result<Decimal> eps = decimal_of(config, "rms_norm_eps");
  if (!theta) return theta.error();
  if (!eps) return eps.error();
  model.rope_theta = *theta;
  model.norm_eps = *eps;
  auto tied = config.find("tie_word_embeddings");
  model.tied = tied != config.end() && tied->is_boolean() && tied->get<bool>();
  if (Status good = model.validate(); !good) return wrap(good.error(), dir + "/config.json");
  return model;
}

ScratchFolder::ScratchFolder()
    : path_(fs::temp_directory_path() / fmt::format("harambee-{}", ::getpid())) {
  fs::create_directories(path_);
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace harambee::cli
