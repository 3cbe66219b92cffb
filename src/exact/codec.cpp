#include "exact/codec.h"

#include <array>
#include <cmath>

#include "exact/container.h"
#include "exact/kernels.h"
#include "exact/math.h"

namespace harambee::exact {
namespace {

struct KindName {
  Codec::Kind kind;
  std::string_view name;
};
constexpr std::array<KindName, 5> kKinds{{{Codec::Kind::sign, "sign"},
                                          {Codec::Kind::two_level, "two_level"},
                                          {Codec::Kind::ternary, "ternary"},
                                          {Codec::Kind::int4, "int4"},
                                          {Codec::Kind::dense, "dense"}}};

Error bad(const std::string& why) { return invalid("codec: " + why); }

int bit_width(SquaredNorm::Integer n) {
  const auto high = static_cast<std::uint64_t>(n >> 64);
  return high ? 64 + std::bit_width(high) : std::bit_width(static_cast<std::uint64_t>(n));
}

}  // namespace

Status Codec::validate() const {
  bool known = false;
  for (const KindName& entry : kKinds) known = known || entry.kind == kind;
  if (!known) return bad("unknown kind");
  if (sparse() && (keep < 1 || keep > container::kKeepMax)) return bad("keep must be 1…2048");
  if (!sparse() && keep != 0) return bad("keep must be 0 for a dense codec");
  if (feedback.nanos < 0 || feedback.nanos > 1'000'000'000) return bad("feedback must be 0…1");
  return ok();
}

Json to_json(const Codec& codec) {
  std::string_view name;
  for (const KindName& entry : kKinds) {
    if (entry.kind == codec.kind) name = entry.name;
  }
  return JsonObject{{"feedback", codec.feedback.str()}, {"keep", codec.keep}, {"name", name}};
}

Result<Codec> codec_from_json(const Json& json) {
  const Json* name = json.find("name");
  const Json* keep = json.find("keep");
  const Json* feedback = json.find("feedback");
  if (!json.object() || json.object()->size() != 3 || !name || !name->string() || !keep ||
      !keep->integer() || !feedback || !feedback->string()) {
    return bad("it must be {\"feedback\",\"keep\",\"name\"}");
  }
  Codec codec;
  codec.kind = Codec::Kind{0};
  for (const KindName& entry : kKinds) {
    if (entry.name == *name->string()) codec.kind = entry.kind;
  }
  if (*keep->integer() < 0 || *keep->integer() > kChunk) return bad("keep is out of range");
  codec.keep = static_cast<std::uint32_t>(*keep->integer());
  Result<Decimal> decimal = Decimal::parse(*feedback->string());
  if (!decimal) return wrap(decimal.error(), "codec: feedback");
  codec.feedback = *decimal;
  if (Status valid = codec.validate(); !valid) return valid.error();
  return codec;
}

std::string SquaredNorm::digits() const {
  std::string out;
  Integer rest = integer;
  do {
    out.insert(out.begin(), static_cast<char>('0' + static_cast<int>(rest % 10)));
    rest /= 10;
  } while (rest != 0);
  return out;
}

Result<SquaredNorm> SquaredNorm::from_digits(std::string_view digits, std::int64_t exponent) {
  if (digits.empty() || digits.size() > 38 || (digits.size() > 1 && digits[0] == '0')) {
    return invalid("norm: not a decimal integer of at most 38 digits");
  }
  if (exponent < kExponentMin || exponent > kExponentMax) {
    return invalid("norm: the exponent is out of range");
  }
  SquaredNorm norm;
  norm.exponent = static_cast<int>(exponent);
  for (const char c : digits) {
    if (c < '0' || c > '9') return invalid("norm: not a decimal integer");
    norm.integer = norm.integer * 10 + static_cast<unsigned>(c - '0');
  }
  return norm;
}

std::strong_ordering SquaredNorm::operator<=>(const SquaredNorm& other) const {
  if (integer == 0 || other.integer == 0) return (integer != 0) <=> (other.integer != 0);
  // Values of different bit length compare by it; those of equal length can be aligned by a shift
  // that loses nothing.
  const int shift = 2 * (exponent - other.exponent);
  const int mine = bit_width(integer) + shift, theirs = bit_width(other.integer);
  if (mine != theirs) return mine <=> theirs;
  const Integer a = shift > 0 ? integer << shift : integer;
  const Integer b = shift < 0 ? other.integer << -shift : other.integer;
  return a < b   ? std::strong_ordering::less
         : a > b ? std::strong_ordering::greater
                 : std::strong_ordering::equal;
}

double SquaredNorm::to_double() const {
  return std::sqrt(static_cast<double>(integer)) * power_of_two(exponent);
}

void accumulate(std::span<float> residual, const Decimal& feedback, std::span<const float> base,
                std::span<const float> trained) {
  HARAMBEE_CHECK(float_mode_is_exact());
  HARAMBEE_CHECK(residual.size() == base.size() && base.size() == trained.size());
  kernels::accumulate(residual.data(), to_float(feedback), base.data(), trained.data(),
                      residual.size());
}

}  // namespace harambee::exact
