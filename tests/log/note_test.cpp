#include "log/note.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace harambee::log {
namespace {

// golang.org/x/mod/sumdb/note's test keys.
constexpr char kNeumann[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr char kNeumannSigner[] =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
constexpr char kText[] =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n";
constexpr char kNeumannLine[] =
    "\u2014 PeterNeumann "
    "x08go/ZJkuBS9UG/"
    "SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

std::string signed_text() { return std::string(kText) + "\n" + kNeumannLine; }

TEST(Note, SignsAsGoDoes) {
  const auto signer = NoteSigner::parse(kNeumannSigner);
  ASSERT_TRUE(signer) << signer.error().message;
  EXPECT_EQ(signer->verifier().str(), kNeumann);
  Note note{kText, {}};
  sign_note(note, *signer);
  EXPECT_EQ(note.str(), signed_text());
}

TEST(Note, VerifiesWhatGoSigned) {
  const auto key = VerifierKey::parse(kNeumann);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->str(), kNeumann);
  const auto note = parse_note(view(signed_text()));
  ASSERT_TRUE(note);
  EXPECT_EQ(note->text, kText);
  EXPECT_TRUE(verify_note(*note, *key));
  EXPECT_EQ(note->str(), signed_text());

  const auto foo =
      VerifierKey::parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");
  const auto message = parse_note(
      view("This is an example message.\n\n\u2014 example.com/foo "
           "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72Ine"
           "yaQM=\n"));
  ASSERT_TRUE(foo && message);
  EXPECT_TRUE(verify_note(*message, *foo));
}

TEST(Note, KeyIds) {
  const PublicKey key = SecretKey::from_seed({}).public_key();
  EXPECT_EQ(hex(note_key_id("EnochRoot", NoteKeyType::ed25519, key)), "af0cfe78");
  const VerifierKey log{"a", NoteKeyType::ed25519, key};
  const VerifierKey witness{"a", NoteKeyType::cosignature_v1, key};
  EXPECT_NE(log.id(), witness.id());
  EXPECT_EQ(*VerifierKey::parse(witness.str()), witness);
}

TEST(Note, UnknownKeysAreIgnoredAndKnownOnesMustBeRight) {
  const VerifierKey key = *VerifierKey::parse(kNeumann);
  Note note{kText, {}};
  sign_note(note, {"somebody", SecretKey::from_seed({1})});
  EXPECT_EQ(verify_note(note, key).error().code, ErrorCode::not_found);
  sign_note(note, *NoteSigner::parse(kNeumannSigner));
  EXPECT_TRUE(verify_note(note, key));
  // Same name, other key: another signer.
  sign_note(note, {"PeterNeumann", SecretKey::from_seed({2})});
  EXPECT_TRUE(verify_note(note, key));
  // The known key once right and once wrong: the note is refused.
  note.signatures.push_back(note.signatures[1]);
  note.signatures.back().signature[0] ^= 1;
  EXPECT_EQ(verify_note(note, key).error().code, ErrorCode::invalid);
  note.signatures.back().signature.resize(63);
  EXPECT_EQ(verify_note(note, key).error().code, ErrorCode::invalid);
}

TEST(Note, EveryFlippedBitIsNoticed) {
  const VerifierKey key = *VerifierKey::parse(kNeumann);
  const std::string good = signed_text();
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string changed = good;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    const auto note = parse_note(view(changed));
    EXPECT_FALSE(note && verify_note(*note, key)) << bit;
    EXPECT_EQ(note ? note->str() : changed, changed);
  }
}

TEST(Note, TheLastEmptyLineSplits) {
  Note note{"one\n\ntwo\n\n", {}};
  sign_note(note, {"a", SecretKey::from_seed({1})});
  EXPECT_EQ(*parse_note(view(note.str())), note);
}

TEST(Note, RefusesOtherShapes) {
  const std::string line = kNeumannLine;
  const std::string text = kText;
  const std::string bad[] = {
      "",
      text,
      text + "\n",
      text + line,
      text + "\n" + line.substr(0, line.size() - 1),
      text + "\n" + line + "\n",
      text + "\n" + line + "x\n",
      text + "\n" + line + "\n" + line + "\n",
      text + "\r\n" + line,
      "a\tb\n\n" + line,
      "a\x01\n\n" + line,
      "\xff\n\n" + line,
      "\xed\xa0\x80\n\n" + line,
      text + "\n- a AAAAAAA=\n",
      text + "\n\u2014  AAAAAAA=\n",
      text + "\n\u2014 a\n",
      text + "\n\u2014 a \n",
      text + "\n\u2014 a AAAAAA==\n",
      text + "\n\u2014 a AAAAAAAA AAAA\n",
      text + "\n\u2014 a+b AAAAAAA=\n",
      text + "\n\u2014 a\u00a0b AAAAAAA=\n",
      text + "\n\u2014 a AAAAAAB=\n",
      text + "\n\u2014 a _AAAAAA=\n",
  };
  EXPECT_TRUE(parse_note(view(text + "\n\u2014 a AAAAAAA=\n")));
  for (const std::string& note : bad) EXPECT_FALSE(parse_note(view(note))) << note;
}

TEST(Note, HasLimits) {
  std::string many = "text\n\n";
  for (std::size_t i = 0; i < kNoteSignaturesMax; ++i) many += "\u2014 a AAAAAAA=\n";
  EXPECT_TRUE(parse_note(view(many)));
  many += "\u2014 a AAAAAAA=\n";
  EXPECT_EQ(parse_note(view(many)).error().code, ErrorCode::limit);
  EXPECT_EQ(parse_note(Bytes(kNoteBytesMax + 1, 'a')).error().code, ErrorCode::limit);
}

TEST(VerifierKey, RefusesOtherShapes) {
  for (const char* text : {
           "",
           "a",
           "a+b",
           "a+00000000+",
           "a+00000000+AQ==",
           "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
           "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
           "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
           "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
           "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
           "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n",
           "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq_LDE4izWy10TW",
       }) {
    EXPECT_FALSE(VerifierKey::parse(text)) << text;
  }
  EXPECT_FALSE(VerifierKey::parse(std::string(100'000, 'a')));
  EXPECT_FALSE(NoteSigner::parse(kNeumann));
  std::string other = kNeumannSigner;
  other[other.size() - 1] = '0';
  EXPECT_FALSE(NoteSigner::parse(other));
}

}  // namespace
}  // namespace harambee::log
