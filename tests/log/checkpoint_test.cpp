#include "log/checkpoint.h"

#include <gtest/gtest.h>

#include "log/proof.h"
#include "vectors.h"

namespace harambee::log {
namespace {

using test::vectors;

constexpr char kOrigin[] = "log.example/harambee";
// The 8 entries of RFC 6962's tests, seeds 0x01 × 32 and 0x02 × 32, at 1700000000.
constexpr char kCosigned[] =
    "log.example/harambee\n"
    "8\n"
    "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n"
    "\n"
    "\u2014 log.example/harambee "
    "KWhGXOevV+00csWLu/4SBTGk1mNQMSZzIAlGS9Gm/9Mexwh/mwGxKi+TdcGUi2ks1+W6Z/M0krA1m0sjI0aQvaBeaAU=\n"
    "\u2014 witness.example/w1 "
    "3xwKNQAAAABlU/EAPcwHtWPy8DPXiQ8/K6H4annI8tlM2ZSfVmCG0WwrqlOR7sAmfrvy/"
    "ebevSVwx5BxKD8PwDWyP9H45qjGHpbjBA==\n";

SecretKey key_of(std::uint8_t byte) {
  std::array<std::uint8_t, 32> seed;
  seed.fill(byte);
  return SecretKey::from_seed(seed);
}
VerifierKey log_key() { return *VerifierKey::parse(vectors().at("log_vkey").get<std::string>()); }
VerifierKey witness_key() {
  return *VerifierKey::parse(vectors().at("witness_vkey").get<std::string>());
}

TEST(Checkpoint, IsMadeAndCosignedAsElsewhere) {
  const Checkpoint checkpoint{
      kOrigin,
      8,
      test::digest("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
      {}};
  const std::string own = sign_checkpoint(checkpoint, key_of(1));
  EXPECT_TRUE(std::string_view(kCosigned).starts_with(own));
  auto opened = open_checkpoint(view(own), log_key());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->checkpoint, checkpoint);
  cosign(opened->note, {"witness.example/w1", key_of(2)}, 1'700'000'000);
  EXPECT_EQ(opened->note.str(), kCosigned);
  std::ifstream file(HARAMBEE_SOURCE "/spec/log.md");
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  EXPECT_NE(page.find(kCosigned), page.npos);
  EXPECT_NE(page.find(log_key().str()), page.npos);
  EXPECT_NE(page.find(witness_key().str()), page.npos);
}

TEST(Checkpoint, CosignaturesAreVerified) {
  const auto opened = open_checkpoint(view(kCosigned), log_key());
  ASSERT_TRUE(opened);
  EXPECT_EQ(*verify_cosignature(opened->note, witness_key()), 1'700'000'000u);
  Note note = opened->note;
  note.signatures[1].signature[7] ^= 1;  // another time
  EXPECT_EQ(verify_cosignature(note, witness_key()).error().code, ErrorCode::invalid);
  note.signatures[1].signature.resize(64);
  EXPECT_EQ(verify_cosignature(note, witness_key()).error().code, ErrorCode::invalid);
  note.signatures.pop_back();
  EXPECT_EQ(verify_cosignature(note, witness_key()).error().code, ErrorCode::not_found);
  // A log's signature by the witness's key is no cosignature.
  sign_note(note, {"witness.example/w1", key_of(2)});
  EXPECT_EQ(verify_cosignature(note, witness_key()).error().code, ErrorCode::not_found);
}

TEST(Checkpoint, OfTheVectorLog) {
  const std::string text = vectors().at("checkpoint_70000_cosigned");
  const auto opened = open_checkpoint(view(text), log_key());
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->checkpoint.size, 70'000u);
  EXPECT_EQ(opened->checkpoint.root, test::digest(vectors().at("root").at("70000")));
  EXPECT_TRUE(verify_cosignature(opened->note, witness_key()));
  EXPECT_EQ(opened->note.str(), text);
}

TEST(Checkpoint, OfAnotherLogOrKeyIsRefused) {
  const Checkpoint other{"other.example", 0, empty_root(), {}};
  EXPECT_EQ(open_checkpoint(view(sign_checkpoint(other, key_of(1))), log_key()).error().code,
            ErrorCode::invalid);
  const Checkpoint own{kOrigin, 0, empty_root(), {}};
  EXPECT_TRUE(open_checkpoint(view(sign_checkpoint(own, key_of(1))), log_key()));
  EXPECT_EQ(open_checkpoint(view(sign_checkpoint(own, key_of(3))), log_key()).error().code,
            ErrorCode::not_found);
  // The right line, on a note that names another origin.
  Note note{other.text(), {}};
  sign_note(note, {kOrigin, key_of(1)});
  EXPECT_FALSE(open_checkpoint(view(note.str()), log_key()));
}

TEST(Checkpoint, TextRoundTripsAndOtherShapesAreRefused) {
  const std::string root = base64(empty_root().view());
  for (const Checkpoint& checkpoint :
       {Checkpoint{kOrigin, 0, empty_root(), {}},
        Checkpoint{kOrigin, UINT64_MAX, empty_root(), {"one", "two words"}}}) {
    EXPECT_EQ(*Checkpoint::parse(checkpoint.text()), checkpoint);
  }
  for (const std::string& text : {
           std::string(),
           std::string("a"),
           std::string("a\n"),
           std::string("a\n1\n"),
           "\n1\n" + root + "\n",
           "a\n\n" + root + "\n",
           "a\n01\n" + root + "\n",
           "a\n-1\n" + root + "\n",
           "a\n+1\n" + root + "\n",
           "a\n 1\n" + root + "\n",
           "a\n1 \n" + root + "\n",
           "a\n0x1\n" + root + "\n",
           "a\n18446744073709551616\n" + root + "\n",
           "a\n1\n" + root,
           "a\n1\n" + root.substr(0, 40) + "\n",
           "a\n1\n" + root + "=\n",
           "a\n1\n" + root + "\n\n",
           "a\n1\n" + root + "\nx",
           "a\n1\n" + base64(Bytes(33)) + "\n",
       }) {
    EXPECT_FALSE(Checkpoint::parse(text)) << text;
  }
}

TEST(Proof, OfTheVectorLog) {
  const std::string text = vectors().at("tlog_proof_12345");
  const auto proof = Proof::parse(view(text));
  ASSERT_TRUE(proof) << proof.error().message;
  EXPECT_EQ(proof->index, 12'345u);
  EXPECT_EQ(proof->str(), text);
  const auto opened = verify_proof(*proof, view(test::entry(12'345)), log_key());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->checkpoint.size, 70'000u);
  EXPECT_FALSE(verify_proof(*proof, view(test::entry(12'346)), log_key()));
  EXPECT_FALSE(verify_proof(*proof, view(test::entry(12'345)), witness_key()));
  Proof other = *proof;
  other.index = 12'344;
  EXPECT_FALSE(verify_proof(other, view(test::entry(12'345)), log_key()));
  // The same proof, made here.
  EXPECT_EQ(*inclusion_proof(12'345, 70'000, leaves_source(test::leaves())), proof->hashes);
}

TEST(Proof, ExtraDataAndOtherShapes) {
  Proof proof{0, {}, to_bytes("extra"), kCosigned};
  EXPECT_EQ(*Proof::parse(view(proof.str())), proof);
  proof.extra = Bytes();
  EXPECT_EQ(*Proof::parse(view(proof.str())), proof);
  proof.extra.reset();
  const std::string good = proof.str();
  EXPECT_EQ(*Proof::parse(view(good)), proof);
  const std::string head = "c2sp.org/tlog-proof@v1\n";
  for (const std::string& text :
       {std::string(), head, head + "index 0", head + "index 0\n", head + "index 00\n\nx",
        head + "index -1\n\nx", head + "index\n\nx", head + "extra !\nindex 0\n\nx",
        head + "index 0\nabc\n\nx", head + "index 0\nextra AA==\n\nx", "x" + good,
        head + "extra AA==\nextra AA==\nindex 0\n\nx"}) {
    EXPECT_FALSE(Proof::parse(view(text))) << text;
  }
  proof.hashes.assign(kProofHashesMax, Digest{});
  EXPECT_TRUE(Proof::parse(view(proof.str())));
  proof.hashes.emplace_back();
  EXPECT_EQ(Proof::parse(view(proof.str())).error().code, ErrorCode::limit);
}

}  // namespace
}  // namespace harambee::log
