// C2SP signed-note v1: a text and the signatures over it (spec/log.md).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/sign.h"

namespace harambee::log {

inline constexpr std::size_t kNoteBytesMax = 64 * 1024;
inline constexpr std::size_t kNoteSignaturesMax = 64;
inline constexpr std::size_t kNoteNameBytesMax = 255;

enum class NoteKeyType : std::uint8_t { ed25519 = 0x01, cosignature_v1 = 0x04 };
using NoteKeyId = std::array<std::uint8_t, 4>;

// First 4 bytes of SHA-256(name ‖ LF ‖ type ‖ key).
[[nodiscard]] NoteKeyId note_key_id(std::string_view name, NoteKeyType type, const PublicKey& key);
// Not empty, no white space, no '+', valid UTF-8, no control characters.
[[nodiscard]] bool is_note_name(std::string_view name);

// Who may sign: "name+hex8(id)+base64(type ‖ key)".
struct VerifierKey {
  std::string name;
  NoteKeyType type = NoteKeyType::ed25519;
  PublicKey key;

  bool operator==(const VerifierKey&) const = default;
  [[nodiscard]] NoteKeyId id() const { return note_key_id(name, type, key); }
  [[nodiscard]] std::string str() const;
  // Refuses a key id that does not fit, and types other than the two above.
  [[nodiscard]] static Result<VerifierKey> parse(std::string_view text);
};

// Go's signer file, "PRIVATE+KEY+name+hex8(id)+base64(0x01 ‖ seed)".
struct NoteSigner {
  std::string name;
  SecretKey key;

  [[nodiscard]] VerifierKey verifier(NoteKeyType type = NoteKeyType::ed25519) const {
    return {name, type, key.public_key()};
  }
  [[nodiscard]] static Result<NoteSigner> parse(std::string_view text);
};

struct NoteSignature {
  std::string name;
  NoteKeyId id{};
  Bytes signature;  // what follows the id: 64 bytes for Ed25519, time ‖ 64 for cosignature/v1
  bool operator==(const NoteSignature&) const = default;
};

struct Note {
  std::string text;  // ends in LF
  std::vector<NoteSignature> signatures;
  bool operator==(const Note&) const = default;
  // The bytes: text ‖ LF ‖ "— name base64(id ‖ signature)" LF …
  [[nodiscard]] std::string str() const;
};

// Signatures are not checked. Refuses anything that str() would write differently.
[[nodiscard]] Result<Note> parse_note(View bytes);

// Adds an Ed25519 signature over note.text.
void sign_note(Note& note, const NoteSigner& signer);
// not_found: no line of that key. invalid: there is one, and it is false.
[[nodiscard]] Status verify_note(const Note& note, const VerifierKey& key);

}  // namespace harambee::log
