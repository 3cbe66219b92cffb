// Repositories on the log: who may write under which name, by which token, and what was written
// (spec/huggingface.md §4). A fold of its own beside the runs': it reads the kinds `token`,
// `token-revoke`, `repo` and `revision` and no others, and no rule of a run depends on it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/sign.h"
#include "fold/apply.h"
#include "fold/state.h"
#include "record/record.h"

namespace harambee::fold {

inline constexpr std::size_t kTokensPerOwnerMax = 64;
inline constexpr std::size_t kReposPerOwnerMax = 1024;
inline constexpr std::size_t kSpaceBytesMax = 39;
inline constexpr std::size_t kTokenNameBytesMax = 64;
inline constexpr std::size_t kTitleBytesMax = 256;
inline constexpr std::size_t kMessageBytesMax = 8192;

enum class RepoType { model, dataset };
[[nodiscard]] const char* name(RepoType type);
[[nodiscard]] std::optional<RepoType> parse_repo_type(std::string_view text);

// 1 … 96 of [A-Za-z0-9_.-], no "--" and "..", not beginning or ending with '-' or '.', not ending
// with ".git": what Hugging Face allows.
[[nodiscard]] bool is_repo_name(std::string_view text);

// token: the author lets another key write in its name. The key is the token's: whoever has the
// token has the key.
struct GrantToken {
  PublicKey key;
  std::string name;   // for the owner: "laptop"
  std::string space;  // the namespace that the owner has, or takes with this record
};
[[nodiscard]] Payload write(const GrantToken& act);
[[nodiscard]] Result<GrantToken> parse_grant_token(const Payload& payload);

// token-revoke: from here on the key may not write.
struct RevokeToken {
  KeyId key;
};
[[nodiscard]] Payload write(const RevokeToken& act);
[[nodiscard]] Result<RevokeToken> parse_revoke_token(const Payload& payload);

// repo: a new, empty repository in the owner's namespace.
struct MakeRepo {
  std::string id;  // "space/name"
  RepoType type = RepoType::model;
};
[[nodiscard]] Payload write(const MakeRepo& act);
[[nodiscard]] Result<MakeRepo> parse_make_repo(const Payload& payload);

// revision: the repository's next state, by a tree manifest (format/tree.h).
struct Revise {
  std::string id;
  RepoType type = RepoType::model;
  std::optional<RecordId> parent;  // the head that it follows; none: the first
  std::string title;
  std::string message;
  std::int64_t new_bytes = 0;  // claimed: of files that the parent does not have
  BlobRef tree;
};
[[nodiscard]] Payload write(const Revise& act);
[[nodiscard]] Result<Revise> parse_revise(const Payload& payload);

struct Token {
  KeyId key;
  KeyId owner;
  std::string name;
  Place granted;
  std::optional<Place> revoked;
};

struct RepoRevision {
  Place place;
  KeyId author;  // the key that signed: the owner's or a token's
  std::string title;
  std::string message;
  BlobRef tree;
  std::int64_t ms = 0;  // log time
};

struct Repo {
  std::string id;
  RepoType type = RepoType::model;
  KeyId owner;
  Place made;
  std::int64_t made_ms = 0;
  std::vector<RepoRevision> revisions;  // each follows the one before
};

struct Owner {
  std::string space;
  std::vector<KeyId> tokens;  // in log order, revoked ones too
  std::size_t repos = 0;
  std::int64_t bytes = 0;  // claimed by its revisions
};

struct Repos {
  std::map<KeyId, Owner> owners;
  std::map<std::string, KeyId, std::less<>> spaces;
  std::map<KeyId, Token> tokens;
  std::map<std::pair<RepoType, std::string>, Repo> repos;

  // Who speaks when this key signs: itself, or the owner of the token that it is. None: the token
  // is revoked.
  [[nodiscard]] std::optional<KeyId> speaker(const KeyId& key) const;
  [[nodiscard]] const Repo* find(RepoType type, const std::string& id) const;
};

[[nodiscard]] bool is_repo_kind(std::string_view kind);

// A logged record of one of the kinds above (a bug otherwise), as apply() with the runs' fold.
[[nodiscard]] Outcome apply(Repos& repos, const Place& place, std::int64_t now_ms,
                            const Payload& payload);

}  // namespace harambee::fold
