#include "base/sign.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/encoding.h"

namespace harambee {
namespace {

static_assert(crypto_sign_PUBLICKEYBYTES == 32 && crypto_sign_BYTES == 64 &&
              crypto_sign_SECRETKEYBYTES == 64 && crypto_sign_SEEDBYTES == 32);

// SubjectPublicKeyInfo and PKCS#8 of Ed25519 (RFC 8410) up to the 32 bytes of the key.
constexpr std::array<std::uint8_t, 12> kSpkiPrefix = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                      0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr std::array<std::uint8_t, 16> kPkcs8Prefix = {
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
constexpr std::string_view kPemBegin = "-----BEGIN PRIVATE KEY-----\n";
constexpr std::string_view kPemEnd = "\n-----END PRIVATE KEY-----\n";

// Lets libsodium pick the fastest code for this processor and open the random source.
void prepare() {
  static const bool ready = sodium_init() >= 0;
  HARAMBEE_CHECK(ready);
}

}  // namespace

Result<PublicKey> PublicKey::from_hex(std::string_view text) {
  auto digits = Digest::from_hex(text);
  if (!digits) return invalid("a public key has 64 hex digits");
  return PublicKey{digits->bytes};
}

KeyId key_id(const PublicKey& key) { return sha256({View(kSpkiPrefix), View(key.bytes)}); }

bool verify(const PublicKey& key, View message, const Signature& signature) {
  prepare();
  return crypto_sign_verify_detached(signature.bytes.data(), message.data(), message.size(),
                                     key.bytes.data()) == 0;
}

SecretKey SecretKey::from_seed(const std::array<std::uint8_t, 32>& seed) {
  prepare();
  SecretKey key;
  HARAMBEE_CHECK(
      crypto_sign_seed_keypair(key.public_.bytes.data(), key.secret_.data(), seed.data()) == 0);
  return key;
}

SecretKey SecretKey::generate() {
  prepare();
  SecretKey key;
  HARAMBEE_CHECK(crypto_sign_keypair(key.public_.bytes.data(), key.secret_.data()) == 0);
  return key;
}

Result<SecretKey> SecretKey::from_pem(std::string_view pem) {
  if (!pem.starts_with(kPemBegin)) return invalid("not a PKCS#8 PEM private key");
  pem.remove_prefix(kPemBegin.size());
  const std::size_t end = pem.find(kPemEnd.substr(0, kPemEnd.size() - 1));
  const std::string_view tail = end == pem.npos ? pem : pem.substr(end);
  if (end == pem.npos || (tail != kPemEnd && tail != kPemEnd.substr(0, kPemEnd.size() - 1))) {
    return invalid("not a PKCS#8 PEM private key");
  }
  auto der = from_base64(pem.substr(0, end));
  if (!der || der->size() != kPkcs8Prefix.size() + 32 ||
      !std::equal(kPkcs8Prefix.begin(), kPkcs8Prefix.end(), der->begin())) {
    return invalid("not an Ed25519 private key");
  }
  std::array<std::uint8_t, 32> seed{};
  std::memcpy(seed.data(), der->data() + kPkcs8Prefix.size(), seed.size());
  SecretKey key = from_seed(seed);
  sodium_memzero(seed.data(), seed.size());
  sodium_memzero(der->data(), der->size());
  return key;
}

std::string SecretKey::to_pem() const {
  Bytes der(kPkcs8Prefix.begin(), kPkcs8Prefix.end());
  der.insert(der.end(), secret_.begin(), secret_.begin() + 32);
  std::string body = base64(der);
  std::string pem;
  pem.append(kPemBegin).append(body).append(kPemEnd);
  sodium_memzero(der.data(), der.size());
  sodium_memzero(body.data(), body.size());
  return pem;
}

SecretKey::~SecretKey() { sodium_memzero(secret_.data(), secret_.size()); }

Signature SecretKey::sign(View message) const {
  prepare();
  Signature signature;
  HARAMBEE_CHECK(crypto_sign_detached(signature.bytes.data(), nullptr, message.data(),
                                      message.size(), secret_.data()) == 0);
  return signature;
}

}  // namespace harambee
