#include "record/record.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <concepts>
#include <fstream>
#include <iterator>
#include <type_traits>

#include "author.h"
#include "record/envelope.h"
#include "record/limits.h"

namespace harambee {
namespace {

using test::identity_of;
using test::key_of;
using test::later;

// Wrong code does not compile: a Record comes out of verify() alone, and nobody can make or
// change one otherwise.
static_assert(!std::is_default_constructible_v<Record>);
static_assert(!std::is_default_constructible_v<Unverified>);
static_assert(!std::is_constructible_v<Record, Unverified>);
static_assert(!std::is_convertible_v<Unverified, Record>);
static_assert(!std::is_constructible_v<Record, Payload>);
static_assert(!std::is_constructible_v<Record, Bytes, Payload, RecordId, PublicKey>);
static_assert(std::same_as<decltype(std::declval<Record&>().payload()), const Payload&>);
static_assert(std::copyable<Record> && std::equality_comparable<Record>);

Bytes signed_text(const std::string& json, const SecretKey& key) {
  return write_dsse({to_bytes(json), {{key.id(), key.sign(pae(view(json)))}}});
}

Payload full(const SecretKey& key) {
  Payload payload = later(key, 3, "contribution", JsonObject{{"steps", 5}});
  payload.run = sha256(view("run"));
  payload.round = 7;
  payload.blobs = {{sha256(view("blob")), 123, "application/vnd.harambee.delta.v1"}};
  return payload;
}

TEST(Record, SignParseVerify) {
  const SecretKey key = key_of(1);
  for (const Payload& payload :
       {identity_of(key), full(key), later(key, 1, "tick", JsonObject{})}) {
    const auto bytes = sign_record(payload, key);
    ASSERT_TRUE(bytes) << bytes.error().message;
    const auto read = parse_envelope(*bytes);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->payload(), payload);
    EXPECT_EQ(text(read->envelope()), text(*bytes));
    EXPECT_EQ(read->id(), sha256(pae(view(write_payload(payload)))));
    const auto record = read->verify(key.public_key());
    ASSERT_TRUE(record) << record.error().message;
    EXPECT_EQ(record->payload(), payload);
    EXPECT_EQ(record->id(), read->id());
    EXPECT_EQ(record->key(), key.public_key());
    EXPECT_EQ(text(record->envelope()), text(*bytes));
    EXPECT_EQ(*parse_envelope(*bytes)->verify(key.public_key()), *record);
  }
}

TEST(Record, IsTheExampleOfItsPage) {
  std::ifstream file(HARAMBEE_SOURCE "/spec/record.md");
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  ASSERT_FALSE(page.empty());
  const SecretKey key = key_of(1);
  const auto read = parse_envelope(*sign_record(identity_of(key), key));
  // Made a second time with Python and the openssl program.
  EXPECT_EQ(read->id().hex(), "7209cf99f5746dc0ea49638867490e1c040df015d575edf7aac0308fa156ab8e");
  for (const std::string& quoted :
       {hex(key.public_key().bytes), key.id().hex(), write_payload(identity_of(key)),
        read->id().hex(), sha256(read->envelope()).hex(), std::string(text(read->envelope()))}) {
    EXPECT_NE(page.find(quoted), page.npos) << quoted;
  }
}

TEST(Record, AnAuthorsFirstRecordCarriesTheKey) {
  const SecretKey key = key_of(1);
  const auto first = parse_envelope(*sign_record(identity_of(key), key));
  ASSERT_TRUE(first->own_key());
  EXPECT_TRUE(first->verify(*first->own_key()));
  const auto second = parse_envelope(*sign_record(full(key), key));
  EXPECT_FALSE(second->own_key());
}

TEST(Record, OnlyTheAuthorsKeyVerifies) {
  const SecretKey key = key_of(1);
  const auto read = parse_envelope(*sign_record(full(key), key));
  EXPECT_FALSE(read->verify(key_of(2).public_key()));
  EXPECT_FALSE(sign_record(full(key), key_of(2)));
  // A stranger signs in the author's name.
  const std::string json = write_payload(full(key));
  const Signature forged = key_of(2).sign(pae(view(json)));
  const auto impostor = parse_envelope(write_dsse({to_bytes(json), {{key.id(), forged}}}));
  ASSERT_TRUE(impostor);
  EXPECT_FALSE(impostor->verify(key.public_key()));
  // Signed by somebody, but not by the author.
  const auto other = parse_envelope(write_dsse({to_bytes(json), {{key_of(2).id(), forged}}}));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().message, "not signed by its author");
}

