#include "log/checkpoint.h"

#include <algorithm>

#include "base/check.h"
#include "base/encoding.h"
#include "log/text.h"

namespace harambee::log {
namespace {

constexpr std::size_t kTimeBytes = 8;

std::string cosigned_text(std::uint64_t unix_s, std::string_view text) {
  return "cosignature/v1\ntime " + std::to_string(unix_s) + '\n' + std::string(text);
}

}  // namespace

std::string Checkpoint::text() const {
  std::string out = origin + '\n' + std::to_string(size) + '\n' + base64(root.view()) + '\n';
  for (const std::string& line : extensions) out += line + '\n';
  return out;
}

Result<Checkpoint> Checkpoint::parse(std::string_view text) {
  Checkpoint out;
  const auto origin = take_line(text);
  if (!origin || origin->empty()) return invalid("a checkpoint without an origin");
  const auto size_line = take_line(text);
  const auto size = size_line ? parse_decimal(*size_line) : std::nullopt;
  if (!size) return invalid("a checkpoint without a size");
  const auto root_line = take_line(text);
  const auto root = root_line ? parse_hash(*root_line) : std::nullopt;
  if (!root) return invalid("a checkpoint without a root");
  out.origin = *origin;
  out.size = *size;
  out.root = *root;
  while (!text.empty()) {
    const auto line = take_line(text);
    if (!line || line->empty()) return invalid("a checkpoint with an empty line");
    out.extensions.emplace_back(*line);
  }
  return out;
}

std::string sign_checkpoint(const Checkpoint& checkpoint, const SecretKey& key) {
  Note note{checkpoint.text(), {}};
  sign_note(note, {checkpoint.origin, key});
  return note.str();
}

Result<SignedCheckpoint> open_checkpoint(View bytes, const VerifierKey& key) {
  auto note = parse_note(bytes);
  if (!note) return note.error();
  auto checkpoint = Checkpoint::parse(note->text);
  if (!checkpoint) return checkpoint.error();
  if (checkpoint->origin != key.name) {
    return invalid("a checkpoint of another log: " + checkpoint->origin);
  }
  if (Status verified = verify_note(*note, key); !verified) return verified.error();
  return SignedCheckpoint{*std::move(checkpoint), *std::move(note)};
}

void cosign(Note& checkpoint, const NoteSigner& witness, std::uint64_t unix_s) {
  HARAMBEE_CHECK(is_note_name(witness.name));
  const Signature signature = witness.key.sign(view(cosigned_text(unix_s, checkpoint.text)));
  Bytes blob;
  put_u64be(blob, unix_s);
  blob.insert(blob.end(), signature.bytes.begin(), signature.bytes.end());
  checkpoint.signatures.push_back(
      {witness.name, witness.verifier(NoteKeyType::cosignature_v1).id(), std::move(blob)});
}

Result<std::uint64_t> verify_cosignature(const Note& checkpoint, const VerifierKey& key) {
  HARAMBEE_CHECK(key.type == NoteKeyType::cosignature_v1);
  const NoteKeyId id = key.id();
  std::uint64_t latest = 0;
  bool found = false;
  for (const NoteSignature& line : checkpoint.signatures) {
    if (line.name != key.name || line.id != id) continue;
    Signature signature;
    if (line.signature.size() != kTimeBytes + signature.bytes.size()) {
      return invalid("a cosignature of another length");
    }
    const std::uint64_t unix_s = get_u64be(line.signature.data());
    std::copy(line.signature.begin() + kTimeBytes, line.signature.end(), signature.bytes.begin());
    if (!verify(key.key, view(cosigned_text(unix_s, checkpoint.text)), signature)) {
      return invalid("the cosignature of " + key.name + " is false");
    }
    latest = std::max(latest, unix_s);
    found = true;
  }
  if (!found) return fail(ErrorCode::not_found, "not cosigned by " + key.name);
  return latest;
}

}  // namespace harambee::log
