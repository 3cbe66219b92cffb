#include "log/note.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/encoding.h"
#include "base/hash.h"

namespace harambee::log {
namespace {

constexpr std::string_view kSignaturePrefix = "\u2014 ";  // an em dash
constexpr std::string_view kSignerPrefix = "PRIVATE+KEY+";
constexpr std::size_t kTypeAndKeyBytes = 33;

// One character of UTF-8 off the front of `rest`, or none if it is malformed.
std::optional<char32_t> take_character(std::string_view& rest) {
  const auto byte = [&](std::size_t i) {
    return i < rest.size() ? static_cast<unsigned char>(rest[i]) : 0u;
  };
  const unsigned lead = byte(0);
  std::size_t length = 1;
  char32_t value = lead;
  if (lead >= 0x80) {
    length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    value = lead & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
      if ((byte(i) & 0xc0) != 0x80) return std::nullopt;
      value = value << 6 | (byte(i) & 0x3f);
    }
    constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = value >= 0xd800 && value <= 0xdfff;
    if (lead < 0xc0 || lead > 0xf4 || value < kLeast[length] || value > 0x10ffff || surrogate) {
      return std::nullopt;
    }
  }
  rest.remove_prefix(length);
  return value;
}

bool is_control(char32_t c) { return c < 0x20; }

// Unicode's White_Space, as Go's unicode.IsSpace has it.
bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

// UTF-8 without control characters other than LF.
bool is_note_text(std::string_view text) {
  while (!text.empty()) {
    const auto c = take_character(text);
    if (!c || (is_control(*c) && *c != '\n')) return false;
  }
  return true;
}

Bytes type_and_key(NoteKeyType type, const PublicKey& key) {
  Bytes out;
  out.reserve(kTypeAndKeyBytes);
  out.push_back(static_cast<std::uint8_t>(type));
  out.insert(out.end(), key.bytes.begin(), key.bytes.end());
  return out;
}

// name, 8 hex digits, base64 of a type and 32 bytes: what vkeys and signer files share.
struct KeyText {
  std::string_view name;
  std::string_view id;
  NoteKeyType type{};
  std::array<std::uint8_t, 32> key{};
};

Result<KeyText> parse_key_text(std::string_view text) {
  const Error bad = invalid("not a note key: name+id+key");
  if (text.size() > kNoteNameBytesMax + 64) return bad;
  const std::size_t first = text.find('+');
  if (first == text.npos) return bad;
  const std::size_t second = text.find('+', first + 1);
  if (second == text.npos) return bad;
  KeyText out{text.substr(0, first), text.substr(first + 1, second - first - 1), {}, {}};
  auto key = from_base64(text.substr(second + 1));
  if (!key || key->size() != kTypeAndKeyBytes || !is_note_name(out.name)) return bad;
  out.type = static_cast<NoteKeyType>(key->front());
  if (out.type != NoteKeyType::ed25519 && out.type != NoteKeyType::cosignature_v1) {
    return invalid("a note key of an unknown type");
  }
  std::copy(key->begin() + 1, key->end(), out.key.begin());
  return out;
}

Result<NoteSignature> parse_signature_line(std::string_view line) {
  const Error bad = invalid("not a signature line of a note");
  if (!line.starts_with(kSignaturePrefix)) return bad;
  line.remove_prefix(kSignaturePrefix.size());
  const std::size_t space = line.find(' ');
  if (space == line.npos || !is_note_name(line.substr(0, space))) return bad;
  auto blob = from_base64(line.substr(space + 1));
  if (!blob || blob->size() < 5) return bad;
  NoteSignature out;
  out.name = line.substr(0, space);
  std::copy_n(blob->begin(), out.id.size(), out.id.begin());
  out.signature.assign(blob->begin() + 4, blob->end());
  return out;
}

}  // namespace

NoteKeyId note_key_id(std::string_view name, NoteKeyType type, const PublicKey& key) {
  const Digest digest = sha256({view(name), view("\n"), type_and_key(type, key)});
  NoteKeyId id;
  std::copy_n(digest.bytes.begin(), id.size(), id.begin());
  return id;
}

