#include "log/merkle.h"

#include <bit>
#include <utility>

#include "base/check.h"

namespace harambee::log {
namespace {

constexpr std::uint8_t kLeafPrefix = 0;
constexpr std::uint8_t kNodePrefix = 1;

// The largest power of two strictly less than n, n > 1 (RFC 6962 §2.1).
std::uint64_t split(std::uint64_t n) { return std::bit_floor(n - 1); }

// MTH(D[begin : end]) for a range that begins at a multiple of its own rounded-up size, as every
// range of RFC 6962's recursion does.
Result<Digest> range_hash(std::uint64_t begin, std::uint64_t end, const NodeSource& source) {
  const std::uint64_t n = end - begin;
  if (std::has_single_bit(n)) {
    const int level = std::countr_zero(n);
    return source({level, begin >> level});
  }
  auto left = range_hash(begin, begin + split(n), source);
  if (!left) return left;
  auto right = range_hash(begin + split(n), end, source);
  if (!right) return right;
  return node_hash(*left, *right);
}

struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// The hashes of ranges that the way down passed by, last one first: a proof's order.
Result<ProofHashes> hashes_upwards(const std::vector<Range>& passed, const NodeSource& source) {
  ProofHashes proof;
  proof.reserve(passed.size());
  for (auto range = passed.rbegin(); range != passed.rend(); ++range) {
    auto hash = range_hash(range->begin, range->end, source);
    if (!hash) return hash.error();
    proof.push_back(*hash);
  }
  return proof;
}

// RFC 9162 §2.1.3.2 step 4.2.1 and §2.1.4.2 step 4.2.2: skip the levels on which the right edge
// has no sibling.
void skip_unpaired(std::uint64_t& fn, std::uint64_t& sn) {
  while ((fn & 1) == 0 && fn != 0) {
    fn >>= 1;
    sn >>= 1;
  }
}

}  // namespace

Digest leaf_hash(View entry) { return sha256({View(&kLeafPrefix, 1), entry}); }

Digest node_hash(const Digest& left, const Digest& right) {
  std::array<std::uint8_t, 65> both;
  both[0] = kNodePrefix;
  std::copy(left.bytes.begin(), left.bytes.end(), both.begin() + 1);
  std::copy(right.bytes.begin(), right.bytes.end(), both.begin() + 33);
  return sha256(both);
}

Digest empty_root() { return sha256(View()); }

Digest root_of(std::span<const Digest> leaves) {
  Frontier frontier;
  for (const Digest& leaf : leaves) frontier.append(leaf);
  return frontier.root();
}

NodeSource leaves_source(std::span<const Digest> leaves) {
  return [leaves](const Node& node) -> Result<Digest> {
    if (node.level < 0 || node.level > 63) return invalid("no such level");
    const std::uint64_t width = std::uint64_t{1} << node.level;
    if (node.index >= leaves.size() / width) {
      return fail(ErrorCode::not_found, "a node outside the tree");
    }
    return root_of(leaves.subspan(node.index * width, width));
  };
}

std::vector<Node> compact_range(std::uint64_t size) {
  std::vector<Node> nodes;
  std::uint64_t begin = 0;
  for (int level = 63; level >= 0; --level) {
    if (((size >> level) & 1) == 0) continue;
    nodes.push_back({level, begin >> level});
    begin += std::uint64_t{1} << level;
  }
  return nodes;
}

Result<Digest> root_at(std::uint64_t size, const NodeSource& source) {
  if (size == 0) return empty_root();
  return range_hash(0, size, source);
}

Result<ProofHashes> inclusion_proof(std::uint64_t index, std::uint64_t size,
                                    const NodeSource& source) {
  if (index >= size) return invalid("no such entry in a tree of this size");
  std::vector<Range> passed;
  Range at{0, size};
  while (at.end - at.begin > 1) {
    const std::uint64_t middle = at.begin + split(at.end - at.begin);
    if (index < middle) {
      passed.push_back({middle, at.end});
      at.end = middle;
    } else {
      passed.push_back({at.begin, middle});
      at.begin = middle;
    }
  }
  return hashes_upwards(passed, source);
}

Status verify_inclusion(std::uint64_t index, std::uint64_t size, const Digest& leaf,
                        std::span<const Digest> proof, const Digest& root) {
  if (index >= size) return invalid("inclusion proof: no such entry in a tree of this size");
  std::uint64_t fn = index;
  std::uint64_t sn = size - 1;
  Digest hash = leaf;
  for (const Digest& sibling : proof) {
    if (sn == 0) return invalid("inclusion proof: too long");
    if ((fn & 1) == 1 || fn == sn) {
      hash = node_hash(sibling, hash);
      skip_unpaired(fn, sn);
    } else {
      hash = node_hash(hash, sibling);
    }
    fn >>= 1;
    sn >>= 1;
  }
  if (sn != 0) return invalid("inclusion proof: too short");
  if (hash != root) return invalid("inclusion proof: it leads to another root");
  return ok();
}

Result<ProofHashes> consistency_proof(std::uint64_t from, std::uint64_t to,
                                      const NodeSource& source) {
  if (from > to) return invalid("a tree cannot be consistent with a smaller one");
  if (from == 0 || from == to) return ProofHashes();
  std::vector<Range> passed;
  Range at{0, to};
  // The way down to the last perfect subtree of the old tree.
  while (at.end != from) {
    const std::uint64_t middle = at.begin + split(at.end - at.begin);
    if (from <= middle) {
      passed.push_back({middle, at.end});
      at.end = middle;
    } else {
      passed.push_back({at.begin, middle});
      at.begin = middle;
    }
  }
  // The old tree itself is known to the verifier if it is one perfect subtree.
  if (at.begin != 0) passed.push_back(at);
  return hashes_upwards(passed, source);
}

Status verify_consistency(std::uint64_t from, std::uint64_t to, std::span<const Digest> proof,
                          const Digest& from_root, const Digest& to_root) {
  if (from > to) return invalid("consistency proof: the tree shrank");
  if (from == to || from == 0) {
    if (!proof.empty()) return invalid("consistency proof: should be empty");
    if (from == 0 && from_root != empty_root()) {
      return invalid("consistency proof: not the root of the empty tree");
    }
    if (from == to && from_root != to_root) {
      return invalid("consistency proof: two roots of one size");
    }
    return ok();
  }
  const bool perfect = std::has_single_bit(from);
  if (!perfect && proof.empty()) return invalid("consistency proof: empty");
  std::uint64_t fn = from - 1;
  std::uint64_t sn = to - 1;
  while ((fn & 1) == 1) {
    fn >>= 1;
    sn >>= 1;
  }
  Digest old_hash = perfect ? from_root : proof.front();
  Digest new_hash = old_hash;
  for (const Digest& sibling : perfect ? proof : proof.subspan(1)) {
    if (sn == 0) return invalid("consistency proof: too long");
    if ((fn & 1) == 1 || fn == sn) {
      old_hash = node_hash(sibling, old_hash);
      new_hash = node_hash(sibling, new_hash);
      skip_unpaired(fn, sn);
    } else {
      new_hash = node_hash(new_hash, sibling);
    }
    fn >>= 1;
    sn >>= 1;
  }
  if (sn != 0) return invalid("consistency proof: too short");
  if (old_hash != from_root) return invalid("consistency proof: not of the old tree");
  if (new_hash != to_root) return invalid("consistency proof: not of the new tree");
  return ok();
}

Result<Frontier> Frontier::from(std::uint64_t size, std::vector<Digest> hashes) {
  if (hashes.size() != static_cast<std::size_t>(std::popcount(size))) {
    return invalid("a frontier of this size has another number of hashes");
  }
  Frontier frontier;
  frontier.size_ = size;
  frontier.hashes_ = std::move(hashes);
  return frontier;
}

Result<Frontier> Frontier::from(std::uint64_t size, const NodeSource& source) {
  std::vector<Digest> hashes;
  for (const Node& node : compact_range(size)) {
    auto hash = source(node);
    if (!hash) return hash.error();
    hashes.push_back(*hash);
  }
  return from(size, std::move(hashes));
}

Result<Frontier> Frontier::parse(View bytes) {
  if (bytes.size() < 8) return invalid("a frontier starts with its size");
  const std::uint64_t size = get_u64be(bytes.data());
  if (bytes.size() != 8 + 32 * static_cast<std::size_t>(std::popcount(size))) {
    return invalid("a frontier of this size has another length");
  }
  auto hashes = std::vector<Digest>((bytes.size() - 8) / 32);
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const View hash = bytes.subspan(8 + 32 * i, 32);
    std::copy(hash.begin(), hash.end(), hashes[i].bytes.begin());
  }
  return from(size, std::move(hashes));
}

Bytes Frontier::serialise() const {
  Bytes out;
  put_u64be(out, size_);
  for (const Digest& hash : hashes_) out.insert(out.end(), hash.bytes.begin(), hash.bytes.end());
  return out;
}

void Frontier::append(const Digest& leaf) {
  Digest hash = leaf;
  // Like a carry in binary addition: each one-bit at the low end is a subtree to merge with.
  for (std::uint64_t rest = size_; (rest & 1) == 1; rest >>= 1) {
    hash = node_hash(hashes_.back(), hash);
    hashes_.pop_back();
  }
  hashes_.push_back(hash);
  ++size_;
}

Digest Frontier::root() const {
  if (hashes_.empty()) return empty_root();
  Digest hash = hashes_.back();
  for (std::size_t i = hashes_.size() - 1; i-- > 0;) hash = node_hash(hashes_[i], hash);
  return hash;
}

}  // namespace harambee::log
