#include "fold/repos.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/encoding.h"
#include "fold/fields.h"
#include "fold/run_fold.h"
#include "format/tree.h"

namespace harambee::fold {

namespace {

constexpr std::size_t kRepoNameBytesMax = 96;
// Addresses of a hub, and the runs' own.
const std::set<std::string_view> kReservedSpaces = {"runs",   "api",   "datasets", "models",
                                                    "spaces", "blobs", "tile",     "log"};

Status check_frame(const Payload& payload, std::size_t blobs) {
  if (payload.run || payload.round) return invalid("run: this kind belongs to no run");
  if (payload.blobs.size() != blobs) {
    return invalid("blobs: must be " + std::to_string(blobs));
  }
  return ok();
}

Payload frame(const char* kind, JsonObject body) {
  Payload payload;
  payload.kind = kind;
  payload.body = std::move(body);
  return payload;
}

// Any text, within bytes.
std::string read_text(Fields& fields, std::string_view key, std::size_t bytes_max) {
  const Json& value = fields.any(key);
  const std::string* text = value.string();
  if (text && text->size() <= bytes_max) return *text;
  fields.refuse(key, "must be a string of at most " + std::to_string(bytes_max) + " bytes");
  return "";
}

std::string read_id(Fields& fields, std::string_view key) {
  std::string id = read_text(fields, key, kSpaceBytesMax + 1 + kRepoNameBytesMax);
  const auto slash = id.find('/');
  if (slash == id.npos || !is_slug(id.substr(0, slash), kSpaceBytesMax) ||
      !is_repo_name(std::string_view(id).substr(slash + 1))) {
    fields.refuse(key, "must be namespace/name");
  }
  return id;
}

std::string read_ref(Fields& fields, std::string_view key) {
  std::string name = read_text(fields, key, kRefNameBytesMax);
  if (!is_ref_name(name)) fields.refuse(key, "is no name of a branch or tag");
  return name;
}

RepoType read_type(Fields& fields) {
  const auto type = parse_repo_type(read_text(fields, "type", 16));
  if (!type) fields.refuse("type", "must be \"model\" or \"dataset\"");
  return type.value_or(RepoType::model);
}

template <typename T>
Result<T> finish(Fields& fields, T&& act) {
  if (const Status status = fields.finish(); !status) return status.error();
  return std::forward<T>(act);
}

std::string space_of(const std::string& id) { return id.substr(0, id.find('/')); }

Objection grant(Repos& repos, const Place& place, const KeyId& author, const GrantToken& act) {
  if (kReservedSpaces.contains(act.space)) return "the namespace " + act.space + " is reserved";
  if (repos.tokens.contains(author)) return "a token cannot make tokens";
  const KeyId key = key_id(act.key);
  if (repos.tokens.contains(key)) return "this key is a token already";
  if (key == author || repos.owners.contains(key)) return "this key is an owner";
  const auto taken = repos.spaces.find(act.space);
  if (taken != repos.spaces.end() && taken->second != author) {
    return "the namespace " + act.space + " is another's";
  }
  const auto known = repos.owners.find(author);
  if (known != repos.owners.end()) {
    if (known->second.space != act.space) return "the author's namespace is " + known->second.space;
    if (known->second.tokens.size() >= kTokensPerOwnerMax) return "the author has too many tokens";
  }
  Owner& owner = repos.owners[author];
  owner.space = act.space;
  owner.tokens.push_back(key);
  repos.spaces.emplace(act.space, author);
  repos.tokens.emplace(key, Token{key, author, act.name, place, std::nullopt});
  return std::nullopt;
}

Objection revoke(Repos& repos, const Place& place, const KeyId& author, const RevokeToken& act) {
  const auto token = repos.tokens.find(act.key);
  if (token == repos.tokens.end() || token->second.owner != author) {
    return "the author has no such token";
  }
  if (token->second.revoked) return "the token is revoked already";
  token->second.revoked = place;
  return std::nullopt;
}

// Who writes, if it may write there.
std::variant<KeyId, std::string> writer(const Repos& repos, const KeyId& author,
                                        const std::string& id) {
  const auto speaker = repos.speaker(author);
  if (!speaker) return "the token is revoked";
  const auto space = repos.spaces.find(space_of(id));
  if (space == repos.spaces.end() || space->second != *speaker) {
    return "the namespace " + space_of(id) + " is not the author's";
  }
  return *speaker;
}

Objection make(Repos& repos, const Place& place, std::int64_t now_ms, const KeyId& author,
               const MakeRepo& act) {
  const auto who = writer(repos, author, act.id);
  if (const auto* reason = std::get_if<std::string>(&who)) return *reason;
  Owner& owner = repos.owners.at(std::get<KeyId>(who));
  if (repos.repos.contains({act.type, act.id})) return act.id + " is there already";
  if (owner.repos >= kReposPerOwnerMax) return "the author has too many repositories";
  ++owner.repos;
  Repo repo;
  repo.id = act.id;
  repo.type = act.type;
  repo.owner = std::get<KeyId>(who);
  repo.made = place;
  repo.made_ms = now_ms;
  repo.branches.emplace(kMainBranch, place.id);
  repos.repos.emplace(std::pair(act.type, act.id), std::move(repo));
  return std::nullopt;
}

// The repository that the author may change, or why not.
std::variant<Repo*, std::string> changeable(Repos& repos, const KeyId& author, RepoType type,
                                            const std::string& id) {
  const auto who = writer(repos, author, id);
  if (const auto* reason = std::get_if<std::string>(&who)) return *reason;
  const auto found = repos.repos.find({type, id});
  if (found == repos.repos.end()) return "there is no repository " + id;
  return &found->second;
}

Objection drop(Repos& repos, const KeyId& author, const DropRepo& act) {
  const auto found = changeable(repos, author, act.type, act.id);
  if (const auto* reason = std::get_if<std::string>(&found)) return *reason;
  const Repo& repo = *std::get<Repo*>(found);
  if (repo.made.id != act.made) return "made: the repository is another one";
  Owner& owner = repos.owners.at(repo.owner);
  --owner.repos;
  owner.bytes -= repo.bytes;
  repos.repos.erase({act.type, act.id});
  return std::nullopt;
}

Objection set_ref(Repos& repos, const KeyId& author, const SetRef& act) {
  const auto found = changeable(repos, author, act.type, act.id);
  if (const auto* reason = std::get_if<std::string>(&found)) return *reason;
  Repo& repo = *std::get<Repo*>(found);
  Refs& refs = act.kind == RefKind::branch ? repo.branches : repo.tags;
  if (act.kind == RefKind::branch && act.name == kMainBranch) return "main is always there";
  const auto known = refs.find(act.name);
  if (act.from) {
    if (known == refs.end() || known->second != *act.from) return act.name + " is not there";
    refs.erase(known);
    return std::nullopt;
  }
  if (known != refs.end()) return act.name + " is there already";
  if (refs.size() >= kRefsPerRepoMax) return "the repository has too many of them";
  if (!repo.has_commit(*act.to)) return "to: the repository has no such commit";
  refs.emplace(act.name, *act.to);
  return std::nullopt;
}

Objection revise(Repos& repos, const Place& place, std::int64_t now_ms, const KeyId& author,
                 const Revise& act) {
  const auto found = changeable(repos, author, act.type, act.id);
  if (const auto* reason = std::get_if<std::string>(&found)) return *reason;
  Repo& repo = *std::get<Repo*>(found);
  const auto head = repo.branches.find(act.branch);
  if (head == repo.branches.end()) return "there is no branch " + act.branch;
  if (act.parent.value_or(repo.made.id) != head->second || act.parent == repo.made.id) {
    return "parent: the repository has another head";
  }
  repos.owners.at(repo.owner).bytes += act.new_bytes;
  repo.bytes += act.new_bytes;
  repo.revisions.push_back({place, author, act.title, act.message, act.tree, now_ms, head->second});
  head->second = place.id;
  return std::nullopt;
}

template <typename Act, typename Take>
Objection taken(const Result<Act>& act, const Take& take) {
  return act ? take(*act) : Objection(act.error().message);
}

}  // namespace

const char* name(RepoType type) { return type == RepoType::model ? "model" : "dataset"; }

std::optional<RepoType> parse_repo_type(std::string_view text) {
  if (text == "model") return RepoType::model;
  if (text == "dataset") return RepoType::dataset;
  return std::nullopt;
}

bool is_repo_name(std::string_view text) {
  if (text.empty() || text.size() > kRepoNameBytesMax || text.ends_with(".git")) return false;
  const auto edge = [](char c) { return c == '-' || c == '.'; };
  if (edge(text.front()) || edge(text.back())) return false;
  if (text.find("--") != text.npos || text.find("..") != text.npos) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
}

bool is_ref_name(std::string_view text) {
  if (text.empty() || text.size() > kRefNameBytesMax || text == "HEAD") return false;
  if (text.starts_with("refs/") || text.find("..") != text.npos) return false;
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if ((text.size() == 40 || text.size() == 64) && std::all_of(text.begin(), text.end(), hex)) {
    return false;
  }
  const bool allowed = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '/' || c == '-';
  });
  if (!allowed) return false;
  while (true) {
    const std::string_view part = text.substr(0, text.find('/'));
    if (part.empty() || part.front() == '.' || part.front() == '-' || part.back() == '.') {
      return false;
    }
    if (part.size() == text.size()) return true;
    text.remove_prefix(part.size() + 1);
  }
}

