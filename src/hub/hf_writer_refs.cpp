// Branches, tags, deletion and settings of repositories.
#include "hub/hf_answers.h"
#include "hub/hf_writer.h"

namespace harambee::hub {
namespace {

const RecordId* find(const std::vector<std::pair<std::string, RecordId>>& refs,
                     const std::string& name) {
  for (const auto& [known, record] : refs) {
    if (known == name) return &record;
  }
  return nullptr;
}

const RecordId* find(const HfRepo& repo, fold::RefKind kind, const std::string& name) {
  return find(kind == fold::RefKind::branch ? repo.branches : repo.tags, name);
}

// POST branch/{name} {"startingPoint"}, POST tag/{revision} {"tag"}, DELETE either/{name}: the act,
// or why it cannot be.
std::variant<fold::SetRef, HttpResponse> ref_act(const HttpRequest& request, const HfTarget& target,
                                                 const HfRepo& repo) {
  const std::string path = joined(target.rest, 0);
  fold::SetRef act;
  act.id = repo.name.id();
  act.type = repo_type(repo.name.type);
  act.kind = target.verb == "branch" ? fold::RefKind::branch : fold::RefKind::tag;
  act.name = path;
  if (request.method == "DELETE") {
    if (act.kind == fold::RefKind::branch && act.name == fold::kMainBranch) {
      return hf_error(403, "", "main is always there");
    }
    const RecordId* there = find(repo, act.kind, act.name);
    if (there == nullptr) {
      return hf_error(404, "RevisionNotFound", "no " + target.verb + " " + act.name);
    }
    act.from = *there;
    return act;
  }
  const auto wanted = parse_ref(request.body);
  if (!wanted) return hf_error(400, "", wanted.error().message);
  std::string from = wanted->starting_point.empty() ? "main" : wanted->starting_point;
  if (act.kind == fold::RefKind::tag) {
    act.name = wanted->tag;
    from = path;
  }
  if (!fold::is_ref_name(act.name)) return hf_error(400, "", "no name of a " + target.verb);
  const HfCommit* commit = repo.revision(from);
  if (commit == nullptr) return hf_error(404, "RevisionNotFound", "no revision " + from);
  if (find(repo, act.kind, act.name) != nullptr) {
    return hf_error(409, "", target.verb + " " + act.name + " exists already");
  }
  act.to = commit->record;
  return act;
}

}  // namespace

HttpResponse HfWriter::change_ref(const HttpRequest& request, const HfTarget& target) {
  if (request.method != "POST" && request.method != "DELETE") {
    return with_header(hf_error(405, "", "no such method here"), "Allow", "POST, DELETE");
  }
  auto found = writer_of(request, target.name);
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
  auto& writing = std::get<Writing>(found);
  auto made = ref_act(request, target, writing.repo);
  if (auto* refusal = std::get_if<HttpResponse>(&made)) return std::move(*refusal);
  const auto& act = std::get<fold::SetRef>(made);
  return when_logged(
      std::move(writing.me), fold::write(act), [this, act, name = target.name](const Receipt&) {
        const auto repo = parts_.catalog.find(name);
        const RecordId* now = repo ? find(*repo, act.kind, act.name) : nullptr;
        const bool done = act.to ? now != nullptr && *now == *act.to : repo && now == nullptr;
        if (done) return hf_json(200, JsonObject{});
        return hf_error(409, "", "somebody else changed it meanwhile");
      });
}

HttpResponse HfWriter::drop(const HttpRequest& request) {
  auto who = account(request);
  if (auto* refusal = std::get_if<HttpResponse>(&who)) return std::move(*refusal);
  const auto wanted = parse_create(request.body);
  if (!wanted) return hf_error(400, "", wanted.error().message);
  const auto name = asked_name(*wanted, std::get<HfAccount>(who).space);
  if (!name) return hf_error(404, "RepoNotFound", "this hub has models and data sets");
  auto found = writer_of(request, *name);
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
  auto& writing = std::get<Writing>(found);
  const RecordId made = writing.repo.commits.front().record;
  return when_logged(std::move(writing.me),
                     fold::write(fold::DropRepo{name->id(), repo_type(name->type), made}),
                     [this, name = *name, made](const Receipt&) {
                       const auto repo = parts_.catalog.find(name);
                       if (!repo || repo->commits.front().record != made) {
                         return hf_json(200, JsonObject{});
                       }
                       return hf_error(403, "", "the log did not take the deletion");
                     });
}

HttpResponse HfWriter::settings(const HttpRequest& request, const HfTarget& target) const {
  auto found = writer_of(request, target.name);
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
  const auto wanted = parse_settings(request.body);
  if (!wanted) return hf_error(400, "", wanted.error().message);
  if (wanted->hides) return hf_error(400, "", "everything on this hub is public and open to all");
  return hf_json(200, JsonObject{});
}

}  // namespace harambee::hub
