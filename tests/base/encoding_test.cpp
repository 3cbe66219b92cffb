#include "base/encoding.h"

#include <gtest/gtest.h>

namespace harambee {
namespace {

TEST(Hex, RoundTripsEveryByte) {
  Bytes all(256);
  for (int i = 0; i < 256; ++i) all[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(*from_hex(hex(all)), all);
  EXPECT_EQ(hex(Bytes{0x00, 0xff, 0xa5}), "00ffa5");
  EXPECT_TRUE(from_hex("")->empty());
}

TEST(Hex, OneTextForOneByteString) {
  for (const char* text : {"0", "0A", "fF", "0x", "g0", "0 ", "-1", "00\n"}) {
    EXPECT_FALSE(from_hex(text)) << text;
  }
  EXPECT_FALSE(from_hex(std::string_view("\xe9\xe9", 2)));
}

// RFC 4648 §10.
TEST(Base64, StandardVectors) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : vectors) {
    EXPECT_EQ(base64(view(plain)), coded);
    EXPECT_EQ(*from_base64(coded), to_bytes(plain));
  }
}

TEST(Base64, RoundTripsEveryLength) {
  Bytes bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(*from_base64(base64(bytes)), bytes);
    bytes.push_back(static_cast<std::uint8_t>(i * 37));
  }
  EXPECT_EQ(base64(Bytes{0xfb, 0xff, 0xfe}), "+//+");
}

TEST(Base64, OneTextForOneByteString) {
  for (const char* text : {
           "Zg",
           "Zg=",
           "Zm8",
           "Z===",
           "====",
           "=",
           "==",  // padding
           "Zh==",
           "Zm9=",
           "Zv==",  // trailing bits
           "-__-",
           "Zm9v\n",
           "Zm 9",
           " Zm9",
           "Zm9vZg==Zm9v",  // alphabet, white space, inner padding
           "Zg==Zg==",
           "Zm=v",
           "=Zm9",
       }) {
    EXPECT_FALSE(from_base64(text)) << text;
  }
  EXPECT_FALSE(from_base64(std::string_view("Zm\0v", 4)));
  EXPECT_FALSE(from_base64(std::string_view("Zm\xff\xffZm9v", 8)));
}

// Whatever is accepted is what base64() writes.
TEST(Base64, EveryFourCharacterEndingThatIsAcceptedIsCanonical) {
  const std::string alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_ ";
  int accepted = 0;
  for (char a : alphabet) {
    for (char b : alphabet) {
      for (const char* tail : {"==", "A=", "B=", "E=", "=A", "AA"}) {
        const std::string text = std::string{a, b} + tail;
        const auto bytes = from_base64(text);
        if (!bytes) continue;
        ++accepted;
        EXPECT_EQ(base64(*bytes), text);
      }
    }
  }
  EXPECT_EQ(accepted, 64 * 4 + 2 * 64 * 64 + 64 * 64);  // one byte; two (A, E); three
}

}  // namespace
}  // namespace harambee
