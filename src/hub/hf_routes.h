// The Hugging Face API (spec/huggingface.md): requests in, responses out, as values.
#pragma once

#include <memory>
#include <optional>

#include "hub/hf_catalog.h"
#include "hub/hf_last_commit.h"
#include "hub/hf_target.h"
#include "hub/hf_writer.h"
#include "hub/http.h"
#include "hub/weights_cache.h"

namespace harambee::hub {

// What it borrows outlives it. Called from the I/O thread.
class HfRoutes {
 public:
  HfRoutes(HfCatalog& catalog, BlobShelf& blobs, WeightsCache& weights, HfWriter& writer)
      : catalog_(catalog), blobs_(blobs), weights_(weights), writer_(writer) {}

  // None: the request is not for this API.
  [[nodiscard]] std::optional<BodyPlan> plan(const HttpRequest& head);
  [[nodiscard]] std::optional<HttpResponse> handle(const HttpRequest& request);

 private:
  // A revision that was asked for: the repository, the commit and its files.
  struct Found {
    HfRepo repo;
    HfCommit commit;
    std::shared_ptr<const HfTree> tree;
  };
  [[nodiscard]] std::variant<HfRepo, HttpResponse> find_repo(const HfName& name) const;
  [[nodiscard]] std::variant<Found, HttpResponse> find(const HfName& name,
                                                       const std::string& revision);

  [[nodiscard]] HttpResponse list(const HttpRequest& request, HfType type);
  [[nodiscard]] HttpResponse repo(const HttpRequest& request, const HfTarget& target);
  [[nodiscard]] HttpResponse info(const HttpRequest& request, const HfTarget& target,
                                  const std::string& revision);
  [[nodiscard]] HttpResponse tree(const HttpRequest& request, const HfTarget& target);
  [[nodiscard]] static HttpResponse tree_page(const HttpRequest& request, const HfTarget& target,
                                              const HfTree& files, const HfLastCommits& last);
  [[nodiscard]] Result<HfLastCommits> last_commits(const Found& at, bool asked);
  [[nodiscard]] HttpResponse paths_info(const HttpRequest& request, const HfTarget& target);
  [[nodiscard]] HttpResponse gguf_manifest(const HfTarget& target);
  [[nodiscard]] HttpResponse commits(const HttpRequest& request, const HfTarget& target);
  [[nodiscard]] HttpResponse file(const HttpRequest& request, const HfTarget& target);

  HfCatalog& catalog_;
  BlobShelf& blobs_;
  WeightsCache& weights_;
  HfWriter& writer_;
};

}  // namespace harambee::hub
