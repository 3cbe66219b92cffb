#include "base/hash.h"

#include <openssl/evp.h>

#include <cstring>

#include "base/check.h"
#include "base/encoding.h"

namespace harambee {
namespace {

// Fetched once: EVP_sha256() looks the implementation up on each use, a third of the speed on
// 65-byte messages (2.1 against 6.2 M/s).
const EVP_MD* algorithm() {
  static const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  HARAMBEE_CHECK(fetched != nullptr);
  return fetched;
}

struct ContextFree {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, ContextFree>;

Context new_context() {
  Context context(EVP_MD_CTX_new());
  HARAMBEE_CHECK(context != nullptr);
  return context;
}

void begin(EVP_MD_CTX* context) {
  HARAMBEE_CHECK(EVP_DigestInit_ex2(context, algorithm(), nullptr) == 1);
}
void add(EVP_MD_CTX* context, View bytes) {
  HARAMBEE_CHECK(EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1);
}
Digest end(EVP_MD_CTX* context) {
  Digest digest;
  HARAMBEE_CHECK(EVP_DigestFinal_ex(context, digest.bytes.data(), nullptr) == 1);
  return digest;
}

// A scratch area that is begun afresh on each use, so nothing is carried from call to call.
EVP_MD_CTX* scratch() {
  thread_local const Context context = new_context();
  begin(context.get());
  return context.get();
}

}  // namespace

std::string Digest::hex() const { return harambee::hex(bytes); }

Result<Digest> Digest::from_hex(std::string_view text) {
  Digest digest;
  if (text.size() != 2 * digest.bytes.size()) return invalid("a digest has 64 hex digits");
  auto raw = harambee::from_hex(text);
  if (!raw) return raw.error();
  std::memcpy(digest.bytes.data(), raw->data(), digest.bytes.size());
  return digest;
}

std::size_t DigestHash::operator()(const Digest& digest) const {
  std::size_t value = 0;
  std::memcpy(&value, digest.bytes.data(), sizeof value);
  return value;
}

Digest sha256(View bytes) {
  EVP_MD_CTX* const context = scratch();
  add(context, bytes);
  return end(context);
}

Digest sha256(std::initializer_list<View> parts) {
  EVP_MD_CTX* const context = scratch();
  for (const View part : parts) add(context, part);
  return end(context);
}

std::string sha1_hex(std::initializer_list<View> parts) {
  const Context context = new_context();
  HARAMBEE_CHECK(EVP_DigestInit_ex2(context.get(), EVP_sha1(), nullptr) == 1);
  for (const View part : parts) add(context.get(), part);
  std::array<std::uint8_t, 20> digest{};
  HARAMBEE_CHECK(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
  return harambee::hex(digest);
}

struct Sha256::State {
  Context context = new_context();
};

Sha256::Sha256() : state_(std::make_unique<State>()) { begin(state_->context.get()); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(View bytes) { add(state_->context.get(), bytes); }

Digest Sha256::finish() {
  const Digest digest = end(state_->context.get());
  begin(state_->context.get());
  return digest;
}

}  // namespace harambee
