#include "base/hash.h"
#include "base/json.h"
#include "fold/repos.h"

namespace harambee::fold {
namespace {

Json owner_json(const KeyId& key, const Owner& owner) {
  JsonArray tokens;
  for (const KeyId& token : owner.tokens) tokens.emplace_back(token.hex());
  return JsonObject{{"bytes", owner.bytes},
                    {"key", key.hex()},
                    {"repos", owner.repos},
                    {"space", owner.space},
                    {"tokens", std::move(tokens)}};
}

Json refs_json(const Refs& refs) {
  JsonObject out;
  for (const auto& [name, record] : refs) out.emplace(name, record.hex());
  return out;
}

Json repo_json(const Repo& repo) {
  JsonArray revisions;
  for (const RepoRevision& revision : repo.revisions) {
    revisions.push_back(JsonObject{{"id", revision.place.id.hex()},
                                   {"parent", revision.parent.hex()},
                                   {"tree", revision.tree.digest.hex()}});
  }
  return JsonObject{{"branches", refs_json(repo.branches)},
                    {"made", repo.made.id.hex()},
                    {"name", repo.id},
                    {"owner", repo.owner.hex()},
                    {"revisions", std::move(revisions)},
                    {"tags", refs_json(repo.tags)},
                    {"type", name(repo.type)}};
}

}  // namespace

Digest repos_hash(const Repos& repos) {
  JsonArray owners, all, tokens;
  for (const auto& [key, owner] : repos.owners) owners.push_back(owner_json(key, owner));
  for (const auto& [key, repo] : repos.repos) all.push_back(repo_json(repo));
  for (const auto& [key, token] : repos.tokens) {
    tokens.push_back(JsonObject{
        {"key", key.hex()}, {"owner", token.owner.hex()}, {"revoked", token.revoked.has_value()}});
  }
  const Json json = JsonObject{
      {"owners", std::move(owners)}, {"repos", std::move(all)}, {"tokens", std::move(tokens)}};
  return sha256({view("harambee repos v1\n"), view(write(json))});
}

}  // namespace harambee::fold
