#include "hub/upload_links.h"

#include <array>

#include "base/sign.h"
#include "hub/blob_routes.h"
#include "hub/hf_text.h"

namespace harambee::hub {
namespace {

constexpr std::size_t kBlockBytes = 64;

// RFC 2104 with a key of 32 bytes.
Digest hmac(const Digest& key, View message) {
  std::array<std::uint8_t, kBlockBytes> inner{};
  std::array<std::uint8_t, kBlockBytes> outer{};
  for (std::size_t i = 0; i < kBlockBytes; ++i) {
    const std::uint8_t byte = i < key.bytes.size() ? key.bytes[i] : std::uint8_t{0};
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  return sha256({outer, sha256({inner, message}).view()});
}

// Takes the same time wherever the difference is.
bool equal(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

}  // namespace

UploadLinks::UploadLinks() : secret_(sha256(view(SecretKey::generate().to_pem()))) {}

std::string UploadLinks::signature(const Digest& digest, std::uint64_t size,
                                   std::int64_t until_ms) const {
  const std::string message = "upload\n" + digest.hex() + "\n" + std::to_string(size) + "\n" +
                              std::to_string(until_ms) + "\n";
  return hmac(secret_, view(message)).hex();
}

std::string UploadLinks::sign(const Digest& digest, std::uint64_t size,
                              std::int64_t until_ms) const {
  return "size=" + std::to_string(size) + "&until=" + std::to_string(until_ms) +
         "&signature=" + signature(digest, size, until_ms);
}

std::optional<std::uint64_t> UploadLinks::check(const Digest& digest, std::string_view query,
                                                std::int64_t now_ms) const {
  const FormFields fields = parse_form(query);
  const auto size = parse_decimal(value_of(fields, "size"));
  const auto until = parse_decimal(value_of(fields, "until"));
  if (!size || !until) return std::nullopt;
  const auto until_ms = static_cast<std::int64_t>(*until);
  if (!equal(value_of(fields, "signature"), signature(digest, *size, until_ms))) {
    return std::nullopt;
  }
  if (until_ms < now_ms) return std::nullopt;
  return size;
}

}  // namespace harambee::hub
