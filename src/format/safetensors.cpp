#include "format/safetensors.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

namespace harambee::format {
namespace {

constexpr std::string_view kMetadataKey = "__metadata__";

// The events of the header's JSON, turned into tensors. Returns false at the first thing that the
// format does not know, with the reason in `reason`.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  struct Entry {
    std::string name;
    std::string dtype;
    std::vector<std::uint64_t> shape;
    std::vector<std::uint64_t> offsets;
    bool has_dtype = false, has_shape = false, has_offsets = false;
  };
  std::vector<Entry> entries;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::string reason;

  bool start_object(std::size_t) override {
    if (place_ == Place::start) return enter(Place::root);
    if (place_ == Place::root && pending_ == kMetadataKey) return enter(Place::metadata);
    if (place_ == Place::root) return enter(Place::tensor);
    return refuse("an object where none belongs");
  }
  bool key(string_t& text) override {
    if (place_ == Place::root) return root_key(text);
    if (place_ == Place::metadata) return metadata_key(text);
    return tensor_key(text);
  }
  bool end_object() override {
    if (place_ == Place::tensor) {
      const Entry& entry = entries.back();
      if (!entry.has_dtype || !entry.has_shape || !entry.has_offsets) {
        return refuse("tensor " + entry.name + " lacks dtype, shape or data_offsets");
      }
    }
    place_ = place_ == Place::root ? Place::end : Place::root;
    return true;
  }
  bool start_array(std::size_t) override {
    if (place_ == Place::tensor && field_ == Field::shape) return enter(Place::shape);
    if (place_ == Place::tensor && field_ == Field::offsets) return enter(Place::offsets);
    return refuse("an array where none belongs");
  }
  bool end_array() override {
    if (place_ == Place::offsets && entries.back().offsets.size() != 2) {
      return refuse("data_offsets must be two numbers");
    }
    return enter(Place::tensor);
  }
  bool string(string_t& text) override {
    if (place_ == Place::metadata) {
      metadata.emplace_back(pending_, text);
      return true;
    }
    if (place_ != Place::tensor || field_ != Field::dtype) {
      return refuse("a string where none belongs");
    }
    if (dtype_bits(text) == 0) return refuse("unknown dtype");
    entries.back().dtype = text;
    return true;
  }
  bool number_unsigned(number_unsigned_t number) override {
    if (place_ == Place::shape) {
      entries.back().shape.push_back(number);
      return entries.back().shape.size() <= kSafetensorsRankMax || refuse("too many dimensions");
    }
    if (place_ == Place::offsets) {
      entries.back().offsets.push_back(number);
      return entries.back().offsets.size() <= 2 || refuse("data_offsets must be two numbers");
    }
    return refuse("a number where none belongs");
  }
  bool number_integer(number_integer_t) override { return refuse("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return refuse("a fraction"); }
  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("a boolean"); }
  bool binary(binary_t&) override { return refuse("binary"); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return refuse("it is not JSON");
  }

 private:
  enum class Place { start, root, metadata, tensor, shape, offsets, end };
  enum class Field { none, dtype, shape, offsets };

  bool refuse(std::string why) {
    if (reason.empty()) reason = std::move(why);
    return false;
  }
  bool enter(Place place) {
    place_ = place;
    return true;
  }
  bool root_key(const std::string& text) {
    if (text.empty() || text.size() > kSafetensorsNameBytesMax) return refuse("a name too long");
    if (!names_.insert(text).second) return refuse("two entries named " + text);
    pending_ = text;
    if (text == kMetadataKey) return true;
    if (entries.size() == kSafetensorsTensorsMax) return refuse("too many tensors");
    entries.emplace_back().name = text;
    field_ = Field::none;
    return true;
  }
  bool metadata_key(const std::string& text) {
    if (metadata.size() == kSafetensorsMetadataMax) return refuse("too much metadata");
    if (!metadata_names_.insert(text).second) return refuse("two metadata entries named " + text);
    pending_ = text;
    return true;
  }
  bool tensor_key(const std::string& text) {
    Entry& entry = entries.back();
    const auto take = [&](bool& seen, Field field) {
      if (seen) return refuse("tensor " + entry.name + " has two values of " + text);
      seen = true;
      field_ = field;
      return true;
    };
    if (text == "dtype") return take(entry.has_dtype, Field::dtype);
    if (text == "shape") return take(entry.has_shape, Field::shape);
    if (text == "data_offsets") return take(entry.has_offsets, Field::offsets);
    return refuse("tensor " + entry.name + " has an unknown field");
  }

  Place place_ = Place::start;
  Field field_ = Field::none;
  std::string pending_;
  std::set<std::string, std::less<>> names_;
  std::set<std::string, std::less<>> metadata_names_;
};

Error bad(const std::string& why) { return invalid("safetensors: " + why); }

// The size in bytes that dtype and shape ask for; false on overflow or a broken byte.
bool wanted_bytes(const HeaderReader::Entry& entry, std::uint64_t& bytes) {
  std::uint64_t bits = dtype_bits(entry.dtype);
  for (const std::uint64_t dimension : entry.shape) {
    if (__builtin_mul_overflow(bits, dimension, &bits)) return false;
  }
  bytes = bits / 8;
  return bits % 8 == 0;
}

// Every tensor's span, in the order of the data: no holes, no overlaps, nothing left over.
Status place_tensors(std::vector<HeaderReader::Entry>& entries, View data, Safetensors& out) {
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.offsets < b.offsets; });
  std::uint64_t end = 0;
  for (auto& entry : entries) {
    const std::uint64_t from = entry.offsets[0], to = entry.offsets[1];
    if (from != end || to < from || to > data.size()) {
      return bad("the data of " + entry.name + " does not follow its predecessor's");
    }
    std::uint64_t bytes = 0;
    if (!wanted_bytes(entry, bytes) || bytes != to - from) {
      return bad("the size of " + entry.name + " does not fit its shape");
    }
    out.tensors.push_back({std::move(entry.name), std::move(entry.dtype), std::move(entry.shape),
                           data.subspan(from, to - from)});
    end = to;
  }
  if (end != data.size()) return bad("bytes after the last tensor");
  return ok();
}

}  // namespace

