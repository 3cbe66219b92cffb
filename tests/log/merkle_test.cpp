#include "log/merkle.h"

#include <gtest/gtest.h>

#include "vectors.h"

namespace harambee::log {
namespace {

using test::digest;
using test::first;
using test::leaves;
using test::vectors;

constexpr std::uint64_t kExhaustiveMax = 70;

// transparency-dev/merkle testonly/constants.go.
TEST(Merkle, PublicVectors) {
  const char* const entries[] = {"",
                                 "00",
                                 "10",
                                 "2021",
                                 "3031",
                                 "40414243",
                                 "5051525354555657",
                                 "606162636465666768696a6b6c6d6e6f"};
  const std::pair<std::size_t, const char*> roots[] = {
      {0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
      {2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
      {3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
      {5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
      {7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
      {8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
  };
  std::vector<Digest> hashes;
  for (const char* entry : entries) hashes.push_back(leaf_hash(*from_hex(entry)));
  EXPECT_EQ(hashes[1], digest("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"));
  for (const auto& [size, root] : roots) {
    EXPECT_EQ(root_of(std::span(hashes).first(size)), digest(root)) << size;
  }
}

// Tessera's testdata/log.
TEST(Merkle, TesseraVectors) {
  const char* const words[] = {"one",    "two",   "three",    "four",    "five",
                               "six",    "seven", "eit",      "nain",    "ten",
                               "ileven", "twelf", "threeten", "fourten", "fivten"};
  Frontier frontier;
  frontier.append(view(words[0]));
  EXPECT_EQ(base64(frontier.root().view()), "0Nc2CrefWKseHj/mStd+LqC8B+NrX0btIiPt2SmN+ek=");
  for (std::size_t i = 1; i < 15; ++i) frontier.append(view(words[i]));
  EXPECT_EQ(base64(frontier.root().view()), "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=");
}

TEST(Merkle, LeavesAndRootsOfTheVectorLog) {
  for (const auto& [index, hash] : vectors().at("leaf_hash").items()) {
    EXPECT_EQ(leaves().at(std::stoul(index)), digest(hash));
  }
  for (const auto& [size, root] : vectors().at("root").items()) {
    const std::uint64_t n = std::stoul(size);
    EXPECT_EQ(root_of(first(n)), digest(root)) << size;
    EXPECT_EQ(*root_at(n, leaves_source(leaves())), digest(root)) << size;
  }
}

TEST(Merkle, ProofsOfTheVectorLog) {
  const auto root = [](std::uint64_t n) { return root_of(first(n)); };
  const NodeSource source = leaves_source(leaves());
  for (const auto& vector : vectors().at("inclusion")) {
    const std::uint64_t index = vector.at("index"), size = vector.at("size");
    const ProofHashes proof = test::proof_of(vector.at("proof"));
    EXPECT_EQ(*inclusion_proof(index, size, source), proof);
    EXPECT_TRUE(verify_inclusion(index, size, leaves()[index], proof, root(size)));
  }
  for (const auto& vector : vectors().at("consistency")) {
    const std::uint64_t from = vector.at("old"), to = vector.at("new");
    const ProofHashes proof = test::proof_of(vector.at("proof"));
    EXPECT_EQ(*consistency_proof(from, to, source), proof);
    EXPECT_TRUE(verify_consistency(from, to, proof, root(from), root(to)));
  }
}

TEST(Merkle, RootsAreTheRecursionOfTheRfc) {
  Frontier frontier;
  for (std::uint64_t n = 0; n < 300; ++n) {
    const Digest root = test::slow_root(first(n));
    EXPECT_EQ(frontier.root(), root) << n;
    EXPECT_EQ(*root_at(n, leaves_source(first(n))), root) << n;
    EXPECT_EQ(frontier.size(), n);
    EXPECT_EQ(*Frontier::parse(frontier.serialise()), frontier);
    EXPECT_EQ(*Frontier::from(n, leaves_source(first(n))), frontier);
    frontier.append(leaves()[n]);
  }
}

// Each hash of each proof, with its first and last bit flipped, and one hash more or less.
template <typename Verify>
void expect_only(const ProofHashes& proof, Verify verifies) {
  ASSERT_TRUE(verifies(proof));
  for (std::size_t i = 0; i < proof.size(); ++i) {
    for (const int bit : {0, 255}) {
      ProofHashes changed = proof;
      changed[i].bytes[static_cast<std::size_t>(bit) / 8] ^=
          static_cast<std::uint8_t>(1 << (bit % 8));
      EXPECT_FALSE(verifies(changed));
    }
    ProofHashes shorter = proof;
    shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_FALSE(verifies(shorter));
  }
  for (std::size_t i = 0; i <= proof.size(); ++i) {
    ProofHashes longer = proof;
    longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(i), Digest{});
    EXPECT_FALSE(verifies(longer));
  }
}

TEST(Merkle, EveryInclusionProofHoldsAndEveryDamageIsNoticed) {
  for (std::uint64_t n = 1; n < kExhaustiveMax; ++n) {
    const Digest root = root_of(first(n));
    for (std::uint64_t i = 0; i < n; ++i) {
      const auto proof = inclusion_proof(i, n, leaves_source(first(n)));
      ASSERT_TRUE(proof);
      expect_only(*proof, [&](const ProofHashes& changed) {
        return verify_inclusion(i, n, leaves()[i], changed, root).ok();
      });
      EXPECT_FALSE(verify_inclusion(i, n, leaves()[i + 1], *proof, root));
      EXPECT_FALSE(verify_inclusion(i, n, leaves()[i], *proof, leaves()[0]) && n > 1);
      EXPECT_FALSE(verify_inclusion(n, n, leaves()[i], *proof, root));
    }
  }
}

TEST(Merkle, EveryConsistencyProofHoldsAndEveryDamageIsNoticed) {
  std::vector<Digest> roots;
  for (std::uint64_t n = 0; n < kExhaustiveMax; ++n) roots.push_back(root_of(first(n)));
  for (std::uint64_t n = 1; n < kExhaustiveMax; ++n) {
    for (std::uint64_t m = 1; m <= n; ++m) {
      const auto proof = consistency_proof(m, n, leaves_source(first(n)));
      ASSERT_TRUE(proof);
      expect_only(*proof, [&](const ProofHashes& changed) {
        return verify_consistency(m, n, changed, roots[m], roots[n]).ok();
      });
      EXPECT_FALSE(verify_consistency(m, n, *proof, leaves()[69], roots[n]));
      EXPECT_FALSE(verify_consistency(m, n, *proof, roots[m], leaves()[69]));
    }
  }
}

TEST(Merkle, TheEdgesOfConsistency) {
  const Digest root = root_of(first(5));
  EXPECT_TRUE(verify_consistency(0, 5, {}, empty_root(), root));
  EXPECT_FALSE(verify_consistency(0, 5, {}, root, root));
  EXPECT_FALSE(verify_consistency(0, 5, first(1), empty_root(), root));
  EXPECT_TRUE(verify_consistency(0, 0, {}, empty_root(), empty_root()));
  EXPECT_FALSE(verify_consistency(0, 0, {}, empty_root(), root));
  EXPECT_TRUE(verify_consistency(5, 5, {}, root, root));
  EXPECT_FALSE(verify_consistency(5, 4, {}, root, root));
  EXPECT_FALSE(verify_consistency(3, 5, {}, root_of(first(3)), root));
  EXPECT_FALSE(consistency_proof(6, 5, leaves_source(first(6))));
  EXPECT_TRUE(consistency_proof(0, 5, leaves_source(first(5)))->empty());
  EXPECT_FALSE(inclusion_proof(5, 5, leaves_source(first(5))));
  EXPECT_FALSE(inclusion_proof(0, 0, leaves_source({})));
}

// A tree of 2^64 - 1 leaves does not overflow anything; proofs are 64 hashes at most.
TEST(Merkle, TheLargestTree) {
  const NodeSource source = [](const Node& node) -> Result<Digest> {
    return sha256(view(std::to_string(node.level) + "/" + std::to_string(node.index)));
  };
  const std::uint64_t size = UINT64_MAX;
  const Digest root = *root_at(size, source);
  const auto inclusion = inclusion_proof(size - 1, size, source);
  EXPECT_LE(inclusion->size(), kProofHashesMax);
  EXPECT_TRUE(verify_inclusion(size - 1, size, *source({0, size - 1}), *inclusion, root));
  const std::uint64_t from = std::uint64_t{1} << 63;
  const auto consistency = consistency_proof(from, size, source);
  EXPECT_LE(consistency->size(), kProofHashesMax);
  EXPECT_TRUE(verify_consistency(from, size, *consistency, *source({63, 0}), root));
}

TEST(Merkle, ASourceThatFailsFailsTheProof) {
  const NodeSource none = [](const Node&) -> Result<Digest> {
    return fail(ErrorCode::unavailable, "no");
  };
  EXPECT_EQ(inclusion_proof(1, 3, none).error().code, ErrorCode::unavailable);
  EXPECT_EQ(consistency_proof(2, 3, none).error().code, ErrorCode::unavailable);
  EXPECT_EQ(root_at(3, none).error().code, ErrorCode::unavailable);
  EXPECT_EQ(Frontier::from(3, none).error().code, ErrorCode::unavailable);
}

TEST(Frontier, RefusesOtherLengths) {
  Frontier frontier;
  for (int i = 0; i < 7; ++i) frontier.append(leaves()[static_cast<std::size_t>(i)]);
  const Bytes good = frontier.serialise();
  EXPECT_EQ(good.size(), 8u + 3 * 32);
  for (std::size_t i = 0; i < good.size(); ++i) EXPECT_FALSE(Frontier::parse(View(good).first(i)));
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(Frontier::parse(longer));
  EXPECT_FALSE(Frontier::from(4, std::vector<Digest>(2)));
  EXPECT_TRUE(Frontier::from(4, std::vector<Digest>(1)));
}

}  // namespace
}  // namespace harambee::log
