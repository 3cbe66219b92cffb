// Uploads of Hugging Face clients: accounts, new repositories, large files, commits. Each becomes a
// record that is signed with the token's own key (spec/huggingface.md §3, §4).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/hash.h"
#include "base/sign.h"
#include "hub/blob_routes.h"
#include "hub/hf_catalog.h"
#include "hub/hf_requests.h"
#include "hub/hf_target.h"
#include "hub/http.h"
#include "hub/order.h"
#include "hub/sequencer.h"
#include "hub/uncommitted.h"
#include "hub/upload_links.h"
#include "port/clock.h"

namespace harambee::hub {

struct HfWriterLimits {
  std::uint64_t commit_bytes_max = 192u << 20;  // of one request
  unsigned commits_at_once = 4;                 // requests whose bodies are held in memory
  std::uint64_t regular_bytes_max = 64u << 20;  // larger files are uploaded on their own
  std::uint64_t regular_sum_max = 128u << 20;   // of one preupload request
  std::uint64_t owner_bytes_max = 64ull << 30;  // all that one owner may keep here
  std::uint64_t file_bytes_max = 64ull << 30;
  std::uint64_t part_bytes_min = 64u << 20;    // larger files travel in parts, if the client can
  std::uint64_t parts_max = 1000;              // of one file; they grow instead
  std::int64_t link_ms = 24LL * 3600 * 1000;   // how long an upload may take to begin
  std::int64_t sweep_ms = 24LL * 3600 * 1000;  // between two looks for uploads to throw away
  UncommittedLimits uncommitted;
};

// What a token says of who sends it.
struct HfAccount {
  SecretKey key;  // the token's
  KeyId owner;
  std::string space;
  std::string token_name;
  std::uint64_t bytes = 0;  // that the owner's revisions have brought
};

class HfWriter {
 public:
  struct Parts {
    HfCatalog& catalog;
    const LogFolder& log;
    Sequencer& sequencer;
    Order& order;
    BlobRoutes& blob_routes;
    BlobShelf& blobs;
    UploadLedger& uploads;
    Clock& clock;
    std::string origin;
    std::function<void()> wake;
  };
  HfWriter(HfWriterLimits limits, Parts parts);
  ~HfWriter();

  // How the body of a request for `target` is taken; none: as for other requests.
  [[nodiscard]] std::optional<BodyPlan> plan(const HttpRequest& head, const HfTarget& target);
  // Begins to throw away uploads that nobody commits, once a day, in a thread of its own. To be
  // called now and then; cheap.
  void look_after_uploads();
  // None: it is no request that writes.
  [[nodiscard]] std::optional<HttpResponse> handle(const HttpRequest& request,
                                                   const HfTarget& target);

 private:
  class CommitSink;
  struct Worker;
  using Account = std::variant<HfAccount, HttpResponse>;

  [[nodiscard]] Account account(const HttpRequest& request) const;
  // Who may write to a repository, and the repository.
  struct Writing {
    HfAccount me;
    HfRepo repo;
  };
  [[nodiscard]] std::variant<Writing, HttpResponse> writer_of(const HttpRequest& request,
                                                              const HfName& name) const;
  // None: neither a model nor a data set.
  [[nodiscard]] static std::optional<HfName> asked_name(const HfCreate& wanted,
                                                        const std::string& own_space);
  [[nodiscard]] HttpResponse who(const HttpRequest& request) const;
  [[nodiscard]] HttpResponse create(const HttpRequest& request);
  [[nodiscard]] HttpResponse drop(const HttpRequest& request);
  [[nodiscard]] HttpResponse change_ref(const HttpRequest& request, const HfTarget& target);
  [[nodiscard]] HttpResponse settings(const HttpRequest& request, const HfTarget& target) const;
  [[nodiscard]] HttpResponse preupload(const HttpRequest& request, const HfTarget& target);
  [[nodiscard]] HttpResponse batch(const HttpRequest& request, const HfTarget& target);
  [[nodiscard]] JsonObject batch_object(const HttpRequest& request, const HfAccount& account,
                                        const HfLfsObject& object, std::uint64_t part_bytes);
  [[nodiscard]] std::uint64_t part_bytes(const HfLfsBatch& batch, const HfLfsObject& object) const;
  [[nodiscard]] HttpResponse complete(const HttpRequest& request, const HfTarget& target) const;
  [[nodiscard]] BodyPlan plan_upload(const HttpRequest& head, const HfTarget& target);
  [[nodiscard]] BodyPlan plan_commit(const HttpRequest& head, const HfTarget& target);
  // A commit whose body is on its way.
  struct Commit {
    HfAccount account;
    HfName name;
    std::string branch;
    std::string endpoint;
    std::shared_ptr<void> slot;
  };
  [[nodiscard]] HttpResponse commit(Commit commit, Bytes body);
  [[nodiscard]] HttpResponse when_logged(HfAccount account, Payload draft,
                                         std::function<HttpResponse(const Receipt&)> answer);
  [[nodiscard]] Result<bool> take_quota(const HfAccount& account, const HfLfsObject& object);

  const HfWriterLimits limits_;
  Parts parts_;
  UploadLinks links_;
  Uncommitted uncommitted_;
  std::int64_t next_sweep_ms_ = 0;
  std::shared_ptr<unsigned> commits_ = std::make_shared<unsigned>(0);  // bodies in memory
  std::unique_ptr<Worker> worker_;
};

}  // namespace harambee::hub