Payload write(const GrantToken& act) {
  return frame("token",
               {{"key", hex(act.key.bytes)}, {"name", act.name}, {"namespace", act.space}});
}

Result<GrantToken> parse_grant_token(const Payload& payload) {
  if (const Status status = check_frame(payload, 0); !status) return status.error();
  Fields fields(payload.body, "body");
  GrantToken act;
  act.key = fields.public_key("key");
  act.name = fields.plain("name", kTokenNameBytesMax);
  act.space = fields.slug("namespace", kSpaceBytesMax);
  return finish(fields, std::move(act));
}

Payload write(const RevokeToken& act) { return frame("token-revoke", {{"token", act.key.hex()}}); }

Result<RevokeToken> parse_revoke_token(const Payload& payload) {
  if (const Status status = check_frame(payload, 0); !status) return status.error();
  Fields fields(payload.body, "body");
  RevokeToken act;
  act.key = fields.digest("token");
  return finish(fields, std::move(act));
}

Payload write(const MakeRepo& act) {
  return frame("repo", {{"name", act.id}, {"type", name(act.type)}});
}

Result<MakeRepo> parse_make_repo(const Payload& payload) {
  if (const Status status = check_frame(payload, 0); !status) return status.error();
  Fields fields(payload.body, "body");
  MakeRepo act;
  act.id = read_id(fields, "name");
  act.type = read_type(fields);
  return finish(fields, std::move(act));
}