unsigned dtype_bits(std::string_view dtype) {
  constexpr std::array<std::pair<std::string_view, unsigned>, 22> kBits{{
      {"BOOL", 8},    {"U8", 8},      {"I8", 8},          {"F8_E5M2", 8},     {"F8_E4M3", 8},
      {"F8_E8M0", 8}, {"I16", 16},    {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"U16", 16},
      {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
      {"I64", 64},    {"U64", 64},    {"F64", 64},        {"C64", 64},        {"F4", 4},
      {"F6_E2M3", 6}, {"F6_E3M2", 6},
  }};
  for (const auto& [name, bits] : kBits) {
    if (name == dtype) return bits;
  }
  return 0;
}

const Tensor* Safetensors::find(std::string_view name) const {
  const auto at = std::lower_bound(tensors.begin(), tensors.end(), name,
                                   [](const Tensor& t, std::string_view n) { return t.name < n; });
  return at != tensors.end() && at->name == name ? &*at : nullptr;
}

Result<Safetensors> parse_safetensors(View file) {
  if (file.size() < 8) return bad("shorter than 8 bytes");
  const std::uint64_t header_bytes = get_u64le(file.data());
  if (header_bytes > kSafetensorsHeaderBytesMax) {
    return fail(ErrorCode::limit, "safetensors: the header is longer than 8 MiB");
  }
  if (header_bytes > file.size() - 8) return bad("the header ends after the file");
  const View header = file.subspan(8, header_bytes);
  if (header.empty() || header[0] != '{') return bad("the header does not begin with '{'");
  // nlohmann takes a NUL for the end of the input in some modes; the format forbids it anywhere.
  if (std::find(header.begin(), header.end(), 0) != header.end()) return bad("a NUL in the header");

  HeaderReader reader;
  if (!nlohmann::json::sax_parse(header.begin(), header.end(), &reader)) {
    return bad(reader.reason.empty() ? "it is not JSON" : reader.reason);
  }
  Safetensors out;
  out.metadata = std::move(reader.metadata);
  out.data_offset = 8 + header_bytes;
  out.tensors.reserve(reader.entries.size());
  if (Status placed = place_tensors(reader.entries, file.subspan(out.data_offset), out); !placed) {
    return placed.error();
  }
  std::sort(out.tensors.begin(), out.tensors.end(),
            [](const Tensor& a, const Tensor& b) { return a.name < b.name; });
  return out;
}

Bytes canonical_f32_header(std::span<const TensorShape> tensors) {
  std::string json = R"({"__metadata__":{"format":"pt"})";
  std::uint64_t offset = 0;
  for (const TensorShape& tensor : tensors) {
    std::uint64_t size = 4;
    std::string shape;
    for (const std::uint64_t dimension : tensor.shape) {
      if (!shape.empty()) shape += ',';
      shape += std::to_string(dimension);
      size *= dimension;
    }
    for (const char c : tensor.name) HARAMBEE_CHECK(c > ' ' && c < 127 && c != '"' && c != '\\');
    json += ",\"" + tensor.name + R"(":{"dtype":"F32","shape":[)" + shape +
            R"(],"data_offsets":[)" + std::to_string(offset) + ',' + std::to_string(offset + size) +
            "]}";
    offset += size;
  }
  json += '}';
  json.resize((json.size() + 7) / 8 * 8, ' ');
  Bytes out;
  put_u64le(out, json.size());
  out.insert(out.end(), json.begin(), json.end());
  return out;
}

}  // namespace harambee::format
