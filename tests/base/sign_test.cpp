#include "base/sign.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "base/encoding.h"

namespace harambee {
namespace {

std::array<std::uint8_t, 32> seed_of(std::string_view digits) {
  return Digest::from_hex(digits)->bytes;
}

Signature signature_of(std::string_view digits) {
  Signature signature;
  const Bytes raw = *from_hex(digits);
  std::copy(raw.begin(), raw.end(), signature.bytes.begin());
  return signature;
}

bool openssl_verify(const PublicKey& key, View message, const Signature& signature) {
  EVP_PKEY* const parsed =
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.bytes.data(), key.bytes.size());
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  const bool good = EVP_DigestVerifyInit(context, nullptr, nullptr, nullptr, parsed) == 1 &&
                    EVP_DigestVerify(context, signature.bytes.data(), signature.bytes.size(),
                                     message.data(), message.size()) == 1;
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(parsed);
  return good;
}

// RFC 8032 §7.1, tests 1 to 3.
TEST(Ed25519, StandardVectors) {
  struct Vector {
    const char *seed, *key, *message, *signature;
  };
  const Vector vectors[] = {
      {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
       "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
       "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701c"
       "f9b46bd25bf5f0595bbe24655141438e7a100b"},
      {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
       "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
       "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0"
       "f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
      {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
       "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
       "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f76098"
       "4dc6594a7c15e9716ed28dc027beceea1ec40a"},
  };
  for (const Vector& v : vectors) {
    const SecretKey key = SecretKey::from_seed(seed_of(v.seed));
    const Bytes message = *from_hex(v.message);
    EXPECT_EQ(hex(key.public_key().bytes), v.key);
    EXPECT_EQ(hex(key.sign(message).bytes), v.signature);
    EXPECT_TRUE(verify(key.public_key(), message, signature_of(v.signature)));
  }
}

TEST(Ed25519, EveryFlippedBitIsNoticed) {
  const SecretKey key = SecretKey::from_seed({1});
  const Signature signature = key.sign(view("message"));
  for (std::size_t bit = 0; bit < 512; ++bit) {
    Signature changed = signature;
    changed.bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    EXPECT_FALSE(verify(key.public_key(), view("message"), changed)) << bit;
  }
  EXPECT_FALSE(verify(key.public_key(), view("massage"), signature));
  EXPECT_FALSE(verify(SecretKey::from_seed({2}).public_key(), view("message"), signature));
}

// The disagreement that made libsodium's rule ours: with the identity as key and R, and S = 0, the
// equation holds for any message. OpenSSL accepts it.
TEST(Ed25519, SmallOrderKeysAreRefused) {
  PublicKey identity{{1}};
  Signature signature{{1}};
  EXPECT_TRUE(openssl_verify(identity, view("anything"), signature));
  EXPECT_FALSE(verify(identity, view("anything"), signature));
}

// Points of small order and their non-canonical encodings, as keys.
TEST(Ed25519, NoKeyOfSmallOrderVerifiesAnything) {
  for (const char* key : {
           "0000000000000000000000000000000000000000000000000000000000000000",
           "0100000000000000000000000000000000000000000000000000000000000080",
           "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
           "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
           "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
           "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
           "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
       }) {
    for (std::uint8_t message = 0; message < 16; ++message) {
      EXPECT_FALSE(verify(*PublicKey::from_hex(key), View(&message, 1), Signature{{1}})) << key;
    }
  }
}

// S and S + L solve the same equation; only the smaller one is a signature.
TEST(Ed25519, SAboveTheGroupOrderIsRefused) {
  const SecretKey key = SecretKey::from_seed({1});
  Signature signature = key.sign(view("message"));
  const Bytes order = *from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += signature.bytes[32 + i] + order[i];
    signature.bytes[32 + i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
  EXPECT_FALSE(verify(key.public_key(), view("message"), signature));
}

// k = SHA-512(R ‖ A ‖ message) mod L, and S = r + k a mod L: the two lines of RFC 8032 that an
// attacker is free to apply to strange points.
using Scalar = std::array<std::uint8_t, 32>;

Scalar challenge(const Scalar& r_point, const PublicKey& key, View message) {
  Bytes hashed(r_point.begin(), r_point.end());
  hashed.insert(hashed.end(), key.bytes.begin(), key.bytes.end());
  hashed.insert(hashed.end(), message.begin(), message.end());
  std::array<std::uint8_t, 64> wide;
  crypto_hash_sha512(wide.data(), hashed.data(), hashed.size());
  Scalar k;
  crypto_core_ed25519_scalar_reduce(k.data(), wide.data());
  return k;
}

Signature assemble(const Scalar& r_point, const Scalar& r, const Scalar& k, const Scalar& a) {
  Scalar s;
  crypto_core_ed25519_scalar_mul(s.data(), k.data(), a.data());
  crypto_core_ed25519_scalar_add(s.data(), s.data(), r.data());
  Signature signature;
  std::copy(r_point.begin(), r_point.end(), signature.bytes.begin());
  std::copy(s.begin(), s.end(), signature.bytes.begin() + 32);
  return signature;
}

// R = the identity, S = k a solves the equation for an honest key. OpenSSL accepts it.
TEST(Ed25519, ASmallOrderRIsRefused) {
  const Scalar a{7}, identity{1};
  PublicKey key;
  ASSERT_EQ(crypto_scalarmult_ed25519_base_noclamp(key.bytes.data(), a.data()), 0);
  const Signature signature = assemble(identity, {}, challenge(identity, key, view("any")), a);
  EXPECT_TRUE(openssl_verify(key, view("any"), signature));
  EXPECT_FALSE(verify(key, view("any"), signature));
}

// A key with a part of order 8 satisfies the equation times 8 for every message, and the equation
// itself only where k is a multiple of 8. Ours is the equation itself: cofactorless.
TEST(Ed25519, TheEquationIsNotMultipliedByTheCofactor) {
  const Scalar a{7}, r{11};
  const PublicKey torsion =
      *PublicKey::from_hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
  Scalar r_point;
  PublicKey honest, mixed;
  ASSERT_EQ(crypto_scalarmult_ed25519_base_noclamp(honest.bytes.data(), a.data()), 0);
  ASSERT_EQ(crypto_scalarmult_ed25519_base_noclamp(r_point.data(), r.data()), 0);
  ASSERT_EQ(crypto_core_ed25519_add(mixed.bytes.data(), honest.bytes.data(), torsion.bytes.data()),
            0);
  int accepted = 0;
  for (int i = 0; i < 256; ++i) {
    const std::string message = "message " + std::to_string(i);
    const Scalar k = challenge(r_point, mixed, view(message));
    const bool valid = verify(mixed, view(message), assemble(r_point, r, k, a));
    EXPECT_EQ(valid, k[0] % 8 == 0);
    accepted += valid;
  }
  EXPECT_GT(accepted, 0);
}

TEST(KeyId, IsTheHashOfTheSubjectPublicKeyInfo) {
  std::array<std::uint8_t, 32> seed;
  seed.fill(1);
  EXPECT_EQ(SecretKey::from_seed(seed).id().hex(),
            "fd110d301d2f077de1414b8f99f441b1403fab207b2052fbd2c065e4ee8e7dc2");
}

// The form of `openssl genpkey -algorithm ed25519`, of the seed 0x01 × 32; the key id by
// `openssl pkey -pubout -outform DER | sha256sum`.
constexpr char kPem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n"
    "-----END PRIVATE KEY-----\n";
constexpr char kPemKeyId[] = "fd110d301d2f077de1414b8f99f441b1403fab207b2052fbd2c065e4ee8e7dc2";

TEST(Pem, ReadsAndWritesWhatOpensslDoes) {
  const auto key = SecretKey::from_pem(kPem);
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(key->id().hex(), kPemKeyId);
  EXPECT_EQ(key->to_pem(), kPem);
  const SecretKey fresh = SecretKey::generate();
  EXPECT_EQ(SecretKey::from_pem(fresh.to_pem())->public_key(), fresh.public_key());
  EXPECT_NE(fresh.id(), SecretKey::generate().id());
  // An editor may have eaten the last line end.
  EXPECT_TRUE(SecretKey::from_pem(std::string_view(kPem).substr(0, sizeof kPem - 2)));
}

TEST(Pem, RefusesOtherKeysAndDamage) {
  const std::string pem = kPem;
  EXPECT_FALSE(SecretKey::from_pem(""));
  EXPECT_FALSE(SecretKey::from_pem(pem + "x"));
  EXPECT_FALSE(SecretKey::from_pem("x" + pem));
  EXPECT_FALSE(SecretKey::from_pem(pem.substr(0, 60)));
  for (std::size_t i = 28; i < 28 + 22; ++i) {  // the algorithm's part of the DER
    std::string damaged = pem;
    damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
    if (damaged.substr(28, 21) != pem.substr(28, 21)) {
      EXPECT_FALSE(SecretKey::from_pem(damaged)) << i;
    }
  }
}

}  // namespace
}  // namespace harambee
