// Answers as Hugging Face clients read them: errors with X-Error-Code, files with ETag, ranges and
// commit ids. Only for hub/hf_*.cpp.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "hub/hf_catalog.h"
#include "hub/http.h"
#include "hub/weights_cache.h"

namespace harambee::hub {

[[nodiscard]] HttpResponse hf_json(int status, const Json& value);
// `code`: RepoNotFound, RevisionNotFound, EntryNotFound, or "" for errors of no such kind.
[[nodiscard]] HttpResponse hf_error(int status, std::string_view code, const std::string& message);
// 503: what failed for now, and to be asked again in some seconds.
[[nodiscard]] HttpResponse hf_not_now(const Error& error);
[[nodiscard]] HttpResponse with_header(HttpResponse response, std::string name, std::string value);
// "http://host" as the client reaches us (Host, X-Forwarded-Proto).
[[nodiscard]] std::string endpoint_of(const HttpRequest& request);

// Answers with the digests of all files, which waits for a GGUF to be made; one that cannot be made
// here is left out.
[[nodiscard]] HttpResponse with_digests(const std::shared_ptr<const HfTree>& tree,
                                        WeightsCache& weights,
                                        std::function<HttpResponse(const HfTree&)> answer);

// The file of a /resolve/ request: GET, HEAD, one Range. Waits for weights that must be computed.
[[nodiscard]] HttpResponse serve_file(const HttpRequest& request, const HfTree& tree,
                                      const HfFile& file, BlobShelf& blobs, WeightsCache& weights);

}  // namespace harambee::hub
