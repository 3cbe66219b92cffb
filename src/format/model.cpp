#include "format/model.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace harambee::format {
namespace {

static_assert(std::endian::native == std::endian::little,
              "files hold little-endian floats and are used in place");

Error bad(const std::string& why) { return invalid("model: " + why); }

View bytes_of(std::span<const float> parameters) {
  return {reinterpret_cast<const std::uint8_t*>(parameters.data()), parameters.size_bytes()};
}

// All tensors in the order of their names.
std::vector<TensorShape> tensor_shapes(const ModelConfig& config) {
  const std::uint64_t hidden = config.hidden, ffn = config.ffn, vocab = config.vocab;
  const std::uint64_t kv = std::uint64_t{config.kv_heads} * config.head_dim();
  std::vector<TensorShape> out{{"model.embed_tokens.weight", {vocab, hidden}},
                               {"model.norm.weight", {hidden}}};
  if (!config.tied) out.push_back({"lm_head.weight", {vocab, hidden}});
  for (std::uint32_t i = 0; i < config.layers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i);
    out.push_back({layer + ".input_layernorm.weight", {hidden}});
    out.push_back({layer + ".post_attention_layernorm.weight", {hidden}});
    out.push_back({layer + ".self_attn.q_proj.weight", {hidden, hidden}});
    out.push_back({layer + ".self_attn.k_proj.weight", {kv, hidden}});
    out.push_back({layer + ".self_attn.v_proj.weight", {kv, hidden}});
    out.push_back({layer + ".self_attn.o_proj.weight", {hidden, hidden}});
    out.push_back({layer + ".mlp.gate_proj.weight", {ffn, hidden}});
    out.push_back({layer + ".mlp.up_proj.weight", {ffn, hidden}});
    out.push_back({layer + ".mlp.down_proj.weight", {hidden, ffn}});
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

Status in_range(const char* name, std::uint32_t value, std::uint32_t most) {
  if (value >= 1 && value <= most) return ok();
  return bad(std::string(name) + " must be 1…" + std::to_string(most));
}

// Reads members of the recipe's object; remembers the first thing that was wrong.
class Members {
 public:
  explicit Members(const Json& json) : json_(json) {}
  std::uint32_t integer(const char* key) {
    const Json* member = json_.find(key);
    const std::int64_t* value = member ? member->integer() : nullptr;
    if (!value || *value < 0 || *value > INT32_MAX) return miss(key), 0;
    return static_cast<std::uint32_t>(*value);
  }
  Decimal decimal(const char* key) {
    const Json* member = json_.find(key);
    const std::string* text = member ? member->string() : nullptr;
    Result<Decimal> value = text ? Decimal::parse(*text) : Result<Decimal>(bad(key));
    if (!value) return miss(key), Decimal{};
    return *value;
  }
  bool boolean(const char* key) {
    const Json* member = json_.find(key);
    const bool* value = member ? member->boolean() : nullptr;
    if (!value) return miss(key), false;
    return *value;
  }
  [[nodiscard]] const std::string& missed() const { return missed_; }

 private:
  void miss(const char* key) {
    if (missed_.empty()) missed_ = key;
  }
  const Json& json_;
  std::string missed_;
};

}  // namespace

Status ModelConfig::validate() const {
  for (const Status& status :
       {in_range("hidden", hidden, kModelWidthMax), in_range("layers", layers, kModelLayersMax),
        in_range("heads", heads, kModelWidthMax), in_range("kv_heads", kv_heads, kModelWidthMax),
        in_range("ffn", ffn, kModelWidthMax), in_range("vocab", vocab, kModelVocabMax),
        in_range("context", context, kModelContextMax)}) {
    if (!status) return status;
  }
  if (hidden % heads != 0) return bad("hidden must be a multiple of heads");
  if (head_dim() % 2 != 0) return bad("hidden / heads must be even");
  if (heads % kv_heads != 0) return bad("heads must be a multiple of kv_heads");
  if (rope_theta.nanos <= 0) return bad("rope_theta must be greater than 0");
  if (norm_eps.nanos <= 0) return bad("norm_eps must be greater than 0");
  return ok();
}

Json to_json(const ModelConfig& config) {
  return JsonObject{{"context", config.context},
                    {"ffn", config.ffn},
                    {"heads", config.heads},
                    {"hidden", config.hidden},
                    {"kv_heads", config.kv_heads},
                    {"layers", config.layers},
                    {"norm_eps", config.norm_eps.str()},
                    {"rope_theta", config.rope_theta.str()},
                    {"tied", config.tied},
                    {"vocab", config.vocab}};
}

Result<ModelConfig> model_from_json(const Json& json) {
  Members members(json);
  ModelConfig config;
  config.context = members.integer("context");
  config.ffn = members.integer("ffn");
  config.heads = members.integer("heads");
  config.hidden = members.integer("hidden");
  config.kv_heads = members.integer("kv_heads");
  config.layers = members.integer("layers");
  config.norm_eps = members.decimal("norm_eps");
  config.rope_theta = members.decimal("rope_theta");
  config.tied = members.boolean("tied");
  config.vocab = members.integer("vocab");
  if (!members.missed().empty()) return bad(members.missed() + " is missing or of a wrong type");
  if (json.object()->size() != 10) return bad("an unknown member");
  if (Status valid = config.validate(); !valid) return valid.error();
  return config;
}

Result<ModelLayout> ModelLayout::make(const ModelConfig& config) {
  if (Status valid = config.validate(); !valid) return valid.error();
  ModelLayout layout;
  layout.config_ = config;
  const std::vector<TensorShape> shapes = tensor_shapes(config);
  for (const TensorShape& tensor : shapes) {
    std::uint64_t size = 1;
    for (const std::uint64_t dimension : tensor.shape) size *= dimension;
    layout.tensors_.push_back({tensor.name, tensor.shape, layout.parameters_, size});
    layout.parameters_ += size;
  }
  if (layout.parameters_ > kModelParametersMax) {
    return fail(ErrorCode::limit, "model: more than 2^36 parameters");
  }
  layout.header_ = canonical_f32_header(shapes);
  HARAMBEE_CHECK(layout.header_.size() <= 8 + kSafetensorsHeaderBytesMax);
  return layout;
}

const TensorPlace& ModelLayout::at(std::string_view name) const {
  const auto found =
      std::lower_bound(tensors_.begin(), tensors_.end(), name,
                       [](const TensorPlace& place, std::string_view n) { return place.name < n; });
  HARAMBEE_CHECK(found != tensors_.end() && found->name == name);
  return *found;
}

Bytes weights_file(const ModelLayout& layout, std::span<const float> parameters) {
  HARAMBEE_CHECK(parameters.size() == layout.parameters());
  const View header = layout.header(), data = bytes_of(parameters);
  Bytes file;
  file.reserve(header.size() + data.size());
  file.insert(file.end(), header.begin(), header.end());
  file.insert(file.end(), data.begin(), data.end());
  return file;
}

Digest weights_digest(const ModelLayout& layout, std::span<const float> parameters) {
  HARAMBEE_CHECK(parameters.size() == layout.parameters());
  return sha256({layout.header(), bytes_of(parameters)});
}

Result<std::span<const float>> flat_weights(const ModelLayout& layout, View file) {
  const View header = layout.header();
  if (file.size() != layout.file_bytes()) {
    return bad("the weights file has " + std::to_string(file.size()) + " bytes, not " +
               std::to_string(layout.file_bytes()));
  }
  if (!std::equal(header.begin(), header.end(), file.begin())) {
    return bad("the weights file's header is not the canonical one of this model");
  }
  const std::uint8_t* data = file.data() + header.size();
  HARAMBEE_CHECK(reinterpret_cast<std::uintptr_t>(data) % alignof(float) == 0);
  return std::span<const float>(reinterpret_cast<const float*>(data), layout.parameters());
}

}  // namespace harambee::format
