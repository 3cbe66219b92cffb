#include "record/envelope.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "author.h"
#include "record/limits.h"

namespace harambee {
namespace {

nlohmann::json dsse_vectors() {
  std::ifstream file(HARAMBEE_VECTORS "/trust-vectors.json");
  return nlohmann::json::parse(file).at("dsse");
}

// An envelope of `count` signatures in the right order; the signatures themselves are nothing.
Envelope sample(std::size_t count, std::string_view payload = "{\"kind\":\"hello\",\"n\":1}") {
  Envelope envelope{to_bytes(payload), {}};
  for (std::size_t i = 0; i < count; ++i) {
    EnvelopeSignature signature;
    signature.key.bytes[0] = static_cast<std::uint8_t>(i);
    signature.signature.bytes.fill(static_cast<std::uint8_t>(i + 1));
    envelope.signatures.push_back(signature);
  }
  return envelope;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, text.npos) << what;
  return text.replace(at, what.size(), with);
}

TEST(Pae, FollowsTheSpecification) {
  EXPECT_EQ(text(pae("http://example.com/HelloWorld", view("hello world"))),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  EXPECT_EQ(text(pae("", View())), "DSSEv1 0  0 ");
  const auto vectors = dsse_vectors();
  const Bytes encoded = pae(view("{\"kind\":\"hello\",\"n\":1}"));
  EXPECT_EQ(text(encoded), vectors.at("pae").get<std::string>());
  EXPECT_EQ(sha256(encoded).hex(), vectors.at("sha256_pae").get<std::string>());
}

TEST(Dsse, ReadsAnEnvelopeMadeElsewhere) {
  const std::string vector = dsse_vectors().at("envelope");
  const auto envelope = parse_dsse(view(vector));
  ASSERT_TRUE(envelope) << envelope.error().message;
  EXPECT_EQ(text(envelope->payload), "{\"kind\":\"hello\",\"n\":1}");
  ASSERT_EQ(envelope->signatures.size(), 1u);
  const SecretKey key = test::key_of(1);
  EXPECT_EQ(envelope->signatures[0].key, key.id());
  EXPECT_TRUE(verify(key.public_key(), pae(envelope->payload), envelope->signatures[0].signature));
  EXPECT_EQ(text(write_dsse(*envelope)), vector);
}

TEST(Dsse, OneToEightSignaturesRoundTrip) {
  for (std::size_t count = 1; count <= kRecordSignaturesMax; ++count) {
    const Envelope envelope = sample(count);
    EXPECT_EQ(*parse_dsse(write_dsse(envelope)), envelope);
  }
  EXPECT_EQ(*parse_dsse(write_dsse(sample(1, ""))), sample(1, ""));
}

TEST(Dsse, RefusesEveryOtherSpelling) {
  const std::string good(text(write_dsse(sample(2))));
  const std::string one(text(write_dsse(sample(1))));
  const std::string bad[] = {
      "",
      "{}",
      " " + good,
      good + "\n",
      good + "}",
      replaced(good, ":", ": "),
      replaced(good, "},{", "}, {"),
      replaced(good, "\"payload\"", "\"Payload\""),
      // The unused letters of the base64 alphabet, its padding, its last bits.
      replaced(one, "AQEB", "-_-_"),
      replaced(good, "==\",\"payloadType", "\",\"payloadType"),
      replaced(good, "Q==\",\"payloadType", "R==\",\"payloadType"),
      replaced(good, "AQ==\"}", "AR==\"}"),
      replaced(good, "eyJ", "ey J"),
      replaced(good, "eyJ", "ey\\u004a"),
      // Other types, other orders, other members.
      replaced(good, "record.v1", "record.v2"),
      replaced(good, "vnd.harambee", "vnd.Harambee"),
      replaced(good, "application/", "application\\/"),
      replaced(good, "\"signatures\":[", "\"extra\":1,\"signatures\":["),
      replaced(good, "{\"keyid\"", "{\"cert\":\"\",\"keyid\""),
      replaced(good, "]}", "],\"extra\":1}"),
      replaced(good, ",{\"keyid\"", ",{\"sig\""),
      // Key ids that are not 64 lower-case hex digits.
      replaced(good, "\"keyid\":\"00", "\"keyid\":\""),
      replaced(good, "\"keyid\":\"0000", "\"keyid\":\"00AA"),
      replaced(good, "\"keyid\":\"00", "\"keyid\":\"0000"),
      // No signature at all.
      good.substr(0, good.find('[') + 1) + "]}",
      good.substr(0, good.find('[') + 1) + "{}]}",
  };
  for (const std::string& text : bad) {
    EXPECT_FALSE(parse_dsse(view(text))) << text;
  }
  // Signatures out of order, and twice the same key.
  Envelope twice = sample(2);
  const std::string first = good.substr(good.find("{\"keyid\""), kEnvelopeSignatureBytes - 1);
  const std::string second = good.substr(good.find(",{\"keyid\"") + 1, first.size());
  EXPECT_FALSE(
      parse_dsse(view(replaced(replaced(good, first, second), "," + second, "," + first))));
  EXPECT_FALSE(parse_dsse(view(replaced(good, second, first))));
}

TEST(Dsse, EveryCutAndEveryChangedByteIsRefusedOrCanonical) {
  const Bytes good = write_dsse(sample(2));
  for (std::size_t i = 0; i < good.size(); ++i) {
    EXPECT_FALSE(parse_dsse(View(good).first(i)));
    for (int byte = 0; byte < 256; ++byte) {
      Bytes changed = good;
      changed[i] = static_cast<std::uint8_t>(byte);
      const auto envelope = parse_dsse(changed);
      if (!envelope) continue;
      EXPECT_EQ(write_dsse(*envelope), changed);
    }
  }
}

TEST(Dsse, LimitsAreExact) {
  const std::string largest(kRecordPayloadBytesMax, 'x');
  const Bytes most = write_dsse(sample(kRecordSignaturesMax, largest));
  EXPECT_EQ(most.size(), kRecordEnvelopeBytesMax);
  EXPECT_TRUE(parse_dsse(most));

  std::string larger(text(write_dsse(sample(1, largest))));
  const std::string one_more = base64(view(largest + "x"));
  larger.replace(12, base64(view(largest)).size(), one_more);
  const auto refused = parse_dsse(view(larger));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::limit);

  std::string nine(text(write_dsse(sample(8))));
  const std::string last =
      R"({"keyid":")" + std::string(64, 'f') + R"(","sig":")" + base64(Bytes(64)) + R"("})";
  nine = nine.substr(0, nine.size() - 2) + "," + last + "]}";
  EXPECT_EQ(parse_dsse(view(nine)).error().code, ErrorCode::limit);
  EXPECT_EQ(parse_dsse(Bytes(10'000'000, '{')).error().code, ErrorCode::limit);
}

}  // namespace
}  // namespace harambee
