#include "hub/hf_writer.h"

#include <algorithm>

#include "hub/hf_answers.h"
#include "hub/hf_commit.h"
#include "hub/hf_commit_worker.h"
#include "hub/hf_named.h"
#include "hub/hf_text.h"
#include "hub/hf_token.h"
#include "hub/token_post.h"

namespace harambee::hub {
namespace {

constexpr std::int64_t kLoggedMsMax = 60'000;
constexpr std::string_view kUploadVerb = "lfs-upload/";

BodyPlan refuse(HttpResponse response) {
  BodyPlan plan;
  plan.refusal = std::move(response);
  return plan;
}

HttpResponse no_account() {
  return hf_error(401, "", "Invalid credentials in Authorization header");
}

std::string_view query_of(const HttpRequest& request) {
  const std::string_view target = request.target;
  const auto mark = target.find('?');
  return mark == target.npos ? std::string_view() : target.substr(mark + 1);
}

// The branch that a commit is for, or why there is none.
std::variant<std::string, HttpResponse> branch_of(const HttpRequest& request,
                                                  const HfTarget& target, const HfRepo& repo) {
  const FormFields fields = parse_form(query_of(request));
  const std::string pull = value_of(fields, "create_pr");
  if (!pull.empty() && pull != "0" && pull != "false") {
    return hf_error(501, "", "this hub has no pull requests; commit to a branch");
  }
  constexpr std::string_view full = "refs/heads/";
  std::string branch = joined(target.rest, 0);
  if (branch.starts_with(full)) branch.erase(0, full.size());
  if (repo.head(branch) != nullptr) return branch;
  return hf_error(404, "RevisionNotFound", "no branch " + branch + " of " + repo.name.id());
}

HttpResponse of_rejection(const Rejection& no) {
  HttpResponse response = hf_error(no.status, "", no.reason);
  if (no.status == 429 || no.status == 503) {
    response.headers.emplace_back("Retry-After", "1");
  }
  return response;
}

std::string url_of(const std::string& endpoint, const HfName& name) {
  return endpoint + "/" + prefix(name.type) + name.id();
}

}  // namespace

// Takes a commit's body into memory; a commit holds one of the few slots until it is answered.
class HfWriter::CommitSink : public BodySink {
 public:
  CommitSink(HfWriter& writer, Commit commit) : writer_(writer), commit_(std::move(commit)) {}

  Status write(View bytes) override {
    if (body_.size() + bytes.size() > writer_.limits_.commit_bytes_max) {
      return fail(ErrorCode::limit, "the commit is larger than this hub takes at once");
    }
    body_.insert(body_.end(), bytes.begin(), bytes.end());
    return ok();
  }
  HttpResponse finish() override { return writer_.commit(std::move(commit_), std::move(body_)); }
  HttpResponse failed(const Error& error) override { return hf_error(413, "", error.message); }

