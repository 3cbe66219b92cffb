#include "format/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "format/byte_characters.h"

namespace harambee::format {
namespace {

ModelConfig small() {
  ModelConfig config;
  config.hidden = 32;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.ffn = 64;
  config.vocab = 256;
  config.context = 16;
  config.rope_theta = Decimal::parse("10000").value();
  config.norm_eps = Decimal::parse("0.00001").value();
  return config;
}

Digest weights_name() { return sha256(view("weights")); }

Bytes written(const ModelLayout& layout, GgufType type, std::span<const float> parameters) {
  const GgufFile file = GgufFile::make(layout, type, weights_name()).value();
  Bytes out;
  EXPECT_TRUE(file.write(parameters,
                         [&](View piece) {
                           out.insert(out.end(), piece.begin(), piece.end());
                           return ok();
                         })
                  .ok());
  EXPECT_EQ(out.size(), file.file_bytes());
  return out;
}

// A reader of its own, by the format's page, not by the writer.
struct Read {
  struct Place {
    std::vector<std::uint64_t> dimensions;  // innermost first
    std::uint32_t type = 0;
    std::uint64_t offset = 0;
  };
  explicit Read(const Bytes& bytes) : bytes(bytes) {
    EXPECT_EQ(text(View(bytes).first(4)), "GGUF");
    at = 4;
    EXPECT_EQ(u32(), 3u);
    const std::uint64_t tensors = u64();
    const std::uint64_t count = u64();
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string key = words();
      value(key, u32());
    }
    for (std::uint64_t i = 0; i < tensors; ++i) {
      const std::string name = words();
      Place place;
      const std::uint32_t rank = u32();
      for (std::uint32_t d = 0; d < rank; ++d) place.dimensions.push_back(u64());
      place.type = u32();
      place.offset = u64();
      EXPECT_EQ(place.offset % 32, 0u);
      EXPECT_TRUE(places.emplace(name, place).second);
    }
    data = (at + 31) / 32 * 32;
  }
  std::uint32_t u32() { return get_u32le(bytes.data() + (at += 4) - 4); }
  std::uint64_t u64() { return get_u64le(bytes.data() + (at += 8) - 8); }
  std::string words() {
    const std::uint64_t size = u64();
    at += size;
    return std::string(text(View(bytes).subspan(at - size, size)));
  }
  void value(const std::string& key, std::uint32_t type) {
    if (type == 4 || type == 5 || type == 6) {
      numbers[key].push_back(u32());
    } else if (type == 7) {
      numbers[key].push_back(bytes[at++]);
    } else if (type == 8) {
      texts[key].push_back(words());
    } else {
      ASSERT_EQ(type, 9u);
      const std::uint32_t element = u32();
      const std::uint64_t count = u64();
      texts[key];
      for (std::uint64_t i = 0; i < count; ++i) value(key, element);
    }
  }
  float f32(const std::string& name, std::uint64_t index) const {
    return std::bit_cast<float>(
        get_u32le(bytes.data() + data + places.at(name).offset + 4 * index));
  }

