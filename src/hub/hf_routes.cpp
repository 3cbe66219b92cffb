#include "hub/hf_routes.h"

#include <algorithm>

#include "hub/blob_routes.h"
#include "hub/hf_answers.h"
#include "hub/hf_json.h"
#include "hub/hf_last_commit.h"
#include "hub/hf_list.h"
#include "hub/hf_requests.h"
#include "hub/hf_text.h"

namespace harambee::hub {
namespace {

constexpr std::uint64_t kPathsBodyBytesMax = 1u << 20;
constexpr std::size_t kPathsMax = 1000;
constexpr std::size_t kTreePageEntries = 1000;

std::string_view query_of(const HttpRequest& request) {
  const std::string_view target = request.target;
  const auto mark = target.find('?');
  return mark == target.npos ? std::string_view() : target.substr(mark + 1);
}

HttpResponse no_repo(const HfName& name) {
  return hf_error(404, "RepoNotFound",
                  "no " + std::string(name.type == HfType::model ? "model" : "data set") + " " +
                      name.id() + " on this hub");
}

}  // namespace

std::variant<HfRepo, HttpResponse> HfRoutes::find_repo(const HfName& name) const {
  auto repo = catalog_.find(name);
  if (!repo) return no_repo(name);
  return *std::move(repo);
}

std::variant<HfRoutes::Found, HttpResponse> HfRoutes::find(const HfName& name,
                                                           const std::string& revision) {
  auto found = find_repo(name);
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
  HfRepo& repo = std::get<HfRepo>(found);
  const HfCommit* commit = repo.revision(revision);
  if (commit == nullptr) {
    return hf_error(
        404, "RevisionNotFound",
        "no revision " + revision + " of " + repo.name.id() +
            (repo.name.space == kRunsSpace ? "; there are main, round-N, and the commits" : ""));
  }
  auto tree = catalog_.tree(repo, *commit);
  if (!tree) return hf_not_now(tree.error());
  HfCommit copy = *commit;
  return Found{std::move(repo), std::move(copy), *std::move(tree)};
}

HttpResponse HfRoutes::list(const HttpRequest& request, HfType type) {
  const HfListQuery query(query_of(request));
  const std::vector<HfRepo> all = select(catalog_.list(type), query);
  const std::uint64_t first = std::min<std::uint64_t>(query.cursor, all.size());
  const std::uint64_t end = std::min<std::uint64_t>(first + query.limit, all.size());
  JsonArray out;
  for (std::uint64_t i = first; i < end; ++i) {
    const HfRepo& repo = all[i];
    const HfCommit* head = repo.head();
    std::shared_ptr<const HfTree> tree;
    if (query.full && head != nullptr) {
      if (auto made = catalog_.tree(repo, *head)) tree = *made;
    }
    out.emplace_back(
        info_json(repo, head == nullptr ? HfCommit() : *head, tree.get(), HfDetail::names));
  }
  HttpResponse response = hf_json(200, Json(std::move(out)));
  if (end == all.size() || end == first) return response;
  return with_header(std::move(response), "Link",
                     "<" + endpoint_of(request) + "/api/" + plural(type) + "?" + query.rest +
                         "cursor=" + std::to_string(end) + ">; rel=\"next\"");
}

HttpResponse HfRoutes::info(const HttpRequest& request, const HfTarget& target,
                            const std::string& revision) {
  auto found = find(target.name, revision);
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
  const Found& at = std::get<Found>(found);
  const bool blobs = is_true(value_of(parse_form(query_of(request)), "blobs"));
  if (!blobs) {
    return hf_json(200, Json(info_json(at.repo, at.commit, at.tree.get(), HfDetail::names)));
  }
  return with_digests(at.tree, weights_, [at](const HfTree& tree) {
    return hf_json(200, Json(info_json(at.repo, at.commit, &tree, HfDetail::blobs)));
  });
}

// Computed before the answer is due; nothing unless it is asked for.
Result<HfLastCommits> HfRoutes::last_commits(const Found& at, bool asked) {
  return asked ? HfLastCommits::make(catalog_, at.repo, *at.tree) : HfLastCommits();
}

HttpResponse HfRoutes::tree_page(const HttpRequest& request, const HfTarget& target,
                                 const HfTree& files, const HfLastCommits& last) {
  const FormFields fields = parse_form(query_of(request));
  const bool recursive = is_true(value_of(fields, "recursive"));
  const std::string folder = joined(target.rest, 1);
  auto entries = tree_json(files, folder, recursive ? HfDepth::all : HfDepth::children);
  const std::string& commit = files.commit.oid;
  if (!entries) {
    return with_header(hf_error(404, "EntryNotFound", "no folder " + folder + " in this revision"),
                       "X-Repo-Commit", commit);
  }
  const std::size_t first = std::min<std::uint64_t>(
      parse_decimal(value_of(fields, "cursor")).value_or(0), entries->size());
  const std::size_t end = std::min(first + kTreePageEntries, entries->size());
  JsonArray page(entries->begin() + static_cast<std::ptrdiff_t>(first),
                 entries->begin() + static_cast<std::ptrdiff_t>(end));
  for (Json& entry : page) last.add_to(*entry.object());
  HttpResponse response = with_header(hf_json(200, Json(std::move(page))), "X-Repo-Commit", commit);
  if (end == entries->size()) return response;
  // By commit, so that a page fits to the one before it.
  const std::string path = "/api/" + std::string(plural(target.name.type)) + "/" +
                           target.name.id() + "/tree/" + commit +
                           (folder.empty() ? "" : "/" + percent_encode(folder));
  return with_header(std::move(response), "Link",
                     "<" + endpoint_of(request) + path +
                         "?recursive=" + (recursive ? "true" : "false") +
                         (is_true(value_of(fields, "expand")) ? "&expand=true" : "") +
                         "&cursor=" + std::to_string(end) + ">; rel=\"next\"");
}

HttpResponse HfRoutes::tree(const HttpRequest& request, const HfTarget& target) {
  if (target.rest.empty()) return hf_error(404, "RevisionNotFound", "which revision?");
  auto found = find(target.name, target.rest[0]);
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
  const Found& at = std::get<Found>(found);
  auto last = last_commits(at, is_true(value_of(parse_form(query_of(request)), "expand")));
  if (!last) return hf_not_now(last.error());
  // Runs have all their files at the root.
  if (target.rest.size() > 1) return tree_page(request, target, *at.tree, *last);
  return with_digests(at.tree, weights_,
                      [request, target, known = *std::move(last)](const HfTree& files) {
                        return tree_page(request, target, files, known);
                      });
}

HttpResponse HfRoutes::paths_info(const HttpRequest& request, const HfTarget& target) {
  if (target.rest.empty()) return hf_error(404, "RevisionNotFound", "which revision?");
  auto found = find(target.name, target.rest[0]);
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
  const auto paths = parse_paths(request.body);
  if (!paths) return hf_error(400, "", paths.error().message);
  if (paths->paths.size() > kPathsMax) return hf_error(413, "", "at most 1000 paths at once");
  const Found& at = std::get<Found>(found);
  auto last = last_commits(at, paths->expand);
  if (!last) return hf_not_now(last.error());
  const auto answer = [paths = paths->paths, known = *std::move(last)](const HfTree& tree) {
    JsonArray out;
    for (const std::string& path : paths) {
      auto entry = path_json(tree, path);
      if (!entry) continue;
      known.add_to(*entry->object());
      out.push_back(*std::move(entry));
    }
    return hf_json(200, Json(std::move(out)));
  };
  const HfFile* unnamed = at.tree->unnamed();
  const bool asked =
      unnamed != nullptr && std::ranges::find(paths->paths, unnamed->path) != paths->paths.end();
  return asked ? with_digests(at.tree, weights_, answer) : answer(*at.tree);
}

HttpResponse HfRoutes::commits(const HttpRequest& request, const HfTarget& target) {
  if (target.rest.empty()) return hf_error(404, "RevisionNotFound", "which revision?");
  auto found = find_repo(target.name);
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
  const HfRepo& repo = std::get<HfRepo>(found);
  const HfCommit* commit = repo.revision(target.rest[0]);
  if (commit == nullptr) {
    return hf_error(404, "RevisionNotFound", "no revision " + target.rest[0]);
  }
  const std::uint64_t asked =
      parse_decimal(value_of(parse_form(query_of(request)), "p")).value_or(0);
  const std::uint64_t page = std::min<std::uint64_t>(asked, repo.commits.size() / kCommitsPage + 1);
  HfCommitsPage found_page = commits_json(repo, *commit, page);
  HttpResponse response = hf_json(200, Json(std::move(found_page.commits)));
  if (!found_page.more) return response;
  // By commit, so that a page fits to the one before it.
  return with_header(std::move(response), "Link",
                     "<" + endpoint_of(request) + "/api/" + plural(target.name.type) + "/" +
                         target.name.id() + "/commits/" + commit->oid +
                         "?p=" + std::to_string(page + 1) + ">; rel=\"next\"");
}

HttpResponse HfRoutes::repo(const HttpRequest& request, const HfTarget& target) {
  const bool reading = request.method == "GET" || request.method == "HEAD";
  if (request.method == "POST" && target.verb == "paths-info") return paths_info(request, target);
  if (!reading && target.verb == "super-squash") {
    return hf_error(501, "",
                    "the history of a repository is on a signed log, which nobody can take back: "
                    "it cannot be squashed; delete the repository and make it again");
  }
  if (!reading) {
    return hf_error(501, "", "this hub has no " + target.verb + " of repositories");
  }
  if (target.verb.empty()) return info(request, target, "main");
  if (target.verb == "revision" && !target.rest.empty()) {
    return info(request, target, joined(target.rest, 0));
  }
  if (target.verb == "tree") return tree(request, target);
  if (target.verb == "commits") return commits(request, target);
  auto found = find_repo(target.name);
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
  if (target.verb == "refs") return hf_json(200, Json(refs_json(std::get<HfRepo>(found))));
  if (target.verb == "auth-check" && target.rest.empty()) return hf_json(200, Json(JsonObject{}));
  return hf_error(404, "", "this hub has no " + target.verb + " of repositories");
}

HttpResponse HfRoutes::file(const HttpRequest& request, const HfTarget& target) {
  if (request.method != "GET" && request.method != "HEAD") {
    return with_header(hf_error(405, "", "no such method here"), "Allow", "GET, HEAD");
  }
  auto found = find(target.name, target.rest[0]);
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
  const Found& at = std::get<Found>(found);
  const auto serve = [this, request, path = joined(target.rest, 1)](const HfTree& tree) {
    if (const HfFile* file = tree.find(path)) {
      return serve_file(request, tree, *file, blobs_, weights_);
    }
    // The commit tells the client that it may remember the absence.
    return with_header(hf_error(404, "EntryNotFound", "no file " + path + " in this revision"),
                       "X-Repo-Commit", tree.commit.oid);
  };
  const HfFile* unnamed = at.tree->unnamed();
  const bool asked = unnamed != nullptr && unnamed->path == joined(target.rest, 1);
  return asked ? with_digests(at.tree, weights_, serve) : serve(*at.tree);
}

// llama.cpp before 2026 asks here which file it should take; later ones read the tree.
HttpResponse HfRoutes::gguf_manifest(const HfTarget& target) {
  auto found = find(target.name, "main");
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
  const HfFile* best = nullptr;
  for (const HfFile& file : std::get<Found>(found).tree->files) {
    if (!file.path.ends_with(".gguf")) continue;
    const bool named = lower(file.path).find(lower(target.rest[0])) != std::string::npos;
    if (best == nullptr || named) best = &file;
    if (named) break;
  }
  if (best == nullptr) return hf_error(404, "EntryNotFound", "no GGUF in " + target.name.id());
  return hf_json(
      200, JsonObject{{"ggufFile", JsonObject{{"rfilename", best->path}, {"size", best->size}}}});
}

std::optional<BodyPlan> HfRoutes::plan(const HttpRequest& head) {
  const auto target = parse_hf_target(head.path());
  if (!target) return std::nullopt;
  if (auto theirs = writer_.plan(head, *target)) return theirs;
  BodyPlan plan;
  plan.bytes_max = kPathsBodyBytesMax;
  return plan;
}

std::optional<HttpResponse> HfRoutes::handle(const HttpRequest& request) {
  const auto target = parse_hf_target(request.path());
  if (!target) return std::nullopt;
  if (auto written = writer_.handle(request, *target)) return written;
  switch (target->kind) {
    case HfTarget::Kind::list:
      return list(request, target->name.type);
    case HfTarget::Kind::repo:
      return repo(request, *target);
    case HfTarget::Kind::file:
      return file(request, *target);
    case HfTarget::Kind::gguf:
      return gguf_manifest(*target);
    case HfTarget::Kind::lfs:
    case HfTarget::Kind::account:
      if (target->verb == "repos/move") {
        return hf_error(
            501, "",
            "a repository's name is in its signed records and cannot be changed: make "
            "another one and upload to it; large files that are here are not sent again");
      }
      return hf_error(501, "",
                      "this hub cannot do that: repositories can be made, written and deleted");
    case HfTarget::Kind::unknown:
      break;
  }
  return hf_error(404, "RepoNotFound", "this hub has models and data sets, nothing else");
}

}  // namespace harambee::hub
