#include "format/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <numeric>

namespace harambee::format {
namespace {

ModelConfig demo() {
  ModelConfig config;
  config.hidden = 128;
  config.layers = 6;
  config.heads = 4;
  config.kv_heads = 2;
  config.ffn = 384;
  config.vocab = 256;
  config.context = 128;
  config.rope_theta = Decimal::parse("10000").value();
  config.norm_eps = Decimal::parse("0.00001").value();
  return config;
}

TEST(Model, LayoutIsTheDataSectionOfTheFile) {
  const ModelLayout layout = ModelLayout::make(demo()).value();
  EXPECT_EQ(layout.parameters(), 1'246'848u);
  EXPECT_EQ(layout.header().size() % 8, 0u);
  std::vector<float> numbers(layout.parameters());
  std::iota(numbers.begin(), numbers.end(), 0.0F);
  const Bytes file = weights_file(layout, numbers);
  EXPECT_EQ(file.size(), layout.file_bytes());

  const Result<Safetensors> parsed = parse_safetensors(file);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  ASSERT_EQ(parsed->tensors.size(), layout.tensors().size());
  for (const TensorPlace& place : layout.tensors()) {
    const Tensor* tensor = parsed->find(place.name);
    ASSERT_NE(tensor, nullptr) << place.name;
    EXPECT_EQ(tensor->shape, place.shape);
    EXPECT_EQ(tensor->data.data(), file.data() + layout.header().size() + 4 * place.offset);
    EXPECT_EQ(&layout.at(place.name), &place);
  }
}

TEST(Model, ShapesAreHuggingFaces) {
  const ModelLayout layout = ModelLayout::make(demo()).value();
  EXPECT_EQ(layout.at("lm_head.weight").offset, 0u);
  EXPECT_THAT(layout.at("model.embed_tokens.weight").shape, testing::ElementsAre(256, 128));
  EXPECT_THAT(layout.at("model.layers.5.self_attn.k_proj.weight").shape,
              testing::ElementsAre(64, 128));
  EXPECT_THAT(layout.at("model.layers.0.mlp.down_proj.weight").shape,
              testing::ElementsAre(128, 384));
  ModelConfig tied = demo();
  tied.tied = true;
  EXPECT_EQ(ModelLayout::make(tied)->parameters(), 1'246'848u - 256 * 128);
}

TEST(Model, NamesSortBytewise) {
  ModelConfig deep = demo();
  deep.layers = 12;
  const ModelLayout layout = ModelLayout::make(deep).value();
  EXPECT_LT(layout.at("model.layers.10.mlp.up_proj.weight").offset,
            layout.at("model.layers.2.mlp.up_proj.weight").offset);
}

TEST(Model, DigestIsThatOfTheFile) {
  const ModelLayout layout = ModelLayout::make(demo()).value();
  const std::vector<float> numbers(layout.parameters(), 0.5F);
  EXPECT_EQ(weights_digest(layout, numbers), sha256(weights_file(layout, numbers)));
}

// Also in spec/weights.md: a change of this digest is a change of the format.
TEST(Model, DigestOfZerosIsTheSpecs) {
  const ModelLayout layout = ModelLayout::make(demo()).value();
  EXPECT_EQ(layout.header().size(), 6'032u);
  EXPECT_EQ(weights_digest(layout, std::vector<float>(layout.parameters())).hex(),
            "05e629695ee19c8c2cea82a24d5e5861cbf63d2f4da36585b3ba9bf7574a5aa0");
}

TEST(Model, FlatWeightsBorrowsExactlyTheCanonicalFile) {
  const ModelLayout layout = ModelLayout::make(demo()).value();
  const std::vector<float> numbers(layout.parameters(), 0.25F);
  Bytes file = weights_file(layout, numbers);
  const auto flat = flat_weights(layout, file);
  ASSERT_TRUE(flat.ok());
  EXPECT_TRUE(std::equal(flat->begin(), flat->end(), numbers.begin()));
  EXPECT_EQ(reinterpret_cast<const std::uint8_t*>(flat->data()),
            file.data() + layout.header().size());
  EXPECT_FALSE(flat_weights(layout, View(file).first(file.size() - 1)).ok());
  EXPECT_FALSE(flat_weights(layout, {}).ok());
  for (std::size_t i = 0; i < layout.header().size(); i += 97) {
    file[i] ^= 1;
    EXPECT_FALSE(flat_weights(layout, file).ok());
    file[i] ^= 1;
  }
}

TEST(Model, RefusesImpossibleShapes) {
  const auto refused = [](auto change) {
    ModelConfig config = demo();
    change(config);
    return !config.validate().ok() && !ModelLayout::make(config).ok();
  };
  EXPECT_TRUE(refused([](ModelConfig& c) { c.hidden = 0; }));
  EXPECT_TRUE(refused([](ModelConfig& c) { c.hidden = 130; }));
  EXPECT_TRUE(refused([](ModelConfig& c) { c.hidden = 4; }));  // odd head_dim
  EXPECT_TRUE(refused([](ModelConfig& c) { c.heads = 0; }));
  EXPECT_TRUE(refused([](ModelConfig& c) { c.kv_heads = 3; }));
  EXPECT_TRUE(refused([](ModelConfig& c) { c.layers = kModelLayersMax + 1; }));
  EXPECT_TRUE(refused([](ModelConfig& c) { c.vocab = kModelVocabMax + 1; }));
  EXPECT_TRUE(refused([](ModelConfig& c) { c.context = 0; }));
  EXPECT_TRUE(refused([](ModelConfig& c) { c.norm_eps.nanos = 0; }));
  EXPECT_TRUE(refused([](ModelConfig& c) { c.rope_theta.nanos = -1; }));
  ModelConfig giant = demo();
  giant.hidden = giant.ffn = kModelWidthMax;
  giant.layers = kModelLayersMax;
  EXPECT_EQ(ModelLayout::make(giant).error().code, ErrorCode::limit);
}

TEST(Model, RecipeFormRoundTrips) {
  const std::string text =
      R"({"context":128,"ffn":384,"heads":4,"hidden":128,"kv_heads":2,"layers":6,)"
      R"("norm_eps":"0.00001","rope_theta":"10000","tied":false,"vocab":256})";
  EXPECT_EQ(write(to_json(demo())), text);
  const Json json = parse_canonical(view(text)).value();
  EXPECT_EQ(model_from_json(json).value(), demo());
  for (const auto& [key, value] : *json.object()) {
    JsonObject without = *json.object();
    without.erase(key);
    EXPECT_FALSE(model_from_json(without).ok()) << key;
    JsonObject wrong = *json.object();
    wrong[key] = JsonArray{};
    EXPECT_FALSE(model_from_json(wrong).ok()) << key;
  }
  JsonObject more = *json.object();
  more["more"] = 1;
  EXPECT_FALSE(model_from_json(more).ok());
  EXPECT_FALSE(model_from_json(Json(1)).ok());
}

TEST(HuggingFace, FilesAreJsonWithTheRightNumbers) {
  const auto config = nlohmann::json::parse(hf_config_json(demo()));
  EXPECT_EQ(config["architectures"][0], "LlamaForCausalLM");
  EXPECT_EQ(config["hidden_size"], 128);
  EXPECT_EQ(config["num_key_value_heads"], 2);
  EXPECT_EQ(config["rope_theta"].get<double>(), 10000.0);
  EXPECT_EQ(config["rms_norm_eps"].get<double>(), 1e-5);
  EXPECT_EQ(config["torch_dtype"], "float32");
  EXPECT_TRUE(config["bos_token_id"].is_null());
  EXPECT_TRUE(nlohmann::json::accept(hf_tokenizer_config_json(demo())));
  EXPECT_TRUE(nlohmann::json::accept(hf_generation_config_json()));
}

TEST(HuggingFace, TokenIdsAreByteValues) {
  const auto tokenizer = nlohmann::json::parse(hf_tokenizer_json());
  const auto& vocab = tokenizer["model"]["vocab"];
  EXPECT_EQ(vocab.size(), 256u);
  EXPECT_EQ(vocab["A"], 'A');
  EXPECT_EQ(vocab["\""], '"');
  EXPECT_EQ(vocab["\\"], '\\');
  EXPECT_EQ(vocab["Ġ"], ' ');
  EXPECT_EQ(vocab["Ċ"], '\n');
  EXPECT_EQ(vocab["Ā"], 0);
  EXPECT_EQ(vocab["ÿ"], 255);
  EXPECT_EQ(vocab["Ń"], 173);
}

}  // namespace
}  // namespace harambee::format
