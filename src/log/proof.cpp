#include "log/proof.h"

#include "base/encoding.h"
#include "log/text.h"

namespace harambee::log {
namespace {

constexpr std::string_view kHeader = "c2sp.org/tlog-proof@v1";
constexpr std::string_view kExtra = "extra ";
constexpr std::string_view kIndex = "index ";
constexpr std::size_t kProofBytesMax = 2 * kNoteBytesMax;

}  // namespace

std::string Proof::str() const {
  std::string out = std::string(kHeader) + '\n';
  if (extra) out.append(kExtra).append(base64(*extra)).append("\n");
  out.append(kIndex).append(std::to_string(index)).append("\n");
  for (const Digest& hash : hashes) out.append(base64(hash.view())).append("\n");
  return out.append("\n").append(checkpoint);
}

Result<Proof> Proof::parse(View bytes) {
  if (bytes.size() > kProofBytesMax) return fail(ErrorCode::limit, "a proof that is too large");
  std::string_view rest = text(bytes);
  if (take_line(rest) != kHeader) return invalid("not a tlog-proof@v1");
  Proof proof;
  auto line = take_line(rest);
  if (line && line->starts_with(kExtra)) {
    auto extra = from_base64(line->substr(kExtra.size()));
    if (!extra) return wrap(extra.error(), "a proof's extra data");
    proof.extra = *std::move(extra);
    line = take_line(rest);
  }
  const bool has_index = line && line->starts_with(kIndex);
  const auto index = has_index ? parse_decimal(line->substr(kIndex.size())) : std::nullopt;
  if (!index) return invalid("a proof without an index");
  proof.index = *index;
  for (line = take_line(rest); line && !line->empty(); line = take_line(rest)) {
    if (proof.hashes.size() == kProofHashesMax) {
      return fail(ErrorCode::limit, "a proof with too many hashes");
    }
    const auto hash = parse_hash(*line);
    if (!hash) return invalid("a proof's line that is not a hash");
    proof.hashes.push_back(*hash);
  }
  if (!line) return invalid("a proof without a checkpoint");
  proof.checkpoint = rest;
  return proof;
}

Result<SignedCheckpoint> verify_proof(const Proof& proof, View entry, const VerifierKey& key) {
  auto opened = open_checkpoint(view(proof.checkpoint), key);
  if (!opened) return opened;
  const Checkpoint& checkpoint = opened->checkpoint;
  Status included = verify_inclusion(proof.index, checkpoint.size, leaf_hash(entry), proof.hashes,
                                     checkpoint.root);
  if (!included) return included.error();
  return opened;
}

}  // namespace harambee::log
