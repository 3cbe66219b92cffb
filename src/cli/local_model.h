// A model's directory, as `harambee pull` writes it, and a trainer's work folder beside it.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "format/model.h"

namespace harambee::cli {

// The model that a directory describes, in the words of a recipe.
[[nodiscard]] Result<format::ModelConfig> read_config(const std::string& dir);

// A folder of our own that goes away again.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace harambee::cli