  const Bytes& bytes;
  std::uint64_t at = 0;
  std::uint64_t data = 0;
  std::map<std::string, std::vector<std::uint32_t>> numbers;
  std::map<std::string, std::vector<std::string>> texts;
  std::map<std::string, Place> places;
};

TEST(Gguf, SaysWhatTheModelIs) {
  const ModelLayout layout = ModelLayout::make(small()).value();
  const Bytes file = written(layout, GgufType::f32, std::vector<float>(layout.parameters()));
  Read read(file);
  EXPECT_THAT(read.texts.at("general.architecture"), testing::ElementsAre("llama"));
  EXPECT_THAT(read.texts.at("harambee.weights"), testing::ElementsAre(weights_name().hex()));
  EXPECT_THAT(read.numbers.at("llama.attention.head_count_kv"), testing::ElementsAre(2));
  EXPECT_THAT(read.numbers.at("llama.rope.dimension_count"), testing::ElementsAre(8));
  EXPECT_EQ(std::bit_cast<float>(read.numbers.at("llama.attention.layer_norm_rms_epsilon")[0]),
            1e-5F);
  const auto& tokens = read.texts.at("tokenizer.ggml.tokens");
  ASSERT_EQ(tokens.size(), 256u);
  EXPECT_EQ(tokens['a'], "a");
  EXPECT_EQ(tokens[' '], "Ġ");
  EXPECT_EQ(tokens['\n'], "Ċ");
  EXPECT_EQ(read.numbers.at("tokenizer.ggml.token_type").size(), 256u);
  EXPECT_TRUE(read.texts.at("tokenizer.ggml.merges").empty());
  EXPECT_EQ(read.places.size(), 2u * 9 + 3);
  EXPECT_THAT(read.places.at("blk.1.attn_k.weight").dimensions, testing::ElementsAre(32, 16));
  EXPECT_THAT(read.places.at("blk.1.ffn_down.weight").dimensions, testing::ElementsAre(64, 32));
}

TEST(Gguf, HoldsTheVeryWeights) {
  const ModelLayout layout = ModelLayout::make(small()).value();
  std::vector<float> parameters(layout.parameters());
  std::iota(parameters.begin(), parameters.end(), 0.0F);
  const Bytes file = written(layout, GgufType::f32, parameters);
  const Read read(file);
  const auto same = [&](const std::string& to, const std::string& from) {
    const TensorPlace& place = layout.at(from);
    for (std::uint64_t i = 0; i < place.size; ++i) {
      ASSERT_EQ(read.f32(to, i), parameters[place.offset + i]) << to << " " << i;
    }
  };
  same("token_embd.weight", "model.embed_tokens.weight");
  same("output.weight", "lm_head.weight");
  same("output_norm.weight", "model.norm.weight");
  same("blk.1.attn_v.weight", "model.layers.1.self_attn.v_proj.weight");
  same("blk.1.ffn_gate.weight", "model.layers.1.mlp.gate_proj.weight");
  // A head has 8 rows: ggml's neighbours 2i and 2i + 1 are Hugging Face's i and i + 4.
  const TensorPlace& q = layout.at("model.layers.0.self_attn.q_proj.weight");
  for (std::uint64_t head = 0; head < 4; ++head) {
    for (std::uint64_t i = 0; i < 4; ++i) {
      for (std::uint64_t column = 0; column < 32; ++column) {
        const auto to = [&](std::uint64_t row) { return (head * 8 + row) * 32 + column; };
        EXPECT_EQ(read.f32("blk.0.attn_q.weight", to(2 * i)), parameters[q.offset + to(i)]);
        EXPECT_EQ(read.f32("blk.0.attn_q.weight", to(2 * i + 1)), parameters[q.offset + to(i + 4)]);
      }
    }
  }
}

TEST(Gguf, ATiedModelHasNoOutputLayer) {
  ModelConfig config = small();
  config.tied = true;
  const ModelLayout layout = ModelLayout::make(config).value();
  const Bytes file = written(layout, GgufType::f16, std::vector<float>(layout.parameters()));
  EXPECT_FALSE(Read(file).places.contains("output.weight"));
}

TEST(Gguf, HalvesMatricesAndNotNorms) {
  const ModelLayout layout = ModelLayout::make(small()).value();
  const std::vector<float> parameters(layout.parameters(), 1.5F);
  const Bytes file = written(layout, GgufType::f16, parameters);
  const Read read(file);
  EXPECT_EQ(read.places.at("blk.0.attn_v.weight").type, 1u);
  EXPECT_EQ(read.places.at("blk.0.attn_norm.weight").type, 0u);
  EXPECT_EQ(read.f32("blk.0.attn_norm.weight", 31), 1.5F);
  const std::uint8_t* half = file.data() + read.data + read.places.at("output.weight").offset;
  EXPECT_EQ(get_u16le(half), 0x3e00);
}

TEST(Gguf, QuantizesByBlocksOf32) {
  const ModelLayout layout = ModelLayout::make(small()).value();
  std::vector<float> parameters(layout.parameters());
  float* row = parameters.data() + layout.at("lm_head.weight").offset;
  for (int i = 0; i < 32; ++i) row[i] = static_cast<float>(i - 16);
  row[32] = std::numeric_limits<float>::quiet_NaN();
  const Bytes file = written(layout, GgufType::q8_0, parameters);
  const Read read(file);
  EXPECT_EQ(read.places.at("output.weight").type, 8u);
  const std::uint8_t* block = file.data() + read.data + read.places.at("output.weight").offset;
  EXPECT_EQ(get_u16le(block), to_half(16.0F / 127));
  EXPECT_EQ(static_cast<std::int8_t>(block[2]), -127);
  EXPECT_EQ(static_cast<std::int8_t>(block[2 + 16]), 0);
  EXPECT_EQ(static_cast<std::int8_t>(block[2 + 31]), 119);  // 15 · 127 / 16 = 119.06
  EXPECT_EQ(get_u16le(block + 34), 0);                      // a row of zeros
}

TEST(Gguf, OneModelHasOneFile) {
  const ModelLayout layout = ModelLayout::make(small()).value();
  const std::vector<float> parameters(layout.parameters(), 0.25F);
  // A change of these is a change of every GGUF file's name on every hub.
  EXPECT_EQ(sha256(written(layout, GgufType::f32, parameters)).hex(),
            "b7c75dee3cbcc49ab8f7cb5ddcf30258c60f930d00701960f293c2ced926aed6");
  EXPECT_EQ(sha256(written(layout, GgufType::q8_0, parameters)).hex(),
            "ddde03bd35ab294a471b06719760a2f8d74588594242ae9cb8415996480e9e94");
}

TEST(Gguf, StopsWhereItsReaderStops) {
  const ModelLayout layout = ModelLayout::make(small()).value();
  const GgufFile file = GgufFile::make(layout, GgufType::f32, weights_name()).value();
  int pieces = 0;
  const Status status = file.write(std::vector<float>(layout.parameters()), [&](View piece) {
    EXPECT_LE(piece.size(), 1u << 20);
    return ++pieces < 3 ? ok() : Status(fail(ErrorCode::unavailable, "full"));
  });
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(pieces, 3);
}

TEST(Gguf, RefusesWhatItCannotSay) {
  ModelConfig config = small();
  config.vocab = 512;
  EXPECT_FALSE(
      GgufFile::make(ModelLayout::make(config).value(), GgufType::f32, weights_name()).ok());
  config = small();
  config.ffn = 48;
  const ModelLayout odd = ModelLayout::make(config).value();
  EXPECT_FALSE(GgufFile::make(odd, GgufType::q8_0, weights_name()).ok());
  EXPECT_TRUE(GgufFile::make(odd, GgufType::f16, weights_name()).ok());
  EXPECT_EQ(parse_gguf_type("q4_k"), std::nullopt);
  EXPECT_EQ(parse_gguf_type("q8_0"), GgufType::q8_0);
}

// The value of a half, as the standard defines it.
double value_of(std::uint16_t half) {
  const int exponent = (half >> 10) & 31;
  const double fraction = (half & 0x3ff) / 1024.0;
  const double size =
      exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1 + fraction, exponent - 15);
  return (half & 0x8000) != 0 ? -size : size;
}

