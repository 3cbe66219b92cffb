#include "node/publisher.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "base/json.h"
#include "base/rng.h"
#include "fold/acts.h"
#include "record/build.h"
#include "record/limits.h"
#include "store/file.h"

namespace harambee::node {
namespace {

constexpr std::int64_t kPauseMsFirst = 250;
constexpr std::int64_t kPauseMsMax = 30'000;
constexpr std::int64_t kRetryAfterSecondsMax = 60;

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::int64_t retry_after_ms(const WireResponse& response) {
  const auto found = response.headers.find("retry-after");
  if (found == response.headers.end()) return 0;
  const auto seconds = number_of(found->second);
  return seconds ? 1000 * std::min(*seconds, kRetryAfterSecondsMax) : 0;
}

// The index in {"id":…,"index":n,"size":m}: a hint, checked by following the log.
Result<std::uint64_t> index_in(View body) {
  if (!body.empty() && body.back() == '\n') body = body.first(body.size() - 1);
  const auto json = parse_canonical(body);
  const Json* member = json ? json->find("index") : nullptr;
  const std::int64_t* index = member ? member->integer() : nullptr;
  if (!index || *index < 0) {
    return fail(ErrorCode::unavailable, "the hub's answer to a record makes no sense");
  }
  return static_cast<std::uint64_t>(*index);
}

std::string short_text(View body) {
  std::string message(text(body.first(std::min<std::size_t>(body.size(), 300))));
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return message;
}

}  // namespace

Publisher::Publisher(Follower& follower, const SecretKey& key, Wire& wire, Clock& clock,
                     std::filesystem::path dir, NoteFn on_note)
    : follower_(follower),
      key_(key),
      wire_(wire),
      clock_(clock),
      dir_(std::move(dir)),
      on_note_(std::move(on_note)) {}

Result<Bytes> Publisher::sign(Payload draft) const {
  const fold::LogState& state = follower_.state();
  draft.log = state.origin;
  draft.author = key_.id();
  draft.seq = state.next_seq(draft.author);
  draft.prev = state.prev(draft.author);
  return sign_record(draft, key_);
}

Result<RecordId> Publisher::prepare(const Payload& draft) {
  if (Status known = ensure_identity(); !known) return known.error();
  const auto envelope = sign(draft);
  if (!envelope) return envelope.error();
  const auto parsed = parse_envelope(*envelope);
  if (!parsed) return parsed.error();
  if (Status kept = store::write_file_atomic(pending_path().string(), *envelope); !kept) {
    return kept.error();
  }
  return parsed->id();
}

Result<Posted> Publisher::post(const Payload& draft) {
  const auto left_over = pending();
  if (!left_over) return left_over.error();
  if (left_over->has_value()) {
    if (const auto ended = finish(); !ended && ended.error().code != ErrorCode::refused) {
      return ended.error();
    }
  }
  if (const auto prepared = prepare(draft); !prepared) return prepared.error();
  return finish();
}

Result<Posted> Publisher::finish() {
  auto envelope = store::read_file(pending_path().string(), kRecordEnvelopeBytesMax);
  if (!envelope) return envelope.error();
  if (Status known = ensure_identity(); !known) return known.error();
  auto posted = send(std::move(*envelope), true);
  if (posted || posted.error().code == ErrorCode::refused) {
    if (Status dropped = drop(); !dropped) return dropped.error();
  }
  return posted;
}

Result<std::optional<Payload>> Publisher::pending() const {
  const auto envelope = store::read_file(pending_path().string(), kRecordEnvelopeBytesMax);
  if (!envelope) {
    if (envelope.error().code == ErrorCode::not_found) return std::optional<Payload>();
    return envelope.error();
  }
  const auto parsed = parse_envelope(*envelope);
  if (!parsed) return wrap(parsed.error(), pending_path().string());
  return std::optional<Payload>(parsed->payload());
}

Status Publisher::drop() {
  std::error_code error;
  std::filesystem::remove(pending_path(), error);
  if (error) return fail(ErrorCode::io, pending_path().string() + ": " + error.message());
  return ok();
}

Status Publisher::ensure_identity() {
  if (follower_.state().author(key_.id())) return ok();
  if (follower_.origin().empty()) {
    if (const auto followed = follower_.follow(); !followed) return followed.error();
    if (follower_.state().author(key_.id())) return ok();
  }
  const auto envelope = sign(fold::write(fold::Identity{key_.public_key()}));
  if (!envelope) return envelope.error();
  // Not kept as pending: the same key always makes the same bytes.
  auto posted = send(*envelope, false);
  if (!posted && posted.error().code == ErrorCode::conflict) {
    // Another process of this key was first.
    if (const auto followed = follower_.follow(); !followed) return followed.error();
    return follower_.state().author(key_.id()) ? ok() : Status(posted.error());
  }
  return posted ? ok() : Status(posted.error());
}

Status Publisher::pause(std::int64_t ms_least) {
  const std::int64_t grown = std::min(kPauseMsMax, kPauseMsFirst << std::min(failures_, 10));
  const std::int64_t base = std::max(ms_least, grown);
  ++failures_;
  // Jitter from the key: machines that fail together come back one after the other.
  const std::uint64_t spread = draw(key_.id(), ++draws_, 0) % static_cast<std::uint64_t>(base);
  if (!clock_.wait_ms(base / 2 + static_cast<std::int64_t>(spread))) {
    return fail(ErrorCode::cancelled, "stopped while a record was on its way");
  }
  return ok();
}

// The receipt; nothing if it has to be tried again later (after a pause that was made here).
// conflict: the sequence number was taken. refused: never.
Result<std::optional<Posted>> Publisher::send_once(View envelope) {
  WireRequest request;
  request.method = "POST";
  request.url = follower_.hub_url() + "/records";
  request.headers["content-type"] = "application/json";
  request.body = envelope;
  request.response_bytes_max = 1u << 20;
  const auto response = wire_.exchange(request);
  const auto later = [this](const std::string& why,
                            std::int64_t ms) -> Result<std::optional<Posted>> {
    if (on_note_) on_note_(why + "; trying again");
    if (Status paused = pause(ms); !paused) return paused.error();
    return std::optional<Posted>();
  };
  if (!response) {
    if (response.error().code != ErrorCode::unavailable) return response.error();
    return later(response.error().message, 0);
  }
  const int status = response->status;
  if (status == 200) {
    const auto index = index_in(response->body);
    if (!index) return later(index.error().message, 0);
    const auto parsed = parse_envelope(envelope);
    if (!parsed) return parsed.error();
    failures_ = 0;
    return std::optional<Posted>(Posted{parsed->id(), *index});
  }
  const std::string said = short_text(response->body);
  if (status == 409) return fail(ErrorCode::conflict, "the hub says: " + said);
  if (status == 429 || status >= 500) {
    return later(fmt::format("the hub is busy ({})", status), retry_after_ms(*response));
  }
  return fail(ErrorCode::refused, fmt::format("the hub refused the record ({}): {}", status, said));
}

Status Publisher::follow_to(std::uint64_t index) {
  while (follower_.size() <= index) {
    const auto followed = follower_.follow(1000);
    if (followed) continue;
    if (followed.error().code != ErrorCode::unavailable) return followed.error();
    if (Status paused = pause(0); !paused) return paused;
  }
  failures_ = 0;
  return ok();
}

Result<Posted> Publisher::send(Bytes envelope, bool keep) {
  for (;;) {
    auto posted = send_once(envelope);
    if (posted && !posted->has_value()) continue;
    if (posted) {
      if (Status seen = follow_to((*posted)->index); !seen) return seen.error();
      return **posted;
    }
    if (posted.error().code != ErrorCode::conflict || !keep) return posted.error();
    // Another process of this key was faster, or our copy of the log is old: sign the same draft
    // for the next free number.
    const auto followed = follower_.follow(0);
    if (!followed && followed.error().code != ErrorCode::unavailable) return followed.error();
    const auto parsed = parse_envelope(envelope);
    if (!parsed) return parsed.error();
    auto again = sign(parsed->payload());
    if (!again) return again.error();
    if (*again == envelope) {  // nothing new to say: ask again later
      if (Status paused = pause(0); !paused) return paused.error();
    }
    envelope = std::move(*again);
    if (Status kept = store::write_file_atomic(pending_path().string(), envelope); !kept) {
      return kept.error();
    }
  }
}

Status Publisher::ask_for_tick() {
  WireRequest request;
  request.method = "POST";
  request.url = follower_.hub_url() + "/tick";
  request.response_bytes_max = 1u << 20;
  const auto response = wire_.exchange(request);
  return response ? ok() : Status(response.error());
}

}  // namespace harambee::node
