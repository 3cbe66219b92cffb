// Ed25519 with libsodium's rules: S < L, A and R canonical and not of small order, cofactorless.
// Libraries disagree on hostile signatures, and disagreement would split folds; so verification
// goes through crypto_sign_verify_detached alone (spec/record.md).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"

namespace harambee {

struct PublicKey {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const PublicKey&) const = default;
  [[nodiscard]] static Result<PublicKey> from_hex(std::string_view text);
};

struct Signature {
  std::array<std::uint8_t, 64> bytes{};
  auto operator<=>(const Signature&) const = default;
};

// SHA-256 of the SubjectPublicKeyInfo DER, as `openssl pkey -pubin -outform DER | sha256sum`.
using KeyId = Digest;
[[nodiscard]] KeyId key_id(const PublicKey& key);

[[nodiscard]] bool verify(const PublicKey& key, View message, const Signature& signature);

// Copies are wiped on destruction. Never logged: there is no way to print it but to_pem().
class SecretKey {
 public:
  [[nodiscard]] static SecretKey from_seed(const std::array<std::uint8_t, 32>& seed);
  // From the operating system's random source.
  [[nodiscard]] static SecretKey generate();
  // PKCS#8 PEM as `openssl genpkey -algorithm ed25519` writes it.
  [[nodiscard]] static Result<SecretKey> from_pem(std::string_view pem);
  [[nodiscard]] std::string to_pem() const;

  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();

  [[nodiscard]] const PublicKey& public_key() const { return public_; }
  [[nodiscard]] KeyId id() const { return key_id(public_); }
  [[nodiscard]] Signature sign(View message) const;

 private:
  SecretKey() = default;
  std::array<std::uint8_t, 64> secret_{};  // libsodium's seed ‖ public key
  PublicKey public_;
};

}  // namespace harambee
