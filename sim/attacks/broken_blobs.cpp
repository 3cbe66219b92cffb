#include "sim/attacks/broken_blobs.h"

#include <algorithm>

namespace harambee::attacks {
namespace {

// Places in the header (spec/delta.md §2).
constexpr std::size_t kVersion = 5, kKeep = 6, kParameters = 8, kExponent = 16, kReserved = 18;
constexpr std::size_t kBase = 20, kAuthor = 52, kBody = 84;

Bytes changed(View good, std::size_t at, std::uint8_t value) {
  Bytes out(good.begin(), good.end());
  out[at] = value;
  return out;
}

Bytes other(View good, std::size_t at) {
  return changed(good, at, static_cast<std::uint8_t>(good[at] ^ 0xFF));
}

Bytes with_exponent(View good, std::uint16_t exponent) {
  const Bytes low = changed(good, kExponent, static_cast<std::uint8_t>(exponent));
  return changed(low, kExponent + 1, static_cast<std::uint8_t>(exponent >> 8));
}

constexpr BrokenBlob kBroken[] = {
    {"nothing", "shorter than its header", [](View) { return Bytes{}; }},
    {"cut", "it ends too early", [](View good) { return Bytes(good.begin(), good.end() - 9); }},
    {"longer", "bytes after the last chunk",
     [](View good) {
       Bytes out(good.begin(), good.end());
       out.push_back(0);
       return out;
     }},
    {"other-format", "does not begin with", [](View good) { return other(good, 0); }},
    {"future-version", "unknown version", [](View good) { return changed(good, kVersion, 99); }},
    {"other-codec", "another codec", [](View good) { return changed(good, 4, 5); }},
    {"keeps-more", "another number of kept values", [](View good) { return other(good, kKeep); }},
    // A few bytes that claim 2^40 and more parameters.
    {"bomb", "another number of parameters",
     [](View good) { return changed(good, kParameters + 5, 0xFF); }},
    {"infinite-scale", "exponent is out of range",
     [](View good) { return with_exponent(good, 0x7FFF); }},
    {"denormal-scale", "exponent is out of range",
     [](View good) { return with_exponent(good, 0x8000); }},
    {"reserved", "reserved bytes", [](View good) { return changed(good, kReserved, 1); }},
    {"stale-base", "another base", [](View good) { return other(good, kBase); }},
    {"other-author", "another author", [](View good) { return other(good, kAuthor); }},
    // A first gap beyond the chunk: 72 ones mean 72 · 2^6 > 4096 where `keep` is at most 62.
    {"far-place", "outside its chunk",
     [](View good) {
       Bytes out(good.begin(), good.end());
       std::fill_n(out.begin() + kBody + 2, 10, std::uint8_t{0xFF});
       return out;
     }},
};

}  // namespace

std::span<const BrokenBlob> broken_blobs() { return kBroken; }

}  // namespace harambee::attacks