Payload write(const DropRepo& act) {
  return frame("repo-delete",
               {{"made", act.made.hex()}, {"name", act.id}, {"type", name(act.type)}});
}

Result<DropRepo> parse_drop_repo(const Payload& payload) {
  if (const Status status = check_frame(payload, 0); !status) return status.error();
  Fields fields(payload.body, "body");
  DropRepo act;
  act.made = fields.digest("made");
  act.id = read_id(fields, "name");
  act.type = read_type(fields);
  return finish(fields, std::move(act));
}

Payload write(const SetRef& act) {
  const auto record = [](const std::optional<RecordId>& id) {
    return id ? Json(id->hex()) : Json();
  };
  return frame("ref", {{"from", record(act.from)},
                       {"kind", act.kind == RefKind::branch ? "branch" : "tag"},
                       {"name", act.id},
                       {"ref", act.name},
                       {"to", record(act.to)},
                       {"type", name(act.type)}});
}

Result<SetRef> parse_set_ref(const Payload& payload) {
  if (const Status status = check_frame(payload, 0); !status) return status.error();
  Fields fields(payload.body, "body");
  SetRef act;
  act.from = fields.digest_or_null("from");
  act.id = read_id(fields, "name");
  act.name = read_ref(fields, "ref");
  act.to = fields.digest_or_null("to");
  act.type = read_type(fields);
  const std::string kind = read_text(fields, "kind", 16);
  if (kind != "branch" && kind != "tag") fields.refuse("kind", "must be \"branch\" or \"tag\"");
  act.kind = kind == "branch" ? RefKind::branch : RefKind::tag;
  if (act.from.has_value() == act.to.has_value()) {
    fields.refuse("from", "or \"to\" must be null, not both");
  }
  return finish(fields, std::move(act));
}

