// An author for tests: a key and a chain of records.
#pragma once

#include <string>
#include <utility>

#include "base/encoding.h"
#include "record/build.h"
#include "record/record.h"

namespace harambee::test {

inline SecretKey key_of(std::uint8_t seed) {
  std::array<std::uint8_t, 32> bytes;
  bytes.fill(seed);
  return SecretKey::from_seed(bytes);
}

inline Payload identity_of(const SecretKey& key, std::string log = "log.example/harambee") {
  Payload payload;
  payload.log = std::move(log);
  payload.kind = "identity";
  payload.author = key.id();
  payload.body = JsonObject{{"key", hex(key.public_key().bytes)}};
  return payload;
}

inline Payload later(const SecretKey& key, std::uint64_t seq, std::string kind, Json body) {
  Payload payload = identity_of(key);
  payload.kind = std::move(kind);
  payload.seq = seq;
  payload.prev = sha256(view("the record before"));
  payload.body = std::move(body);
  return payload;
}

}  // namespace harambee::test