TEST(Half, EveryHalfIsItself) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    if (((bits >> 10) & 31) == 31) continue;
    EXPECT_EQ(to_half(static_cast<float>(value_of(half))), half) << bits;
  }
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  // Between each positive half and the next: the middle, and a little to both sides of it.
  for (unsigned bits = 0; bits + 1 < 0x7c00; ++bits) {
    const auto low = static_cast<std::uint16_t>(bits), high = static_cast<std::uint16_t>(bits + 1);
    const auto middle = static_cast<float>((value_of(low) + value_of(high)) / 2);
    const float below = std::nextafter(middle, 0.0F), above = std::nextafter(middle, 1e9F);
    EXPECT_EQ(to_half(below), low) << bits;
    EXPECT_EQ(to_half(above), high) << bits;
    EXPECT_EQ(to_half(middle), bits % 2 == 0 ? low : high) << bits;
    EXPECT_EQ(to_half(-above), high | 0x8000) << bits;
  }
}

TEST(Half, GoesToInfinityAndKeepsNan) {
  EXPECT_EQ(to_half(65519.996F), 0x7bff);
  EXPECT_EQ(to_half(65520.0F), 0x7c00);
  EXPECT_EQ(to_half(-std::numeric_limits<float>::infinity()), 0xfc00);
  EXPECT_EQ(to_half(std::numeric_limits<float>::quiet_NaN()) & 0x7fff, 0x7e00);
  EXPECT_EQ(to_half(std::numeric_limits<float>::denorm_min()), 0);
}

}  // namespace
}  // namespace harambee::format