TEST(Record, TheIdDoesNotDependOnTheSignature) {
  const SecretKey key = key_of(1);
  const std::string json = write_payload(full(key));
  std::vector<EnvelopeSignature> both{{key.id(), key.sign(pae(view(json)))},
                                      {key_of(2).id(), key_of(2).sign(pae(view(json)))}};
  std::ranges::sort(both, {}, &EnvelopeSignature::key);
  const auto joint = parse_envelope(write_dsse({to_bytes(json), both}));
  ASSERT_TRUE(joint);
  EXPECT_TRUE(joint->verify(key.public_key()));
  EXPECT_EQ(joint->id(), parse_envelope(*sign_record(full(key), key))->id());
}

TEST(Record, EveryFlippedBitIsNoticed) {
  const SecretKey key = key_of(1);
  const Bytes good = *sign_record(full(key), key);
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    Bytes changed = good;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    const auto read = parse_envelope(changed);
    EXPECT_FALSE(read && read->verify(key.public_key())) << bit;
  }
}

TEST(Record, MembersOutsideTheShapeAreRefused) {
  const SecretKey key = key_of(1);
  const std::string good = write_payload(full(key));
  const std::string id = sha256(view("run")).hex();
  const std::pair<std::string, std::string> changes[] = {
      {"\"v\":1", "\"v\":2"},
      {"\"v\":1", "\"v\":true"},
      {"\"v\":1", "\"v\":1,\"w\":1"},
      {",\"v\":1", ""},
      {"\"seq\":3", "\"seq\":-1"},
      {"\"seq\":3", "\"seq\":\"3\""},
      {"\"seq\":3", "\"seq\":0"},
      {"\"round\":7", "\"round\":-7"},
      {"\"round\":7", "\"round\":null"},
      {",\"run\":\"" + id + "\"", ""},
      {"\"run\":\"" + id + "\"", "\"run\":null"},
      {"\"run\":\"", "\"run\":\"0"},
      {"\"kind\":\"contribution\"", "\"kind\":\"\""},
      {"\"kind\":\"contribution\"", "\"kind\":\"Contribution\""},
      {"\"kind\":\"contribution\"", "\"kind\":\"1contribution\""},
      {"\"kind\":\"contribution\"", "\"kind\":\"a b\""},
      {"\"kind\":\"contribution\"", "\"kind\":\"identity\""},
      {"\"kind\":\"contribution\"", "\"kind\":\"genesis\""},
      {"\"kind\":\"contribution\"", "\"kind\":\"" + std::string(65, 'a') + "\""},
      {"\"log\":\"log.example/harambee\"", "\"log\":\"\""},
      {"\"log\":\"log.example/harambee\"", "\"log\":\"a b\""},
      {"\"log\":\"log.example/harambee\"", "\"log\":\"a+b\""},
      {"\"log\":\"log.example/harambee\"", "\"log\":\"é\""},
      {"\"log\":\"log.example/harambee\"", "\"log\":\"" + std::string(256, 'a') + "\""},
      {"\"body\":{\"steps\":5}", "\"body\":5"},
      {"\"body\":{\"steps\":5}", "\"body\":[]"},
      {"\"body\":{\"steps\":5}", "\"body\":null"},
      {"\"body\":{\"steps\":5},", ""},
      {"\"prev\":\"", "\"prev\":\"0"},
      {"\"blobs\":[{", "\"blobs\":[{\"a\":1,"},
      {"\"size\":123", "\"size\":-1"},
      {"\"size\":123", "\"size\":1099511627777"},
      {"\"size\":123", "\"size\":\"123\""},
      {"\"type\":\"app", "\"type\":\" app"},
      {"\"digest\":\"", "\"digest\":\"0"},
      {"{\"author\"", "{\"a\":1,\"author\""},
  };
  ASSERT_TRUE(parse_payload(view(good)));
  for (const auto& [what, with] : changes) {
    std::string text = good;
    const std::size_t at = text.find(what);
    ASSERT_NE(at, text.npos) << what;
    text.replace(at, what.size(), with);
    EXPECT_FALSE(parse_payload(view(text))) << text;
    EXPECT_FALSE(parse_envelope(signed_text(text, key))) << text;
  }
  for (const char* text : {"", "{}", "[]", "null", "1", "{\"v\":1}"}) {
    EXPECT_FALSE(parse_payload(view(text))) << text;
  }
}

