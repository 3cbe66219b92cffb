// The trees that the tests share: RFC 6962's test entries, and the log of trust-vectors.json.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "log/merkle.h"

namespace harambee::log::test {

inline Digest digest(const std::string& digits) { return *Digest::from_hex(digits); }

inline const nlohmann::json& vectors() {
  static const nlohmann::json all = [] {
    std::ifstream file(HARAMBEE_VECTORS "/trust-vectors.json");
    return nlohmann::json::parse(file);
  }();
  return all;
}

// Entry i of the vectors' log.
inline std::string entry(std::uint64_t i) {
  return "record " + std::to_string(i) + " " + std::string(i % 97, 'x');
}

// Leaf hashes 0 … 69999 of the vectors' log.
inline const std::vector<Digest>& leaves() {
  static const std::vector<Digest> all = [] {
    std::vector<Digest> out;
    for (std::uint64_t i = 0; i < 70'000; ++i) out.push_back(leaf_hash(view(entry(i))));
    return out;
  }();
  return all;
}

inline std::span<const Digest> first(std::uint64_t n) { return std::span(leaves()).first(n); }

inline ProofHashes proof_of(const nlohmann::json& hashes) {
  ProofHashes out;
  for (const std::string hash : hashes) out.push_back(digest(hash));
  return out;
}

// RFC 6962 §2.1 as it is written, to compare with.
inline Digest slow_root(std::span<const Digest> leaves) {
  if (leaves.empty()) return empty_root();
  if (leaves.size() == 1) return leaves.front();
  std::size_t k = 1;
  while (2 * k < leaves.size()) k *= 2;
  return node_hash(slow_root(leaves.first(k)), slow_root(leaves.subspan(k)));
}

}  // namespace harambee::log::test
