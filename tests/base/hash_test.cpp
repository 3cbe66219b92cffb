#include "base/hash.h"

#include <gtest/gtest.h>

#include <thread>

namespace harambee {
namespace {

// FIPS 180-4 examples.
TEST(Sha256, StandardVectors) {
  EXPECT_EQ(sha256(View()).hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(view("abc")).hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(view("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(Bytes(1'000'000, 'a')).hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PartsAndUpdatesAreTheirConcatenation) {
  const Digest whole = sha256(view("one two three"));
  EXPECT_EQ(sha256({view("one "), View(), view("two three")}), whole);
  Sha256 hash;
  hash.update(view("one "));
  hash.update(view("two three"));
  EXPECT_EQ(hash.finish(), whole);
  // It starts afresh, and moves.
  Sha256 moved = std::move(hash);
  moved.update(view("abc"));
  EXPECT_EQ(moved.finish(), sha256(view("abc")));
  EXPECT_EQ(moved.finish(), sha256(View()));
}

TEST(Sha256, EachThreadHasItsOwnContext) {
  const Digest expected = sha256(Bytes(1000, 7));
  std::vector<std::thread> threads;
  std::array<int, 4> wrong{};
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) count += sha256(Bytes(1000, 7)) != expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, (std::array<int, 4>{}));
}

TEST(Sha1, NamesABlobAsGitDoes) {
  // echo hello | git hash-object --stdin
  EXPECT_EQ(sha1_hex({view(std::string_view("blob 6\0", 7)), view("hello\n")}),
            "ce013625030ba8dba906f756967f9e9ca394464a");
}

TEST(Digest, HasOneText) {
  const Digest digest = sha256(view("abc"));
  EXPECT_EQ(*Digest::from_hex(digest.hex()), digest);
  EXPECT_FALSE(Digest::from_hex(digest.hex().substr(2)));
  EXPECT_FALSE(Digest::from_hex(digest.hex() + "00"));
  std::string upper = digest.hex();
  upper[0] = 'B';
  EXPECT_FALSE(Digest::from_hex(upper));
}

}  // namespace
}  // namespace harambee