TEST(Record, TheFirstRecordIsAnIntroductionAndSaysWho) {
  const SecretKey key = key_of(1);
  Payload payload = identity_of(key);
  payload.kind = "genesis";
  EXPECT_TRUE(sign_record(payload, key));
  payload.kind = "join";
  EXPECT_FALSE(sign_record(payload, key));
  payload = identity_of(key);
  payload.prev = sha256(view("something"));
  EXPECT_FALSE(sign_record(payload, key));
  payload = identity_of(key);
  payload.body = JsonObject{};
  EXPECT_FALSE(sign_record(payload, key));
  payload.body = JsonObject{{"key", hex(key_of(2).public_key().bytes)}};
  EXPECT_FALSE(sign_record(payload, key));
  payload.body = JsonObject{{"key", 5}};
  EXPECT_FALSE(sign_record(payload, key));
}

TEST(Record, WhatCannotBeReadBackIsNotSigned) {
  const SecretKey key = key_of(1);
  const auto refused = [&](auto change) {
    Payload payload = full(key);
    change(payload);
    return !sign_record(payload, key).ok();
  };
  EXPECT_TRUE(refused([](Payload& p) { p.seq = UINT64_MAX; }));
  EXPECT_TRUE(refused([](Payload& p) { p.seq = std::uint64_t{1} << 53; }));
  EXPECT_TRUE(refused([](Payload& p) { p.round = -1; }));
  EXPECT_TRUE(refused([](Payload& p) { p.v = 2; }));
  EXPECT_TRUE(refused([](Payload& p) { p.prev.reset(); }));
  EXPECT_TRUE(refused([](Payload& p) { p.run.reset(); }));
  EXPECT_TRUE(refused([](Payload& p) { p.body = JsonObject{{"x", "\xff"}}; }));
  EXPECT_TRUE(refused([](Payload& p) { p.body = JsonObject{{"x", kJsonIntegerMax + 1}}; }));
  EXPECT_TRUE(refused([](Payload& p) { p.body = JsonObject{{"é", 1}}; }));
  EXPECT_TRUE(refused([](Payload& p) { p.blobs[0].size = kBlobBytesMax + 1; }));
  EXPECT_TRUE(refused([](Payload& p) { p.blobs.resize(kRecordBlobsMax + 1, p.blobs[0]); }));
  EXPECT_TRUE(refused([](Payload& p) { p.body = JsonObject{{"x", std::string(40'000, 'a')}}; }));
  EXPECT_FALSE(refused([](Payload& p) { p.blobs.resize(kRecordBlobsMax, p.blobs[0]); }));
}

TEST(Record, ThePayloadLimitIsExact) {
  const SecretKey key = key_of(1);
  Payload payload = full(key);
  payload.body = JsonObject{{"x", ""}};
  const std::size_t room = kRecordPayloadBytesMax - write_payload(payload).size();
  payload.body = JsonObject{{"x", std::string(room, 'a')}};
  EXPECT_TRUE(parse_envelope(*sign_record(payload, key))->verify(key.public_key()));
  payload.body = JsonObject{{"x", std::string(room + 1, 'a')}};
  EXPECT_EQ(sign_record(payload, key).error().code, ErrorCode::limit);
}

}  // namespace
}  // namespace harambee
