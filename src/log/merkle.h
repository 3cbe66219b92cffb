// RFC 6962 §2.1 (= RFC 9162 §2.1) Merkle trees over SHA-256: hashes, proofs, compact ranges.
// Pure arithmetic: hashes come from a callback or a span (spec/log.md).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"

namespace harambee::log {

[[nodiscard]] Digest leaf_hash(View entry);                               // SHA-256(0x00 ‖ entry)
[[nodiscard]] Digest node_hash(const Digest& left, const Digest& right);  // SHA-256(0x01 ‖ l ‖ r)
[[nodiscard]] Digest empty_root();                                        // SHA-256("")
[[nodiscard]] Digest root_of(std::span<const Digest> leaves);

// A perfect subtree: MTH(D[index · 2^level : (index + 1) · 2^level]).
struct Node {
  int level = 0;  // 0 = leaf
  std::uint64_t index = 0;
  auto operator<=>(const Node&) const = default;
};

// Gives the hash of a perfect subtree; asked only for subtrees inside the tree.
using NodeSource = std::function<Result<Digest>(const Node&)>;
// Computes every node from leaf hashes; the span must outlive the source.
[[nodiscard]] NodeSource leaves_source(std::span<const Digest> leaves);

// The perfect subtrees that make up the first `size` leaves, left to right (largest first).
[[nodiscard]] std::vector<Node> compact_range(std::uint64_t size);
[[nodiscard]] Result<Digest> root_at(std::uint64_t size, const NodeSource& source);

using ProofHashes = std::vector<Digest>;
// More hashes than this are refused unread: 2^63 leaves are enough.
inline constexpr std::size_t kProofHashesMax = 64;

// The leaf's sibling first, the root's child last. index < size, else refused.
[[nodiscard]] Result<ProofHashes> inclusion_proof(std::uint64_t index, std::uint64_t size,
                                                  const NodeSource& source);
[[nodiscard]] Status verify_inclusion(std::uint64_t index, std::uint64_t size, const Digest& leaf,
                                      std::span<const Digest> proof, const Digest& root);

// That the tree of `from` leaves is a prefix of the tree of `to`; from <= to, else refused.
// From the empty tree, and from a tree to itself, the proof is empty.
[[nodiscard]] Result<ProofHashes> consistency_proof(std::uint64_t from, std::uint64_t to,
                                                    const NodeSource& source);
[[nodiscard]] Status verify_consistency(std::uint64_t from, std::uint64_t to,
                                        std::span<const Digest> proof, const Digest& from_root,
                                        const Digest& to_root);

// All that is needed to append and to know the root: one hash for each one-bit of the size.
class Frontier {
 public:
  // The empty tree.
  Frontier() = default;
  // `hashes` as compact_range(size) lists them; refused if their number is wrong.
  [[nodiscard]] static Result<Frontier> from(std::uint64_t size, std::vector<Digest> hashes);
  [[nodiscard]] static Result<Frontier> from(std::uint64_t size, const NodeSource& source);
  // u64be size ‖ hashes; refuses anything but what serialise() writes.
  [[nodiscard]] static Result<Frontier> parse(View bytes);

  void append(const Digest& leaf);
  void append(View entry) { append(leaf_hash(entry)); }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] Digest root() const;
  [[nodiscard]] std::span<const Digest> hashes() const { return hashes_; }
  [[nodiscard]] Bytes serialise() const;
  bool operator==(const Frontier&) const = default;

 private:
  std::uint64_t size_ = 0;
  std::vector<Digest> hashes_;
};

}  // namespace harambee::log
