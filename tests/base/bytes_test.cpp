#include "base/bytes.h"

#include <gtest/gtest.h>

namespace harambee {
namespace {

TEST(Bytes, IntegersInBothByteOrders) {
  Bytes be, le;
  put_u16be(be, 0x0102);
  put_u32be(be, 0x03040506);
  put_u64be(be, 0x0708090a0b0c0d0e);
  put_u16le(le, 0x0201);
  put_u32le(le, 0x06050403);
  put_u64le(le, 0x0e0d0c0b0a090807);
  const Bytes expected{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
  EXPECT_EQ(be, expected);
  EXPECT_EQ(le, expected);
  EXPECT_EQ(get_u16be(&be[0]), 0x0102);
  EXPECT_EQ(get_u32be(&be[2]), 0x03040506u);
  EXPECT_EQ(get_u64be(&be[6]), 0x0708090a0b0c0d0eu);
  EXPECT_EQ(get_u16le(&le[0]), 0x0201);
  EXPECT_EQ(get_u32le(&le[2]), 0x06050403u);
  EXPECT_EQ(get_u64le(&le[6]), 0x0e0d0c0b0a090807u);
}

TEST(Bytes, TextAndViewsAreTheSameBytes) {
  EXPECT_EQ(text(view("h\0i")), std::string_view("h\0i"));
  EXPECT_EQ(to_bytes("hi"), (Bytes{'h', 'i'}));
  EXPECT_TRUE(text(View()).empty());
}

}  // namespace
}  // namespace harambee
