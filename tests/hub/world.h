// A hub in memory with a clock that stands still, people who write to it, and somebody who checks
// every byte of what it published.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "hub/order.h"
#include "hub/sequencer.h"
#include "hub/shelf.h"
#include "log/checkpoint.h"
#include "log/tile.h"
#include "port/clock.h"
#include "record/build.h"
#include "record/record.h"
#include "store/memory_blobs.h"
#include "store/memory_order.h"
#include "store/memory_shelf.h"

namespace harambee::hub {

inline constexpr const char* kTestOrigin = "hub.example/log";

inline SecretKey test_key(std::uint8_t number) {
  std::array<std::uint8_t, 32> seed{};
  seed.fill(number);
  return SecretKey::from_seed(seed);
}

inline std::string hex_of(const PublicKey& key) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const auto byte : key.bytes) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

class TestClock : public Clock {
 public:
  std::int64_t unix_ms() const override { return now_ms; }
  std::int64_t steady_ms() const override { return steady_now_ms; }
  bool wait_ms(std::int64_t) override { return false; }
  void pass(std::int64_t ms) {
    now_ms += ms;
    steady_now_ms += ms;
  }
  std::int64_t now_ms = 1'700'000'000'000;
  std::int64_t steady_now_ms = 5;
};

// Somebody with a key, who keeps his own chain.
class Person {
 public:
  explicit Person(std::uint8_t number, std::string log = kTestOrigin)
      : key_(test_key(number)), log_(std::move(log)) {}

  [[nodiscard]] Payload draft(const std::string& kind, JsonObject body = {}) const {
    Payload payload;
    payload.log = log_;
    payload.kind = kind;
    payload.author = key_.id();
    payload.seq = seq_;
    payload.prev = prev_;
    payload.body = std::move(body);
    return payload;
  }
  [[nodiscard]] Bytes sign(const Payload& payload) const {
    auto envelope = sign_record(payload, key_);
    HARAMBEE_CHECK(envelope.ok());
    return *envelope;
  }
  // Signs and moves the chain on.
  Bytes say(const Payload& payload) {
    Bytes envelope = sign(payload);
    prev_ = parse_envelope(envelope)->id();
    ++seq_;
    return envelope;
  }
  Bytes say(const std::string& kind, JsonObject body = {}) {
    return say(draft(kind, std::move(body)));
  }
  Bytes introduce() { return say("identity", {{"key", hex_of(key_.public_key())}}); }
  [[nodiscard]] const SecretKey& key() const { return key_; }

 private:
  SecretKey key_;
  std::string log_;
  std::uint64_t seq_ = 0;
  std::optional<RecordId> prev_;
};

inline SequencerOptions test_options() {
  SequencerOptions options;
  options.origin = kTestOrigin;
  options.tick_ms = 1000;
  options.free_bytes_min = 0;
  return options;
}

inline log::VerifierKey hub_verifier() {
  return {kTestOrigin, log::NoteKeyType::ed25519, test_key(200).public_key()};
}

// Everything that a published log promises: signature, every bundle and tile, the root.
inline std::vector<Bytes> check_log(Shelf& shelf) {
  std::vector<Bytes> entries;
  auto note = shelf.read("checkpoint");
  if (!note) return entries;
  auto opened = log::open_checkpoint(*note, hub_verifier());
  EXPECT_TRUE(opened.ok()) << opened.error().message;
  if (!opened) return entries;
  const std::uint64_t size = opened->checkpoint.size;
  std::vector<Digest> leaves;
  for (std::uint64_t bundle = 0; bundle * 256 < size; ++bundle) {
    const int width = log::tile_width(log::kEntries, bundle, size);
    auto bytes = shelf.read(log::tile_path({log::kEntries, bundle, width}));
    EXPECT_TRUE(bytes.ok()) << bytes.error().message;
    if (!bytes) return entries;
    auto views = log::parse_bundle(*bytes, width);
    EXPECT_TRUE(views.ok());
    for (const View entry : *views) {
      entries.emplace_back(entry.begin(), entry.end());
      leaves.push_back(log::leaf_hash(entry));
    }
  }
  EXPECT_EQ(entries.size(), size);
  EXPECT_EQ(log::root_of(leaves), opened->checkpoint.root);
  const auto source = log::leaves_source(leaves);
  for (const auto& tile : log::tiles_between(0, size)) {
    if (tile.level == log::kEntries) continue;
    std::vector<Digest> hashes;
    for (int i = 0; i < tile.width; ++i) {
      hashes.push_back(*source({tile.level * 8, tile.index * 256 + static_cast<std::uint64_t>(i)}));
    }
    auto bytes = shelf.read(log::tile_path(tile));
    EXPECT_TRUE(bytes.ok()) << log::tile_path(tile);
    if (bytes) {
      EXPECT_EQ(*bytes, log::encode_tile(hashes)) << log::tile_path(tile);
    }
  }
  return entries;
}

}  // namespace harambee::hub
