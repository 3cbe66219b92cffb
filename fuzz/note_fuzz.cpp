// Signed notes, checkpoints and key texts: what is accepted is exactly what is written.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "log/checkpoint.h"
#include "log/note.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace harambee;
  static const SecretKey secret = SecretKey::from_seed({1});
  const View input(data, size);
  if (const auto note = log::parse_note(input)) {
    HARAMBEE_CHECK(note->str() == text(input));
    HARAMBEE_CHECK(!note->signatures.empty());
    for (const log::NoteSignature& line : note->signatures) {
      const log::VerifierKey log_key{line.name, log::NoteKeyType::ed25519, secret.public_key()};
      const log::VerifierKey witness{line.name, log::NoteKeyType::cosignature_v1,
                                     secret.public_key()};
      static_cast<void>(log::verify_note(*note, log_key));
      static_cast<void>(log::verify_cosignature(*note, witness));
      static_cast<void>(log::open_checkpoint(input, log_key));
    }
  }
  if (const auto checkpoint = log::Checkpoint::parse(text(input))) {
    HARAMBEE_CHECK(checkpoint->text() == text(input));
  }
  if (const auto key = log::VerifierKey::parse(text(input))) {
    HARAMBEE_CHECK(key->str() == text(input));
  }
  static_cast<void>(log::NoteSigner::parse(text(input)));
  return 0;
}
