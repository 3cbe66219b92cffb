// Repositories on the log: who may write under which name, by which token, and what was written
// (spec/huggingface.md §4). A fold of its own beside the runs': it reads the kinds `token`,
// `token-revoke`, `repo`, `repo-delete`, `revision` and `ref` and no others, and no rule of a run
// depends on it.
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
inline constexpr std::size_t kRefNameBytesMax = 128;
inline constexpr std::size_t kRefsPerRepoMax = 1000;  // of branches, and of tags
inline constexpr std::string_view kMainBranch = "main";

enum class RepoType { model, dataset };
[[nodiscard]] const char* name(RepoType type);
[[nodiscard]] std::optional<RepoType> parse_repo_type(std::string_view text);

// 1 … 96 of [A-Za-z0-9_.-], no "--" and "..", not beginning or ending with '-' or '.', not ending
// with ".git": what Hugging Face allows.
[[nodiscard]] bool is_repo_name(std::string_view text);

// 1 … kRefNameBytesMax of [A-Za-z0-9_./-] in parts between single '/', none of which begins with
// '.' or '-' or ends with '.'; no "..", not "HEAD", not beginning with "refs/", and nothing that
// could be a commit: not 40 or 64 hex digits.
[[nodiscard]] bool is_ref_name(std::string_view text);

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

// repo-delete: the repository is no more; its name is free again. The log keeps its records.
struct DropRepo {
  std::string id;
  RepoType type = RepoType::model;
  RecordId made;  // its `repo` record: not one of the same name that came later
};
[[nodiscard]] Payload write(const DropRepo& act);
[[nodiscard]] Result<DropRepo> parse_drop_repo(const Payload& payload);

// ref: a branch or a tag begins, or ends.
enum class RefKind { branch, tag };
struct SetRef {
  std::string id;
  RepoType type = RepoType::model;
  RefKind kind = RefKind::tag;
  std::string name;
  // Records of commits: the `repo` record or a revision's. One of them is none.
  std::optional<RecordId> from;  // where it stands; none: it is not there yet
  std::optional<RecordId> to;    // where it begins; none: it ends
};
[[nodiscard]] Payload write(const SetRef& act);
[[nodiscard]] Result<SetRef> parse_set_ref(const Payload& payload);

// revision: a branch's next state, by a tree manifest (format/tree.h).
struct Revise {
  std::string id;
  RepoType type = RepoType::model;
  std::string branch{kMainBranch};
  std::optional<RecordId> parent;  // the branch's head; none: the `repo` record, without files
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
  RecordId parent;      // a revision, or the `repo` record
};

using Refs = std::map<std::string, RecordId, std::less<>>;

struct Repo {
  std::string id;
  RepoType type = RepoType::model;
  KeyId owner;
  Place made;
  std::int64_t made_ms = 0;
  std::vector<RepoRevision> revisions;  // of all branches, in log order
  Refs branches;                        // "main" is always there
  Refs tags;
  std::int64_t bytes = 0;  // claimed by its revisions

  [[nodiscard]] bool has_commit(const RecordId& record) const;
};

struct Owner {
  std::string space;
  std::vector<KeyId> tokens;  // in log order, revoked ones too
  std::size_t repos = 0;
  std::int64_t bytes = 0;  // of its repositories
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

// SHA-256 of all of it, in one text: equal for two who folded the same.
[[nodiscard]] Digest repos_hash(const Repos& repos);

[[nodiscard]] bool is_repo_kind(std::string_view kind);

// A logged record of one of the kinds above (a bug otherwise), as apply() with the runs' fold.
[[nodiscard]] Outcome apply(Repos& repos, const Place& place, std::int64_t now_ms,
                            const Payload& payload);

}  // namespace harambee::fold
