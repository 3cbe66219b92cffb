// What a request of the Hugging Face API is about, read from its path.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/hf_catalog.h"

namespace harambee::hub {

struct HfTarget {
  enum class Kind {
    list,     // /api/models
    repo,     // /api/models/{space}/{name}[/{verb}/{rest…}]
    file,     // /[datasets/]{space}/{name}/{resolve|raw}/{rest…}
    lfs,      // /[datasets/]{space}/{name}.git/info/lfs/objects/batch
    gguf,     // /v2/{space}/{name}/manifests/{rest}: which GGUF llama.cpp takes
    account,  // /api/whoami-v2, /api/repos/…, /api/validate-yaml: `verb` is what follows /api/
    unknown,  // of the API, but nothing we have
  };
  Kind kind = Kind::unknown;
  HfName name;
  std::string verb;
  std::vector<std::string> rest;  // decoded parts
};

// None: the path is none of this API's, or cannot be decoded.
[[nodiscard]] std::optional<HfTarget> parse_hf_target(std::string_view path);

// The parts with '/' between them, from index `first`.
[[nodiscard]] std::string joined(const std::vector<std::string>& parts, std::size_t first);

}  // namespace harambee::hub