bool is_note_name(std::string_view name) {
  if (name.empty() || name.size() > kNoteNameBytesMax) return false;
  while (!name.empty()) {
    const auto c = take_character(name);
    if (!c || is_control(*c) || is_space(*c) || *c == '+') return false;
  }
  return true;
}

std::string VerifierKey::str() const {
  return name + '+' + hex(id()) + '+' + base64(type_and_key(type, key));
}

Result<VerifierKey> VerifierKey::parse(std::string_view text) {
  auto parts = parse_key_text(text);
  if (!parts) return parts.error();
  VerifierKey key{std::string(parts->name), parts->type, {parts->key}};
  if (hex(key.id()) != parts->id) return invalid("a note key whose id does not fit");
  return key;
}

Result<NoteSigner> NoteSigner::parse(std::string_view text) {
  if (!text.starts_with(kSignerPrefix)) return invalid("not a note signer's key");
  auto parts = parse_key_text(text.substr(kSignerPrefix.size()));
  if (!parts) return parts.error();
  if (parts->type != NoteKeyType::ed25519) return invalid("a note signer of another type");
  NoteSigner signer{std::string(parts->name), SecretKey::from_seed(parts->key)};
  if (hex(signer.verifier().id()) != parts->id) return invalid("a note key whose id does not fit");
  return signer;
}

std::string Note::str() const {
  std::string out = text + '\n';
  for (const NoteSignature& line : signatures) {
    Bytes blob(line.id.begin(), line.id.end());
    blob.insert(blob.end(), line.signature.begin(), line.signature.end());
    out.append(kSignaturePrefix).append(line.name).append(" ").append(base64(blob)).append("\n");
  }
  return out;
}

Result<Note> parse_note(View bytes) {
  if (bytes.size() > kNoteBytesMax) return fail(ErrorCode::limit, "a note that is too large");
  const std::string_view all = text(bytes);
  if (!is_note_text(all)) return invalid("a note that is not plain UTF-8");
  const std::size_t split = all.rfind("\n\n");
  if (split == all.npos) return invalid("a note without signatures");
  Note note;
  note.text = all.substr(0, split + 1);
  std::string_view rest = all.substr(split + 2);
  if (rest.empty()) return invalid("a note without signatures");
  if (!rest.ends_with('\n')) return invalid("a note without its final line end");
  while (!rest.empty()) {
    if (note.signatures.size() == kNoteSignaturesMax) {
      return fail(ErrorCode::limit, "a note with too many signatures");
    }
    const std::size_t end = rest.find('\n');
    auto line = parse_signature_line(rest.substr(0, end));
    if (!line) return line.error();
    note.signatures.push_back(*std::move(line));
    rest.remove_prefix(end + 1);
  }
  return note;
}

void sign_note(Note& note, const NoteSigner& signer) {
  HARAMBEE_CHECK(note.text.ends_with('\n') && is_note_name(signer.name));
  const Signature signature = signer.key.sign(view(note.text));
  note.signatures.push_back(
      {signer.name, signer.verifier().id(), Bytes(signature.bytes.begin(), signature.bytes.end())});
}

Status verify_note(const Note& note, const VerifierKey& key) {
  HARAMBEE_CHECK(key.type == NoteKeyType::ed25519);
  const NoteKeyId id = key.id();
  bool found = false;
  for (const NoteSignature& line : note.signatures) {
    if (line.name != key.name || line.id != id) continue;
    Signature signature;
    if (line.signature.size() != signature.bytes.size()) {
      return invalid("a note signature of another length");
    }
    std::ranges::copy(line.signature, signature.bytes.begin());
    if (!verify(key.key, view(note.text), signature)) {
      return invalid("the signature of " + key.name + " is false");
    }
    found = true;
  }
  if (!found) return fail(ErrorCode::not_found, "not signed by " + key.name);
  return ok();
}

}  // namespace harambee::log
