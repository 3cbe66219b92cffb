// Tile paths, bundles, tiles, frontiers and receipts; and proofs with the fuzzer's hashes. The
// first byte picks the parser.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "log/merkle.h"
#include "log/proof.h"
#include "log/tile.h"

namespace {

using namespace harambee;

void proofs(View input) {
  if (input.size() < 16) return;
  const std::uint64_t a = get_u64be(input.data()), b = get_u64be(input.data() + 8);
  log::ProofHashes hashes;
  for (std::size_t at = 16; at + 32 <= input.size(); at += 32) {
    std::copy_n(input.begin() + static_cast<std::ptrdiff_t>(at), 32,
                hashes.emplace_back().bytes.begin());
  }
  const Digest target = sha256(input);
  // No proof may lead to a root that has nothing to do with it.
  HARAMBEE_CHECK(!log::verify_inclusion(a, b, Digest{}, hashes, target).ok());
  if (a != b && a != 0) {
    HARAMBEE_CHECK(!log::verify_consistency(a, b, hashes, Digest{}, target).ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const View input(data + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      if (const auto tile = log::parse_tile_path(text(input))) {
        HARAMBEE_CHECK(log::tile_path(*tile) == text(input));
      }
      break;
    case 1:
      for (const int width : {1, 2, 3, 256}) {
        if (const auto entries = log::parse_bundle(input, width)) {
          HARAMBEE_CHECK(text(log::encode_bundle(*entries)) == text(input));
        }
        if (const auto hashes = log::parse_tile(input, width)) {
          HARAMBEE_CHECK(text(log::encode_tile(*hashes)) == text(input));
        }
      }
      break;
    case 2:
      if (const auto frontier = log::Frontier::parse(input)) {
        HARAMBEE_CHECK(text(frontier->serialise()) == text(input));
        static_cast<void>(frontier->root());
      }
      break;
    case 3:
      if (const auto proof = log::Proof::parse(input)) {
        HARAMBEE_CHECK(proof->str() == text(input));
      }
      break;
    default:
      proofs(input);
  }
  return 0;
}
