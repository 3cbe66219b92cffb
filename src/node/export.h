// A run's model as the directory that Hugging Face tools read, with a card that says where it comes
// from and how to check it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "fold/state.h"
#include "format/gguf.h"
#include "node/replay.h"

namespace harambee::node {

struct ExportOptions {
  std::int64_t round = 0;  // weights at the opening of this round; closed rounds: the newest
  std::string url;         // of the run, for the card
  std::string dir;         // written, files replaced atomically
  std::function<void(std::int64_t, std::int64_t)> progress;  // rounds done and in all; may be empty
  std::optional<format::GgufType> gguf = std::nullopt;       // the model for llama.cpp too
};

struct Exported {
  Digest weights;  // what `sha256sum model.safetensors` prints
  std::uint64_t parameters = 0;
  std::int64_t round = 0;
  std::vector<std::string> files;
};

// config.json, generation_config.json, model.safetensors, README.md, tokenizer.json,
// tokenizer_config.json, and model-TYPE.gguf if it is wanted. invalid: no such round yet, or a void
// took its weights back. corrupt: the bytes do not lead to the digest on the log; nothing is
// written then.
[[nodiscard]] Result<Exported> export_model(const fold::LogState& log, const fold::RunState& run,
                                            const FetchBlob& blobs, const ExportOptions& options);

}  // namespace harambee::node