Payload write(const Revise& act) {
  Payload payload = frame("revision", {{"bytes", act.new_bytes},
                                       {"message", act.message},
                                       {"name", act.id},
                                       {"parent", act.parent ? Json(act.parent->hex()) : Json()},
                                       {"title", act.title},
                                       {"type", name(act.type)}});
  // Left out where it says nothing new, so that each act has one text.
  if (act.branch != kMainBranch) payload.body.object()->emplace("branch", act.branch);
  payload.blobs = {act.tree};
  return payload;
}

Result<Revise> parse_revise(const Payload& payload) {
  if (const Status status = check_frame(payload, 1); !status) return status.error();
  Fields fields(payload.body, "body");
  Revise act;
  if (payload.body.find("branch") != nullptr) {
    act.branch = read_ref(fields, "branch");
    if (act.branch == kMainBranch) fields.refuse("branch", "must be left out for main");
  }
  act.new_bytes = fields.integer("bytes", 0, static_cast<std::int64_t>(kBlobBytesMax));
  act.message = read_text(fields, "message", kMessageBytesMax);
  act.id = read_id(fields, "name");
  act.parent = fields.digest_or_null("parent");
  act.title = read_text(fields, "title", kTitleBytesMax);
  act.type = read_type(fields);
  act.tree = payload.blobs[0];
  if (act.tree.type != format::kTreeType || act.tree.size == 0 ||
      act.tree.size > format::kTreeBytesMax) {
    return invalid("blobs[0]: must be a tree manifest");
  }
  return finish(fields, std::move(act));
}

std::optional<KeyId> Repos::speaker(const KeyId& key) const {
  const auto token = tokens.find(key);
  if (token == tokens.end()) return key;
  if (token->second.revoked) return std::nullopt;
  return token->second.owner;
}

const Repo* Repos::find(RepoType type, const std::string& id) const {
  const auto found = repos.find({type, id});
  return found == repos.end() ? nullptr : &found->second;
}

bool Repo::has_commit(const RecordId& record) const {
  return record == made.id || std::any_of(revisions.begin(), revisions.end(),
                                          [&](const auto& one) { return one.place.id == record; });
}

bool is_repo_kind(std::string_view kind) {
  return kind == "token" || kind == "token-revoke" || kind == "repo" || kind == "repo-delete" ||
         kind == "revision" || kind == "ref";
}

Outcome apply(Repos& repos, const Place& place, std::int64_t now_ms, const Payload& payload) {
  HARAMBEE_CHECK(is_repo_kind(payload.kind));
  const KeyId& author = payload.author;
  Objection no;
  if (payload.kind == "token") {
    no = taken(parse_grant_token(payload),
               [&](const GrantToken& act) { return grant(repos, place, author, act); });
  } else if (payload.kind == "token-revoke") {
    no = taken(parse_revoke_token(payload),
               [&](const RevokeToken& act) { return revoke(repos, place, author, act); });
  } else if (payload.kind == "repo") {
    no = taken(parse_make_repo(payload),
               [&](const MakeRepo& act) { return make(repos, place, now_ms, author, act); });
  } else if (payload.kind == "repo-delete") {
    no = taken(parse_drop_repo(payload),
               [&](const DropRepo& act) { return drop(repos, author, act); });
  } else if (payload.kind == "ref") {
    no = taken(parse_set_ref(payload),
               [&](const SetRef& act) { return set_ref(repos, author, act); });
  } else {
    no = taken(parse_revise(payload),
               [&](const Revise& act) { return revise(repos, place, now_ms, author, act); });
  }
  if (!no) return {};
  return {Effect::inert, *std::move(no)};
}

}  // namespace harambee::fold