 private:
  HfWriter& writer_;
  Commit commit_;
  Bytes body_;
};

struct HfWriter::Worker : HfCommitWorker {
  using HfCommitWorker::HfCommitWorker;
};

HfWriter::HfWriter(HfWriterLimits limits, Parts parts)
    : limits_(limits),
      parts_(std::move(parts)),
      uncommitted_(limits_.uncommitted, parts_.uploads, parts_.blobs),
      worker_(std::make_unique<Worker>(
          parts_.catalog, parts_.blobs,
          [this](const std::vector<Digest>& digests) {
            uncommitted_.hold(digests, parts_.clock.unix_ms());
          },
          parts_.wake)) {}

HfWriter::~HfWriter() = default;

HfWriter::Account HfWriter::account(const HttpRequest& request) const {
  constexpr std::string_view scheme = "Bearer ";
  const std::string* field = request.header("authorization");
  if (field == nullptr || !field->starts_with(scheme)) {
    return hf_error(401, "", "this needs a token: harambee token new");
  }
  auto key = token_key(std::string_view(*field).substr(scheme.size()));
  if (!key) return no_account();
  return parts_.log.read([&](const Folded& log) -> Account {
    const auto token = log.repos.tokens.find(key->id());
    if (token == log.repos.tokens.end() || token->second.revoked) return no_account();
    const fold::Owner& owner = log.repos.owners.at(token->second.owner);
    return HfAccount{*key, token->second.owner, owner.space, token->second.name,
                     static_cast<std::uint64_t>(owner.bytes)};
  });
}

std::variant<HfWriter::Writing, HttpResponse> HfWriter::writer_of(const HttpRequest& request,
                                                                  const HfName& name) const {
  auto who = account(request);
  if (auto* refusal = std::get_if<HttpResponse>(&who)) return std::move(*refusal);
  if (name.space == kRunsSpace) {
    return hf_error(403, "", "runs/… are runs: their files come from their rounds");
  }
  auto repo = parts_.catalog.find(name);
  if (!repo) return hf_error(404, "RepoNotFound", "no repository " + name.id() + " on this hub");
  auto& me = std::get<HfAccount>(who);
  if (me.space != name.space) {
    return hf_error(403, "", "the namespace " + name.space + " is not this token's");
  }
  return Writing{std::move(me), *std::move(repo)};
}

HttpResponse HfWriter::who(const HttpRequest& request) const {
  auto found = account(request);
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
  const auto& me = std::get<HfAccount>(found);
  return hf_json(
      200, JsonObject{{"auth", JsonObject{{"accessToken", JsonObject{{"displayName", me.token_name},
                                                                     {"role", "write"}}},
                                          {"type", "access_token"}}},
                      {"fullname", me.space},
                      {"id", me.owner.hex().substr(0, 24)},
                      {"isPro", false},
                      {"name", me.space},
                      {"orgs", JsonArray{}},
                      {"type", "user"}});
}

HttpResponse HfWriter::when_logged(HfAccount account, Payload draft,
                                   std::function<HttpResponse(const Receipt&)> answer) {
  auto post = std::make_shared<TokenPost>(parts_.sequencer, parts_.order, parts_.origin,
                                          std::move(account.key), std::move(draft));
  Wait wait;
  wait.ms_max = kLoggedMsMax;
  wait.again = [this, post, answer = std::move(answer)](bool last) -> std::optional<HttpResponse> {
    const auto verdict = post->poll();
    if (verdict) {
      if (const auto* no = std::get_if<Rejection>(&*verdict)) return of_rejection(*no);
      // What it did is known when it is folded.
      const auto& receipt = std::get<Receipt>(*verdict);
      const bool folded =
          parts_.log.read([&](const Folded& log) { return log.size() > receipt.index; });
      if (folded) return answer(receipt);
    }
    if (!last) return std::nullopt;
    return with_header(hf_error(503, "", "not decided yet; try again"), "Retry-After", "5");
  };
  HttpResponse response;
  response.body = std::move(wait);
  return response;
}

std::optional<HfName> HfWriter::asked_name(const HfCreate& wanted, const std::string& own_space) {
  const auto type = fold::parse_repo_type(wanted.type.empty() ? "model" : wanted.type);
  if (!type) return std::nullopt;
  const auto slash = wanted.name.find('/');
  HfName name;
  name.type = *type == fold::RepoType::model ? HfType::model : HfType::dataset;
  name.space = slash != std::string::npos    ? wanted.name.substr(0, slash)
               : wanted.organization.empty() ? own_space
                                             : wanted.organization;
  name.name = slash != std::string::npos ? wanted.name.substr(slash + 1) : wanted.name;
  return name;
}

HttpResponse HfWriter::create(const HttpRequest& request) {
  auto found = account(request);
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
  auto& me = std::get<HfAccount>(found);
  const auto wanted = parse_create(request.body);
  if (!wanted) return hf_error(400, "", wanted.error().message);
  const auto asked = asked_name(*wanted, me.space);
  if (!asked) return hf_error(400, "", "this hub has models and data sets, nothing else");
  const HfName& name = *asked;
  if (wanted->wants_private) {
    return hf_error(400, "", "everything on this hub is public: create it with --no-private");
  }
  const std::string url = url_of(endpoint_of(request), name);
  if (parts_.catalog.find(name)) {
    return hf_json(409, JsonObject{{"error", "You already created this repository"}, {"url", url}});
  }
  if (name.space != me.space) {
    return hf_error(403, "", "this token writes to " + me.space + ", not to " + name.space);
  }
  if (!fold::is_repo_name(name.name)) return hf_error(400, "", "not a repository's name");
  return when_logged(std::move(me), fold::write(fold::MakeRepo{name.id(), repo_type(name.type)}),
                     [this, name = name, url](const Receipt&) {
                       if (parts_.catalog.find(name)) {
                         return hf_json(200, JsonObject{{"name", name.id()}, {"url", url}});
                       }
                       return hf_error(403, "", "the log did not take the repository");
                     });
}

HttpResponse HfWriter::preupload(const HttpRequest& request, const HfTarget& target) {
  auto found = writer_of(request, target.name);
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
  const HfRepo& repo = std::get<Writing>(found).repo;
  auto branch = branch_of(request, target, repo);
  if (auto* refusal = std::get_if<HttpResponse>(&branch)) return std::move(*refusal);
  const auto files = parse_preupload(request.body);
  if (!files) return hf_error(400, "", files.error().message);
  std::shared_ptr<const HfTree> tree;
  if (auto made = parts_.catalog.tree(repo, *repo.head(std::get<std::string>(branch)))) {
    tree = *made;
  }
  JsonArray out;
  std::uint64_t regular = 0;
  for (const HfPreuploadFile& file : *files) {
    // Small files travel in the commit: clients with hf_xet send large ones nowhere else.
    const bool large =
        file.size > limits_.regular_bytes_max || regular + file.size > limits_.regular_sum_max;
    if (!large) regular += file.size;
    JsonObject one{
        {"path", file.path}, {"shouldIgnore", false}, {"uploadMode", large ? "lfs" : "regular"}};
    const HfFile* old = tree ? tree->find(file.path) : nullptr;
    // What is there already, so that the client can leave out what has not changed.
    if (old != nullptr && old->lfs == large) {
      one.emplace("oid", large ? old->digest.hex() : old->git_oid);
    }
    out.emplace_back(std::move(one));
  }
  return hf_json(200, JsonObject{{"files", std::move(out)}});
}

Result<bool> HfWriter::take_quota(const HfAccount& account, const HfLfsObject& object) {
  const std::uint64_t most = limits_.owner_bytes_max;
  const std::uint64_t room = account.bytes < most ? most - account.bytes : 0;
  return uncommitted_.take(account.owner, object.digest, object.size, room, parts_.clock.unix_ms());
}

void HfWriter::look_after_uploads() {
  const std::int64_t now_ms = parts_.clock.unix_ms();
  // Only who has read the whole log knows what it names.
  if (now_ms < next_sweep_ms_ || !parts_.log.ready() || parts_.log.trouble()) return;
  if (parts_.sequencer.damage()) return;
  next_sweep_ms_ = now_ms + limits_.sweep_ms;
  worker_->later([this, now_ms] {
    const auto named = [this](const std::set<Digest>& asked) -> Result<std::set<Digest>> {
      auto there = named_by_repos(parts_.log, parts_.blobs, asked);
      if (!there) return there;
      for (const Digest& digest : asked) {
        const auto size = parts_.blobs.size(digest);
        if (!size) continue;
        const auto expected = parts_.order.expects(digest, *size);
        if (!expected) return expected.error();
        if (*expected) there->insert(digest);
      }
      return there;
    };
    // What could not be done today is tried again tomorrow.
    static_cast<void>(uncommitted_.sweep(now_ms, named).ok());
  });
}

// 0: in one piece.
std::uint64_t HfWriter::part_bytes(const HfLfsBatch& batch, const HfLfsObject& object) const {
  if (!batch.multipart || object.size <= limits_.part_bytes_min) return 0;
  return std::max(limits_.part_bytes_min,
                  (object.size + limits_.parts_max - 1) / limits_.parts_max);
}

JsonObject HfWriter::batch_object(const HttpRequest& request, const HfAccount& account,
                                  const HfLfsObject& object, std::uint64_t part_bytes) {
  JsonObject out{{"oid", object.digest.hex()}, {"size", object.size}};
  if (parts_.blobs.size(object.digest) == object.size) {  // nothing to upload
    uncommitted_.hold({&object.digest, 1}, parts_.clock.unix_ms());
    return out;
  }
  const auto refuse_object = [&](int code, const std::string& message) {
    out.emplace("error", JsonObject{{"code", code}, {"message", message}});
    return out;
  };
  if (object.size == 0) return refuse_object(422, "empty files are no large files");
  if (object.size > limits_.file_bytes_max) return refuse_object(413, "larger than this hub takes");
  const auto taken = take_quota(account, object);
  if (!taken) return refuse_object(503, taken.error().message);
  if (!*taken) {
    return refuse_object(413, account.space + " may keep " +
                                  std::to_string(limits_.owner_bytes_max >> 20) +
                                  " MiB on this hub, and this would be more");
  }
  const std::string href =
      endpoint_of(request) + "/api/" + std::string(kUploadVerb) + object.digest.hex() + "?" +
      links_.sign(object.digest, object.size, parts_.clock.unix_ms() + limits_.link_ms);
  JsonObject header;
  if (part_bytes > 0) header.emplace("chunk_size", std::to_string(part_bytes));
  std::uint64_t number = 0;
  for (std::uint64_t first = 0; part_bytes > 0 && first < object.size; first += part_bytes) {
    const std::uint64_t count = std::min(part_bytes, object.size - first);
    std::string name = std::to_string(++number);
    name.insert(0, 5 - std::min<std::size_t>(5, name.size()), '0');
    header.emplace(name,
                   href + "&first=" + std::to_string(first) + "&count=" + std::to_string(count));
  }
  out.emplace("actions",
              JsonObject{{"upload", JsonObject{{"header", std::move(header)}, {"href", href}}}});
  return out;
}

HttpResponse HfWriter::batch(const HttpRequest& request, const HfTarget& target) {
  auto found = writer_of(request, target.name);
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
  const auto wanted = parse_lfs_batch(request.body);
  if (!wanted) return hf_error(400, "", wanted.error().message);
  if (wanted->operation != "upload") {
    return hf_error(501, "", "downloads go by /resolve/, not by LFS");
  }
  JsonArray objects;
  bool parts = false;
  for (const HfLfsObject& object : wanted->objects) {
    const std::uint64_t bytes = part_bytes(*wanted, object);
    parts = parts || bytes > 0;
    objects.emplace_back(batch_object(request, std::get<Writing>(found).me, object, bytes));
  }
  // Before anybody brings bytes that nobody would look after.
  if (const Status kept = uncommitted_.keep(); !kept) {
    return hf_not_now(kept.error());
  }
  // Never Xet, which some clients offer.
  return hf_json(200, JsonObject{{"objects", std::move(objects)},
                                 {"transfer", parts ? "multipart" : "basic"}});
}

// After the last part. The parts were joined as they came.
HttpResponse HfWriter::complete(const HttpRequest& request, const HfTarget& target) const {
  const auto digest = Digest::from_hex(std::string_view(target.verb).substr(kUploadVerb.size()));
  const auto size =
      digest ? links_.check(*digest, query_of(request), parts_.clock.unix_ms()) : std::nullopt;
  if (!size) return hf_error(403, "", "this address is not valid (any more)");
  if (parts_.blobs.size(*digest) != size) return hf_error(422, "", "parts of it are missing");
  return hf_json(200, JsonObject{});
}

BodyPlan HfWriter::plan_upload(const HttpRequest& head, const HfTarget& target) {
  const auto digest = Digest::from_hex(std::string_view(target.verb).substr(kUploadVerb.size()));
  if (!digest) return refuse(hf_error(404, "", "no such upload"));
  const auto size = links_.check(*digest, query_of(head), parts_.clock.unix_ms());
  if (!size) {
    return refuse(hf_error(403, "", "this address is not valid (any more); ask for a new one"));
  }
  const FormFields fields = parse_form(query_of(head));
  if (value_of(fields, "first").empty()) {
    return parts_.blob_routes.plan_wanted(*digest, *size, head);
  }
  const auto first = parse_decimal(value_of(fields, "first"));
  const auto count = parse_decimal(value_of(fields, "count"));
  if (!first || !count || *count == 0 || *first > *size || *count > *size - *first) {
    return refuse(hf_error(400, "", "no part of the file"));
  }
  return parts_.blob_routes.plan_part(*digest, {{*first, *count}, *size}, head);
}

BodyPlan HfWriter::plan_commit(const HttpRequest& head, const HfTarget& target) {
  auto found = writer_of(head, target.name);
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return refuse(std::move(*refusal));
  auto& writing = std::get<Writing>(found);
  auto branch = branch_of(head, target, writing.repo);
  if (auto* refusal = std::get_if<HttpResponse>(&branch)) return refuse(std::move(*refusal));
  if (head.content_length && *head.content_length > limits_.commit_bytes_max) {
    return refuse(hf_error(413, "",
                           "a commit may have " + std::to_string(limits_.commit_bytes_max >> 20) +
                               " MiB here; upload fewer files at once"));
  }
  if (*commits_ >= limits_.commits_at_once) {
    return refuse(with_header(hf_error(503, "", "too many commits at once"), "Retry-After", "2"));
  }
  // Counted on the I/O thread alone: sinks and waits begin and end there.
  ++*commits_;
  std::shared_ptr<void> slot(nullptr, [count = commits_](void*) { --*count; });
  BodyPlan plan;
  Commit commit{std::move(writing.me), target.name, std::get<std::string>(std::move(branch)),
                endpoint_of(head), std::move(slot)};
  plan.sink = std::make_shared<CommitSink>(*this, std::move(commit));
  return plan;
}

HttpResponse HfWriter::commit(Commit commit, Bytes body) {
  auto job = worker_->begin(commit.name, std::move(commit.branch), std::move(body),
                            commit.account.bytes, limits_.owner_bytes_max);
  const std::string base = url_of(commit.endpoint, commit.name) + "/commit/";
  const auto done = [base](const std::string& oid) {
    return hf_json(
        200,
        JsonObject{
            {"commitOid", oid}, {"commitUrl", base + oid}, {"hookOutput", ""}, {"success", true}});
  };
  // First the worker, then the log: two waits, one after the other.
  struct Next {
    std::optional<Wait> wait;
  };
  auto next = std::make_shared<Next>();
  Wait wait;
  wait.ms_max = kLoggedMsMax + 240'000;
  wait.again = [this, job, next, done, account = std::move(commit.account), name = commit.name,
                slot = std::move(commit.slot)](bool last) -> std::optional<HttpResponse> {
    if (next->wait) {
      auto answer = next->wait->again(last);
      const bool moved = answer && answer->status == 412 && job->follows_any_head();
      if (!moved || last) return answer;
      next->wait.reset();
      worker_->again(job);
      return std::nullopt;
    }
    auto prepared = job->take();
    if (!prepared) {
      if (!last) return std::nullopt;
      return with_header(hf_error(503, "", "the commit is still being read"), "Retry-After", "10");
    }
    if (auto* answer = std::get_if<HttpResponse>(&*prepared)) return std::move(*answer);
    if (auto* same = std::get_if<std::string>(&*prepared)) return done(*same);
    auto logged = when_logged(
        account, fold::write(std::get<fold::Revise>(*prepared)),
        [this, name, done, job, owner = account.owner](const Receipt& receipt) {
          const auto repo = parts_.catalog.find(name);
          const HfCommit* commit = repo ? repo->commit(receipt.id) : nullptr;
          if (commit != nullptr) {
            // If this fails, the next sweep sees that the log names them.
            static_cast<void>(uncommitted_.committed(owner, job->named()).ok());
            return done(commit->oid);
          }
          return hf_error(412, "", "A commit has happened since. Please refresh and try again.");
        });
    next->wait = std::move(std::get<Wait>(logged.body));
    auto answer = next->wait->again(false);                    // sends it
    if (answer && answer->status == 412) return std::nullopt;  // the next turn sees to it
    return answer;
  };
  HttpResponse response;
  response.body = std::move(wait);
  return response;
}

std::optional<BodyPlan> HfWriter::plan(const HttpRequest& head, const HfTarget& target) {
  const bool upload = target.kind == HfTarget::Kind::account && head.method == "PUT" &&
                      target.verb.starts_with(kUploadVerb);
  if (upload) return plan_upload(head, target);
  const bool commit =
      target.kind == HfTarget::Kind::repo && head.method == "POST" && target.verb == "commit";
  if (commit) return plan_commit(head, target);
  return std::nullopt;
}

std::optional<HttpResponse> HfWriter::handle(const HttpRequest& request, const HfTarget& target) {
  const bool post = request.method == "POST";
  if (target.kind == HfTarget::Kind::lfs && post) return batch(request, target);
  if (target.kind == HfTarget::Kind::repo && post && target.verb == "preupload") {
    return preupload(request, target);
  }
  if (target.kind == HfTarget::Kind::repo) {
    if (target.verb == "branch" || target.verb == "tag") return change_ref(request, target);
    if (target.verb == "settings" && request.method == "PUT") return settings(request, target);
  }
  if (target.kind == HfTarget::Kind::repo && target.verb == "auth-check" &&
      joined(target.rest, 0) == "write") {
    auto found = writer_of(request, target.name);
    if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
    return hf_json(200, JsonObject{});
  }
  if (target.kind != HfTarget::Kind::account) return std::nullopt;
  if (target.verb == "whoami-v2") return who(request);
  if (target.verb.starts_with(kUploadVerb) && post) return complete(request, target);
  if (target.verb == "repos/create" && post) return create(request);
  if (target.verb == "repos/delete" && request.method == "DELETE") return drop(request);
  if (target.verb == "validate-yaml" && post) {
    return hf_json(200, JsonObject{{"errors", JsonArray{}}, {"warnings", JsonArray{}}});
  }
  return std::nullopt;
}

}  // namespace harambee::hub
