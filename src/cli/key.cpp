#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "cli/setup.h"
#include "cli/verbs.h"
#include "store/file.h"

namespace harambee::cli {
namespace {

std::string file_of(const KeyOptions& options) {
  return options.file.empty() ? default_key_file().string() : options.file;
}

Exit show(const std::string& file, const SecretKey& key, Ui& ui) {
  std::string id = key.id().hex();
  std::string public_key = hex(key.public_key().bytes);
  ui.line(fmt::format("key id     {}", ui.bold(id)));
  ui.line(fmt::format("public key {}", public_key));
  ui.line(fmt::format("file       {}", file));
  ui.event({{"key", id}, {"public_key", public_key}, {"file", file}});
  return kOk;
}

}  // namespace

Exit key_new(const KeyOptions& options, Ui& ui) {
  std::string file = file_of(options);
  std::error_code error;
  if (std::filesystem::exists(file, error)) {
    return ui.fail(kConflict, file + " is there already",
                   {"that key", "give another file name, or `harambee key show` to see it"});
  }
  SecretKey key = SecretKey::generate();
  Status written = store::write_file_atomic(file, view(key.to_pem()), 0600);
  if (!written) return ui.fail(written.error(), {"", "give a file in a folder you may write to"});
  return show(file, key, ui);
}

Exit key_show(const KeyOptions& options, Ui& ui) {
  std::string file = file_of(options);
  Result<SecretKey> key = load_key(file);
  if (!key) return ui.fail(key.error(), {"", "`harambee key new` makes a key"});
  return show(file, *key, ui);
}

}  // namespace harambee::cli
