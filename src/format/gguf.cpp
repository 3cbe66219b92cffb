#include "format/gguf.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "base/check.h"
#include "format/byte_characters.h"

namespace harambee::format {
namespace {

constexpr std::uint32_t kVersion = 3;
constexpr std::uint64_t kAlignment = 32;  // the default, so it is not written
constexpr std::uint64_t kBlock = 32;      // weights of one q8_0 block
constexpr std::uint64_t kBlockBytes = 2 + kBlock;
constexpr std::size_t kPieceBytesMax = 1u << 20;
constexpr std::uint32_t kByteTokens = 256;

// Types of values in the header.
enum class Kind : std::uint32_t { u32 = 4, i32 = 5, f32 = 6, boolean = 7, text = 8, array = 9 };

std::uint32_t tensor_type(GgufType type) {
  switch (type) {
    case GgufType::f16:
      return 1;
    case GgufType::q8_0:
      return 8;
    case GgufType::f32:
      break;
  }
  return 0;
}

// general.file_type
std::uint32_t file_type(GgufType type) { return type == GgufType::q8_0 ? 7 : tensor_type(type); }

std::uint64_t row_bytes(GgufType type, std::uint64_t columns) {
  switch (type) {
    case GgufType::f16:
      return 2 * columns;
    case GgufType::q8_0:
      return columns / kBlock * kBlockBytes;
    case GgufType::f32:
      break;
  }
  return 4 * columns;
}

std::uint64_t aligned(std::uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// Keys and values of the header.
class Values {
 public:
  void number(std::string_view key, std::uint32_t value) {
    begin(key, Kind::u32);
    put_u32le(bytes_, value);
  }
  void real(std::string_view key, const Decimal& value) {
    begin(key, Kind::f32);
    put_u32le(bytes_, std::bit_cast<std::uint32_t>(static_cast<float>(value.to_double())));
  }
  void flag(std::string_view key, bool value) {
    begin(key, Kind::boolean);
    bytes_.push_back(value ? 1 : 0);
  }
  void words(std::string_view key, std::string_view value) {
    begin(key, Kind::text);
    put_text(bytes_, value);
  }
  void list(std::string_view key, const std::vector<std::string>& values) {
    array(key, Kind::text, values.size());
    for (const std::string& value : values) put_text(bytes_, value);
  }
  void list(std::string_view key, const std::vector<std::uint32_t>& values) {
    array(key, Kind::i32, values.size());
    for (const std::uint32_t value : values) put_u32le(bytes_, value);
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] const Bytes& bytes() const { return bytes_; }
  static void put_text(Bytes& out, std::string_view text) {
    put_u64le(out, text.size());
    out.insert(out.end(), text.begin(), text.end());
  }

 private:
  void begin(std::string_view key, Kind kind) {
    ++count_;
    put_text(bytes_, key);
    put_u32le(bytes_, static_cast<std::uint32_t>(kind));
  }
  void array(std::string_view key, Kind kind, std::uint64_t size) {
    begin(key, Kind::array);
    put_u32le(bytes_, static_cast<std::uint32_t>(kind));
    put_u64le(bytes_, size);
  }
  Bytes bytes_;
  std::uint64_t count_ = 0;
};

Values model_values(const ModelConfig& config, GgufType type, const Digest& weights) {
  Values values;
  values.words("general.architecture", "llama");
  values.words("general.type", "model");
  values.number("general.file_type", file_type(type));
  values.number("general.quantization_version", 2);
  values.words("harambee.weights", weights.hex());
  values.number("llama.block_count", config.layers);
  values.number("llama.context_length", config.context);
  values.number("llama.embedding_length", config.hidden);
  values.number("llama.feed_forward_length", config.ffn);
  values.number("llama.attention.head_count", config.heads);
  values.number("llama.attention.head_count_kv", config.kv_heads);
  values.real("llama.attention.layer_norm_rms_epsilon", config.norm_eps);
  values.real("llama.rope.freq_base", config.rope_theta);
  values.number("llama.rope.dimension_count", config.head_dim());
  values.number("llama.vocab_size", config.vocab);
  return values;
}

// Token id = byte value, as in tokenizer.json.
void add_tokenizer(Values& values) {
  std::vector<std::string> tokens;
  for (unsigned byte = 0; byte < kByteTokens; ++byte) tokens.push_back(byte_character(byte));
  values.words("tokenizer.ggml.model", "gpt2");
  values.words("tokenizer.ggml.pre", "gpt-2");
  values.list("tokenizer.ggml.tokens", tokens);
  values.list("tokenizer.ggml.token_type", std::vector<std::uint32_t>(kByteTokens, 1));  // normal
  values.list("tokenizer.ggml.merges", std::vector<std::string>());
  // Our models have no special tokens; llama.cpp would take the byte 11 for both, which is a
  // character of text. A NUL is none.
  values.number("tokenizer.ggml.bos_token_id", 0);
  values.number("tokenizer.ggml.eos_token_id", 0);
  values.flag("tokenizer.ggml.add_bos_token", false);
  values.flag("tokenizer.ggml.add_eos_token", false);
  // A model that continues text knows no turns: what was said goes in as it is.
  values.words("tokenizer.chat_template",
               "{% for message in messages %}{{ message['content'] }}\n{% endfor %}");
}

// One row, in the type of its tensor.
void put_row(Bytes& out, GgufType type, std::span<const float> row) {
  if (type == GgufType::f32) {
    const View bytes{reinterpret_cast<const std::uint8_t*>(row.data()), row.size_bytes()};
    out.insert(out.end(), bytes.begin(), bytes.end());
    return;
  }
  if (type == GgufType::f16) {
    for (const float number : row) put_u16le(out, to_half(number));
    return;
  }
  for (; !row.empty(); row = row.subspan(kBlock)) {
    float largest = 0;
    for (std::size_t i = 0; i < kBlock; ++i) largest = std::max(largest, std::fabs(row[i]));
    const float scale = largest / 127.0F;
    const float inverse = scale != 0 ? 1.0F / scale : 0.0F;
    put_u16le(out, to_half(scale));
    for (std::size_t i = 0; i < kBlock; ++i) {
      const float level = std::round(row[i] * inverse);
      // NaN is no level.
      const bool good = level >= -127 && level <= 127;
      out.push_back(static_cast<std::uint8_t>(static_cast<std::int8_t>(good ? level : 0.0F)));
    }
  }
}

}  // namespace

const char* name(GgufType type) {
  switch (type) {
    case GgufType::f16:
      return "f16";
    case GgufType::q8_0:
      return "q8_0";
    case GgufType::f32:
      break;
  }
  return "f32";
}

std::optional<GgufType> parse_gguf_type(std::string_view text) {
  for (const GgufType type : {GgufType::f32, GgufType::f16, GgufType::q8_0}) {
    if (text == name(type)) return type;
  }
  return std::nullopt;
}

std::uint16_t to_half(float number) {
  const auto bits = std::bit_cast<std::uint32_t>(number);
  const std::uint32_t sign = (bits >> 16) & 0x8000;
  const std::uint32_t magnitude = bits & 0x7fffffff;
  const auto half = [sign](std::uint32_t value) {
    return static_cast<std::uint16_t>(sign | value);
  };
  // The first float that rounds to infinity is 65520.
  if (magnitude > 0x7f800000) return half(0x7e00);
  if (magnitude >= 0x477ff000) return half(0x7c00);
  std::uint32_t shift = 13;  // bits of the significand that are lost
  std::uint32_t value = magnitude - (112u << 23);
  if (magnitude < 0x38800000) {  // below 2^-14: a subnormal half counts units of 2^-24
    const std::uint32_t exponent = magnitude >> 23;
    shift = 126 - exponent;
    if (exponent < 102) return half(0);  // below half a unit
    value = (magnitude & 0x7fffff) | 0x800000;
  }
  const std::uint32_t rest = value & ((1u << shift) - 1);
  const std::uint32_t middle = 1u << (shift - 1);
  value >>= shift;
  if (rest > middle || (rest == middle && (value & 1) != 0)) ++value;
  return half(value);
}

void GgufFile::add_tensor(Bytes& infos, const std::string& name, const TensorPlace& from,
                          RowOrder order, GgufType type) {
  Place place;
  place.offset = from.offset;
  place.columns = from.shape.back();
  place.rows = from.size / place.columns;
  place.type = from.shape.size() > 1 ? type : GgufType::f32;
  place.order = order;
  Values::put_text(infos, name);
  put_u32le(infos, static_cast<std::uint32_t>(from.shape.size()));
  for (auto one = from.shape.rbegin(); one != from.shape.rend(); ++one) put_u64le(infos, *one);
  put_u32le(infos, tensor_type(place.type));
  put_u64le(infos, data_bytes_);
  data_bytes_ += aligned(place.rows * row_bytes(place.type, place.columns));
  places_.push_back(place);
}

Result<GgufFile> GgufFile::make(const ModelLayout& layout, GgufType type, const Digest& weights) {
  const ModelConfig& config = layout.config();
  if (config.vocab != kByteTokens) {
    return invalid("gguf: only models whose tokens are bytes (vocab 256) can be written");
  }
  if (type == GgufType::q8_0 && (config.hidden % kBlock != 0 || config.ffn % kBlock != 0)) {
    return invalid("gguf: q8_0 needs hidden and ffn to be multiples of 32");
  }
  GgufFile file;
  file.head_dim_ = config.head_dim();
  Bytes infos;
  const auto add = [&](const std::string& name, const std::string& from, RowOrder order) {
    file.add_tensor(infos, name + ".weight", layout.at(from + ".weight"), order, type);
  };
  add("token_embd", "model.embed_tokens", RowOrder::same);
  for (std::uint32_t i = 0; i < config.layers; ++i) {
    const std::string to = "blk." + std::to_string(i) + ".";
    const std::string from = "model.layers." + std::to_string(i) + ".";
    add(to + "attn_norm", from + "input_layernorm", RowOrder::same);
    add(to + "attn_q", from + "self_attn.q_proj", RowOrder::rotary);
    add(to + "attn_k", from + "self_attn.k_proj", RowOrder::rotary);
    add(to + "attn_v", from + "self_attn.v_proj", RowOrder::same);
    add(to + "attn_output", from + "self_attn.o_proj", RowOrder::same);
    add(to + "ffn_norm", from + "post_attention_layernorm", RowOrder::same);
    add(to + "ffn_gate", from + "mlp.gate_proj", RowOrder::same);
    add(to + "ffn_up", from + "mlp.up_proj", RowOrder::same);
    add(to + "ffn_down", from + "mlp.down_proj", RowOrder::same);
  }
  add("output_norm", "model.norm", RowOrder::same);
  if (!config.tied) add("output", "lm_head", RowOrder::same);

  Values values = model_values(config, type, weights);
  add_tokenizer(values);
  file.header_ = to_bytes("GGUF");
  put_u32le(file.header_, kVersion);
  put_u64le(file.header_, file.places_.size());
  put_u64le(file.header_, values.count());
  file.header_.insert(file.header_.end(), values.bytes().begin(), values.bytes().end());
  file.header_.insert(file.header_.end(), infos.begin(), infos.end());
  file.header_.resize(aligned(file.header_.size()));
  file.file_bytes_ = file.header_.size() + file.data_bytes_;
  return file;
}

Status GgufFile::write(std::span<const float> parameters, const Sink& sink) const {
  for (View rest = header_; !rest.empty();
       rest = rest.subspan(std::min(rest.size(), kPieceBytesMax))) {
    if (auto taken = sink(rest.first(std::min(rest.size(), kPieceBytesMax))); !taken) return taken;
  }
  for (const Place& place : places_) {
    if (auto written = write_tensor(place, parameters, sink); !written) return written;
  }
  return ok();
}

Status GgufFile::write_tensor(const Place& place, std::span<const float> parameters,
                              const Sink& sink) const {
  const std::span<const float> all = parameters.subspan(place.offset, place.rows * place.columns);
  const std::uint64_t bytes = row_bytes(place.type, place.columns);
  const auto flush = [&](Bytes& piece) {
    Status taken = sink(piece);
    piece.clear();
    return taken;
  };
  Bytes piece;
  for (std::uint64_t row = 0; row < place.rows; ++row) {
    std::uint64_t from = row;
    if (place.order == RowOrder::rotary) {
      // Hugging Face turns the pair (i, i + d/2) of a head, ggml the neighbours (2i, 2i + 1).
      const std::uint64_t in_head = row % head_dim_;
      from = row - in_head + (in_head % 2) * (head_dim_ / 2) + in_head / 2;
    }
    if (!piece.empty() && piece.size() + bytes > kPieceBytesMax) {
      if (auto taken = flush(piece); !taken) return taken;
    }
    put_row(piece, place.type, all.subspan(from * place.columns, place.columns));
  }
  piece.resize(piece.size() + aligned(place.rows * bytes) - place.rows * bytes);
  return flush(piece);
}

}  // namespace harambee::format
