// `token new`, `list`, `revoke`: keys that Hugging Face tools may write with, in one's own name.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "cli/setup.h"
#include "cli/verbs.h"
#include "fold/repos.h"
#include "hub/hf_token.h"
#include "net/http_client.h"
#include "node/follower.h"
#include "node/publisher.h"
#include "store/file.h"

namespace harambee::cli {
namespace {

constexpr int kIdDigits = 12;

// The log and what it says of tokens, with a key to write to it.
struct Desk {
  std::optional<store::FileLock> lock;
  std::string hub;
  SystemClock clock;
  std::unique_ptr<net::CurlWire> wire;
  fold::Repos repos;
  std::unique_ptr<node::Follower> follower;
  std::optional<SecretKey> key;
  std::unique_ptr<node::Publisher> publisher;
  std::string last_reason;  // why the newest of our records changed nothing
};

Result<std::unique_ptr<Desk>> open_desk(const TokenOptions& options, Ui& ui) {
  catch_stop_signals();
  auto desk = std::make_unique<Desk>();
  Result<std::string> hub = node::parse_hub_address(options.hub);
  if (!hub) return hub.error();
  desk->hub = *hub;
  Result<SecretKey> key = load_or_make_key(
      options.common.key.empty() ? default_key_file() : std::filesystem::path(options.common.key),
      ui);
  if (!key) return key.error();
  desk->key = *key;
  const std::filesystem::path dir = cache_dir(options.common, *hub) / "tokens";
  if (Status made = store::make_folders(dir.string()); !made) return made.error();
  Result<store::FileLock> lock = store::FileLock::take((dir / "lock").string());
  if (!lock) return lock.error();
  desk->lock.emplace(*std::move(lock));
  net::CurlOptions curl;
  curl.cancel = &stop_flag();
  desk->wire = std::make_unique<net::CurlWire>(curl);
  node::FollowerOptions follow{.hub_url = *hub, .dir = dir / "log", .vkey = {}};
  follow.signatures = node::Signatures::of_new_entries;
  Desk* self = desk.get();
  Result<std::unique_ptr<node::Follower>> follower = node::Follower::open(
      follow, desk->wire.get(),
      [self](std::uint64_t index, const Record& record, const fold::LogState& state) {
        if (!fold::is_repo_kind(record.payload().kind)) return ok();
        const fold::Outcome outcome =
            fold::apply(self->repos, {index, record.id()}, state.now_ms(), record.payload());
        if (record.payload().author == self->key->id()) self->last_reason = outcome.reason;
        return ok();
      });
  if (!follower) return follower.error();
  desk->follower = *std::move(follower);
  if (Result<std::uint64_t> news = desk->follower->follow(); !news) return news.error();
  desk->publisher =
      std::make_unique<node::Publisher>(*desk->follower, *desk->key, *desk->wire, desk->clock, dir,
                                        [&ui](const std::string& text) { ui.note(text); });
  return desk;
}

// The record is logged; whether it changed anything, the fold says.
Status post(Desk& desk, const Payload& draft) {
  Result<node::Posted> posted = desk.publisher->post(draft);
  if (!posted) return posted.error();
  if (!desk.last_reason.empty()) return fail(ErrorCode::refused, desk.last_reason);
  return ok();
}

nlohmann::json describe(const fold::Token& token) {
  return {{"token", token.key.hex()},
          {"name", token.name},
          {"entry", token.granted.index},
          {"revoked", token.revoked.has_value()}};
}

Exit token_failed(const Error& error, Ui& ui) {
  return ui.fail(error, {"", "harambee token list --hub URL shows what the log knows"});
}

// Our token that the text means: the token itself, or the first digits of its id.
Result<KeyId> which(const Desk& desk, const std::string& text) {
  if (const auto key = hub::token_key(text)) return key->id();
  std::optional<KeyId> found;
  for (const auto& [id, token] : desk.repos.tokens) {
    if (token.owner != desk.key->id() || !id.hex().starts_with(text)) continue;
    if (found) return invalid("several of your tokens begin with " + text);
    found = id;
  }
  if (text.empty() || !found) return fail(ErrorCode::not_found, "you have no token " + text);
  return *found;
}

}  // namespace

Exit token_new(const TokenOptions& options, Ui& ui) {
  Result<std::unique_ptr<Desk>> desk = open_desk(options, ui);
  if (!desk) return token_failed(desk.error(), ui);
  const auto owner = (*desk)->repos.owners.find((*desk)->key->id());
  std::string space = options.space;
  if (space.empty() && owner != (*desk)->repos.owners.end()) space = owner->second.space;
  if (space.empty()) {
    return ui.fail(kUsage, "which namespace shall be yours on this hub?",
                   {"", "--namespace NAME: your repositories will be NAME/…"});
  }
  const std::string token = hub::new_token();
  const std::optional<SecretKey> key = hub::token_key(token);
  HARAMBEE_CHECK(key.has_value());
  Status posted =
      post(**desk, fold::write(fold::GrantToken{key->public_key(), options.name, space}));
  if (!posted) return token_failed(posted.error(), ui);
  ui.line(fmt::format("{}", ui.bold(token)));
  ui.note(
      fmt::format("shown once; whoever has it can publish as {0}. Use it with:\n"
                  "  export HF_ENDPOINT={1} HF_TOKEN=hrb_…\n"
                  "take it back with: harambee token revoke {2} --hub {1}",
                  space, (*desk)->hub, key->id().hex().substr(0, kIdDigits)));
  ui.event({{"event", "done"},
            {"token", token},
            {"id", key->id().hex()},
            {"namespace", space},
            {"hub", (*desk)->hub}});
  return kOk;
}

Exit token_list(const TokenOptions& options, Ui& ui) {
  Result<std::unique_ptr<Desk>> desk = open_desk(options, ui);
  if (!desk) return token_failed(desk.error(), ui);
  nlohmann::json list = nlohmann::json::array();
  const auto owner = (*desk)->repos.owners.find((*desk)->key->id());
  if (owner != (*desk)->repos.owners.end()) {
    ui.line(fmt::format("namespace {}", ui.bold(owner->second.space)));
    for (const KeyId& id : owner->second.tokens) {
      const fold::Token& token = (*desk)->repos.tokens.at(id);
      ui.line(fmt::format("{}  {}  entry {}{}", id.hex().substr(0, kIdDigits), token.name,
                          token.granted.index, token.revoked ? "  revoked" : ""));
      list.push_back(describe(token));
    }
  } else {
    ui.line("no tokens on this hub");
  }
  ui.event({{"event", "done"}, {"tokens", std::move(list)}});
  return kOk;
}

Exit token_revoke(const TokenOptions& options, Ui& ui) {
  Result<std::unique_ptr<Desk>> desk = open_desk(options, ui);
  if (!desk) return token_failed(desk.error(), ui);
  Result<KeyId> id = which(**desk, options.token);
  if (!id) return token_failed(id.error(), ui);
  Status posted = post(**desk, fold::write(fold::RevokeToken{*id}));
  if (!posted) return token_failed(posted.error(), ui);
  ui.line(fmt::format("revoked {}", id->hex().substr(0, kIdDigits)));
  ui.event({{"event", "done"}, {"revoked", id->hex()}});
  return kOk;
}

}  // namespace harambee::cli
