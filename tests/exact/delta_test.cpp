// The container: one byte string for one content, and nothing else is read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>

#include "base/encoding.h"
#include "exact/codec.h"
#include "exact/container.h"
#include "exact/sum_reader.h"
#include "tests/exact/numbers.h"

namespace harambee::exact {
namespace {

using Kind = Codec::Kind;

Bytes encoded(const Codec& codec, std::vector<float> values) {
  return encode(codec, test_base(), values).value();
}

std::string why_refused(const Bytes& blob, std::uint64_t parameters, const Codec& codec) {
  const Result<Delta> delta = Delta::parse(blob, parameters, codec, test_base());
  return delta ? "" : delta.error().message;
}

// A delta with this exponent whose chunks are written by hand.
Bytes handmade(const Codec& codec, std::uint64_t parameters, int exponent,
               const std::function<void(container::BitWriter&)>& chunks) {
  Bytes blob = to_bytes(container::kMagic);
  blob.push_back(static_cast<std::uint8_t>(codec.kind));
  blob.push_back(container::kVersion);
  put_u16le(blob, static_cast<std::uint16_t>(codec.keep));
  put_u64le(blob, parameters);
  put_u16le(blob, static_cast<std::uint16_t>(exponent));
  put_u16le(blob, 0);
  const Digest base = test_base();
  blob.insert(blob.end(), base.bytes.begin(), base.bytes.end());
  blob.resize(container::kHeaderBytes);  // nobody's
  container::BitWriter bits(blob);
  chunks(bits);
  bits.finish();
  return blob;
}

// The worked example of spec/delta.md.
TEST(Delta, WorkedExample) {
  const Codec codec = codec_of(Kind::sign, 2);
  std::vector<float> residual(4'100);
  residual[3] = 0.75F;
  residual[2'500] = -0.25F;
  residual[2'501] = 0.125F;
  residual[4'096] = 0.0625F;
  const Bytes blob = encode(codec, {sha256({}), sha256(view("author"))}, residual).value();
  EXPECT_EQ(hex(blob),
            "48424431"                          // HBD1
            "01020200"                          // sign, version 2, keep 2
            "0410000000000000"                  // 4100 parameters
            "f0ff0000"                          // exponent -16, reserved
            "e3b0c44298fc1c149afbf4c8996fb924"  // base
            "27ae41e4649b934ca495991b7852b855"  //
            "636485868971eac5aca33c4a0e1800a8"  // author
            "a11d980bcf0e3776b31002e2c5db91b2"  //
            "00800d60c0058010000000");          // chunks
  EXPECT_EQ(residual[3], 0.25F);
  EXPECT_EQ(residual[2'500], 0.25F);
  EXPECT_EQ(residual[2'501], 0.125F);
  EXPECT_EQ(residual[4'096], 0.0F);
  const Delta delta =
      Delta::parse(blob, 4'100, codec, {sha256({}), sha256(view("author"))}).value();
  EXPECT_EQ(delta.squared_norm().digits(), "2164260864");
  EXPECT_EQ(delta.exponent(), -16);
  EXPECT_EQ(delta.nonzero(), 3u);
}

TEST(Delta, EveryTruncationIsRefused) {
  for (const Codec& codec : all_codecs()) {
    Rng rng = rng_of("truncation");
    const Bytes blob = encoded(codec, bell(rng, 4'200, 1.0F));
    for (std::size_t size = 0; size < blob.size(); ++size) {
      // A copy of its own, so that a sanitizer sees every byte read beyond the end.
      const Bytes part(blob.begin(), blob.begin() + static_cast<std::ptrdiff_t>(size));
      ASSERT_NE(why_refused(part, 4'200, codec), "") << size;
    }
    Bytes longer = blob;
    longer.push_back(0);
    EXPECT_THAT(why_refused(longer, 4'200, codec), testing::HasSubstr("after the last chunk"));
  }
}

TEST(Delta, EveryBitFlipIsRefusedOrIsAnotherCanonicalDelta) {
  for (const Codec& codec : {codec_of(Kind::sign, 5), codec_of(Kind::two_level, 5),
                             codec_of(Kind::sign, 2'048), codec_of(Kind::ternary, 0)}) {
    Rng rng = rng_of("flips");
    const std::size_t n = 4'096 + 77;
    const Bytes blob = encoded(codec, heavy(rng, n, 1.0F));
    int others = 0;
    for (std::size_t i = 0; i < blob.size(); ++i) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        Bytes changed = blob;
        changed[i] ^= static_cast<std::uint8_t>(1u << bit);
        const Result<Delta> delta = Delta::parse(changed, n, codec, test_base());
        if (!delta) continue;
        ++others;
        if (others % 16 == 0) {
          ASSERT_EQ(encoded(codec, decode(*delta)), changed) << i;
        }
      }
    }
    EXPECT_GT(others, 0);
  }
}

TEST(Delta, EveryByteValueInTheHeaderIsChecked) {
  const Codec codec = codec_of(Kind::sign, 3);
  Rng rng = rng_of("header");
  const Bytes blob = encoded(codec, bell(rng, 300, 1.0F));
  for (std::size_t i = 0; i < container::kHeaderBytes; ++i) {
    if (i == container::kExponentAt) continue;  // another exponent is another delta
    for (int value = 0; value < 256; ++value) {
      Bytes changed = blob;
      changed[i] = static_cast<std::uint8_t>(value);
      if (changed == blob) continue;
      EXPECT_NE(why_refused(changed, 300, codec), "") << i;
    }
  }
  EXPECT_THAT(why_refused(blob, 301, codec), testing::HasSubstr("parameters"));
  EXPECT_THAT(why_refused(blob, 300, codec_of(Kind::sign, 4)), testing::HasSubstr("kept"));
  EXPECT_THAT(why_refused(blob, 300, codec_of(Kind::two_level, 3)), testing::HasSubstr("codec"));
  EXPECT_THAT(Delta::parse(blob, 300, codec, Digest{}).error().message, testing::HasSubstr("base"));
}

// A commitment to somebody else's bytes is worth nothing, and neither is nobody's delta.
TEST(Delta, BelongsToItsAuthorAlone) {
  const Codec codec = codec_of(Kind::sign, 3);
  Rng rng = rng_of("author");
  std::vector<float> residual = bell(rng, 300, 1.0F);
  const KeyId author = sha256(view("author"));
  const KeyId copycat = sha256(view("copycat"));
  const Bytes blob = encode(codec, {test_base(), author}, residual).value();
  EXPECT_TRUE(Delta::parse(blob, 300, codec, {test_base(), author}).ok());
  for (const KeyId& other : {copycat, KeyId{}}) {
    const Result<Delta> taken = Delta::parse(blob, 300, codec, {test_base(), other});
    ASSERT_FALSE(taken.ok());
    EXPECT_THAT(taken.error().message, testing::HasSubstr("of another author"));
  }
}

TEST(Delta, RefusesWhatIsNotCanonical) {
  const Codec codec = codec_of(Kind::sign, 2);  // Rice parameter 10
  const auto value = [](container::BitWriter& bits, std::uint32_t gap, bool negative) {
    bits.put_rice(gap >> 10, (gap & 1'023) | (negative ? 1u << 10 : 0), 11);
  };
  const auto refused = [&](int exponent, const std::function<void(container::BitWriter&)>& chunk) {
    return why_refused(handmade(codec, 4'000, exponent, chunk), 4'000, codec);
  };
  const auto good = [&](container::BitWriter& bits) {
    bits.put(0x8000, 16);
    bits.put(1, 1);
    value(bits, 0, false);
    value(bits, 3'998, true);
  };
  EXPECT_EQ(refused(0, good), "");
  EXPECT_EQ(refused(kExponentMax, good), "");
  EXPECT_EQ(refused(kExponentMin, good), "");
  EXPECT_THAT(refused(kExponentMax + 1, good), testing::HasSubstr("exponent"));
  EXPECT_THAT(refused(kExponentMin - 1, good), testing::HasSubstr("exponent"));
  const auto scaled = [&](unsigned mantissa) {
    return [&, mantissa](container::BitWriter& bits) {
      bits.put(mantissa, 16);
      bits.put(1, 1);
      value(bits, 0, false);
      value(bits, 0, false);
    };
  };
  EXPECT_EQ(refused(0, scaled(0xFFFF)), "");
  EXPECT_THAT(refused(0, scaled(0x7FFF)), testing::HasSubstr("exponent is not canonical"));
  const auto nothing = [](container::BitWriter& bits) { bits.put(0, 16); };
  EXPECT_EQ(refused(0, nothing), "");
  EXPECT_THAT(refused(-3, nothing), testing::HasSubstr("exponent is not canonical"));
  const auto counted = [&](unsigned count) {
    return [&, count](container::BitWriter& bits) {
      bits.put(0x8000, 16);
      bits.put(0, 1);
      bits.put(count, 12);
      for (unsigned i = 0; i < count; ++i) value(bits, 0, false);
    };
  };
  EXPECT_EQ(refused(0, counted(1)), "");
  EXPECT_THAT(refused(0, counted(0)), testing::HasSubstr("count"));
  EXPECT_THAT(refused(0, counted(2)), testing::HasSubstr("count"));
  EXPECT_THAT(refused(0, counted(3)), testing::HasSubstr("count"));
  EXPECT_THAT(refused(0,
                      [&](container::BitWriter& bits) {
                        bits.put(0x8000, 16);
                        bits.put(1, 1);
                        value(bits, 0, false);
                        value(bits, 3'999, false);
                      }),
              testing::HasSubstr("place"));
  Bytes padded = handmade(codec, 4'000, 0, good);
  padded.back() |= 0x80;
  EXPECT_THAT(why_refused(padded, 4'000, codec), testing::HasSubstr("padded"));
  // An endless unary number.
  EXPECT_NE(refused(0,
                    [&](container::BitWriter& bits) {
                      bits.put(0x8000, 16);
                      bits.put(1, 1);
                      for (int i = 0; i < 10'000; ++i) bits.put(0xFFFF'FFFF, 32);
                    }),
            "");
}

TEST(Delta, RefusesLevelsThatAreNotUsed) {
  const Codec codec = codec_of(Kind::two_level, 2);
  const auto refused = [&](unsigned low, unsigned high, unsigned first, unsigned second) {
    return why_refused(handmade(codec, 10, 0,
                                [&](container::BitWriter& bits) {
                                  bits.put(low, 16);
                                  bits.put(high, 16);
                                  bits.put(1, 1);
                                  for (const unsigned level : {first, second}) {
                                    bits.put_rice(0, level << 11, 12);
                                  }
                                }),
                       10, codec);
  };
  EXPECT_EQ(refused(0x8000, 0, 0, 0), "");
  EXPECT_EQ(refused(1, 0x8000, 0, 1), "");
  EXPECT_THAT(refused(0x8000, 0, 0, 1), testing::HasSubstr("level"));
  EXPECT_THAT(refused(0x8000, 0x9000, 0, 0), testing::HasSubstr("level"));
  EXPECT_THAT(refused(0x8000, 0x9000, 1, 1), testing::HasSubstr("level"));
  EXPECT_THAT(refused(0x9000, 0x9000, 0, 1), testing::HasSubstr("level"));
}

TEST(Delta, RefusesCodesOutOfRange) {
  const auto refused = [](Kind kind, unsigned byte) {
    const Codec codec = codec_of(kind, 0);
    return why_refused(handmade(codec, 1, 0,
                                [&](container::BitWriter& bits) {
                                  bits.put(0x8000, 16);
                                  bits.put(byte, 8);
                                }),
                       1, codec);
  };
  EXPECT_EQ(refused(Kind::ternary, 2), "");
  EXPECT_NE(refused(Kind::ternary, 3), "");    // a value in the padding
  EXPECT_NE(refused(Kind::ternary, 243), "");  // no five trits
  EXPECT_NE(refused(Kind::ternary, 0), "");    // a scale for nothing
  EXPECT_EQ(refused(Kind::int4, 9), "");       // −7
  EXPECT_NE(refused(Kind::int4, 8), "");       // −8
  EXPECT_NE(refused(Kind::int4, 0), "");
  EXPECT_EQ(refused(Kind::dense, 0x81), "");  // −127
  EXPECT_NE(refused(Kind::dense, 0x80), "");  // −128
  EXPECT_NE(refused(Kind::dense, 0), "");
}

// Nineteen deltas of all codecs, more than are read at once, with sparse and empty chunks among
// them.
TEST(Delta, ManyAreAddedUpAsEachIsRead) {
  const std::size_t n = 2 * kChunk + 1'000;
  Rng rng = rng_of("cursors");
  std::vector<Bytes> blobs;
  std::vector<Codec> codecs;
  while (blobs.size() < 19) {
    for (const Codec& codec : all_codecs()) {
      std::vector<float> values = bell(rng, n, 0.1F);
      if (blobs.size() % 3 == 1) std::fill(values.begin(), values.begin() + 4'090, 0.0F);
      if (blobs.size() % 3 == 2) std::fill(values.begin(), values.begin() + kChunk, 0.0F);
      blobs.push_back(encoded(codec, values));
      codecs.push_back(codec);
    }
  }
  std::vector<Delta> deltas;
  for (std::size_t i = 0; i < blobs.size(); ++i) {
    deltas.push_back(Delta::parse(blobs[i], n, codecs[i], test_base()).value());
  }
  std::vector<const Delta*> read;
  std::vector<Delta::Cursor> alone;
  std::vector<std::int64_t> factors;
  for (const Delta& delta : deltas) {
    read.push_back(&delta);
    alone.emplace_back(delta);
    factors.push_back(static_cast<std::int64_t>(rng.below(1u << 30)));
  }
  SumReader together(read, factors);
  Delta::Chunk chunk;
  for (std::uint64_t c = 0; c < deltas[0].chunks(); ++c) {
    const auto length = static_cast<std::uint32_t>(std::min<std::size_t>(kChunk, n - c * kChunk));
    std::vector<std::int64_t> sums(kChunk), want(kChunk);
    std::vector<std::uint16_t> places(together.most_values()), want_places;
    std::vector<float> out(length + 3, -2.0F);
    const auto what = static_cast<rice::Onto::What>(c);
    const std::size_t written =
        together.add_next(length, {sums.data(), c == 1 ? nullptr : places.data()},
                          {.out = std::span(out).subspan(3), .what = what, .beta = 0.5F});
    for (std::size_t i = 0; i < alone.size(); ++i) {
      alone[i].next(chunk);
      for (std::uint32_t j = 0; j < chunk.size; ++j) {
        want[chunk.place[j]] += factors[i] * chunk.value[j];
        if (c != 1) want_places.push_back(chunk.place[j]);
      }
    }
    ASSERT_EQ(sums, want);
    places.resize(written);
    std::ranges::sort(places);
    std::ranges::sort(want_places);
    ASSERT_EQ(places, want_places);
    const float ready = c == 0 ? -2.0F : c == 1 ? 0.0F : -1.0F;
    for (std::size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], i < 3 ? -2.0F : ready);
  }
}

// What the cursor walks over, value by value.
std::vector<float> walked(const Delta& delta) {
  std::vector<float> values(delta.parameters());
  Delta::Chunk chunk;
  std::size_t first = 0;
  for (Delta::Cursor cursor(delta); !cursor.done(); first += kChunk) {
    cursor.next(chunk);
    for (std::uint32_t i = 0; i < chunk.size; ++i) {
      values[first + chunk.place[i]] =
          std::ldexp(static_cast<float>(chunk.value[i]), delta.exponent());
    }
  }
  return values;
}

void expect_adds_what_it_decodes(const Codec& codec, std::size_t n, bool gaps) {
  Rng rng = rng_of("add");
  std::vector<float> residual = bell(rng, n, 0.1F);
  // Chunks of which nothing is sent, and chunks with few values.
  for (std::size_t i = 0; gaps && i < n; ++i) {
    if (i / kChunk % 3 == 1 || (i / kChunk % 3 == 2 && i % 700 != 5)) residual[i] = 0;
  }
  const Bytes blob = encoded(codec, residual);
  const Delta delta = Delta::parse(blob, n, codec, test_base()).value();
  std::vector<float> start = bell(rng, n, 1.0F);
  for (std::size_t i = 0; i < n; i += 3) start[i] = -0.0F;
  const std::vector<float> values = walked(delta);
  EXPECT_EQ(decode(delta), values);
  std::vector<float> sum = start;
  add_scaled(delta, -0.25F, sum);
  SquaredNorm::Integer norm = 0;
  for (std::size_t i = 0; i < n; ++i) {
    volatile float product = -0.25F * values[i];
    const float want = values[i] == 0 ? start[i] : start[i] + product;
    ASSERT_EQ(std::bit_cast<std::uint32_t>(sum[i]), std::bit_cast<std::uint32_t>(want)) << i;
    const double integer = static_cast<double>(values[i]) / std::ldexp(1.0, delta.exponent());
    norm += static_cast<SquaredNorm::Integer>(integer * integer);
  }
  EXPECT_TRUE(norm == delta.squared_norm().integer);
}

TEST(Delta, AddsWhatItDecodes) {
  for (const Codec& codec : all_codecs()) {
    for (const std::size_t n : {1, 9'000, 5 * 4'096, 5 * 4'096 + 1, 61'000}) {
      for (const bool gaps : {false, true}) expect_adds_what_it_decodes(codec, n, gaps);
    }
  }
}

}  // namespace
}  // namespace harambee::exact
