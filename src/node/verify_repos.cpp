#include "node/verify_repos.h"

#include "format/tree.h"

namespace harambee::node {
namespace {

Status name_files(LogSource& source, const fold::RepoRevision& revision, AuditedLog& log,
                  VerifiedRepos& found) {
  Result<Content> content = source.blob(revision.tree.digest);
  if (!content) {
    return content.error().code == ErrorCode::not_found ? ok() : Status(content.error());
  }
  const auto files = format::parse_tree(content->bytes());
  if (!files) return ok();
  for (const format::TreeFile& file : *files) {
    const NamedBlob named{{file.digest, file.size, ""}, revision.place.index, "revision", true, {}};
    if (log.blobs.try_emplace(file.digest, named).second) ++found.files;
  }
  return ok();
}

}  // namespace

Result<VerifiedRepos> name_files(LogSource& source, AuditedLog& log) {
  VerifiedRepos found;
  found.state = fold::repos_hash(log.repos);
  for (const auto& [key, repo] : log.repos.repos) {
    ++found.repositories;
    for (const fold::RepoRevision& revision : repo.revisions) {
      ++found.revisions;
      if (Status done = name_files(source, revision, log, found); !done) return done.error();
    }
  }
  return found;
}

}  // namespace harambee::node
