#include "hub/token_post.h"

#include "base/encoding.h"
#include "record/build.h"

namespace harambee::hub {
namespace {

constexpr int kTriesMax = 16;

}  // namespace

Result<std::shared_ptr<Ticket>> TokenPost::submit() {
  ++tries_;
  auto author = order_.author(key_.id());
  if (!author) return author.error();
  draft_.log = origin_;
  draft_.author = key_.id();
  if (*author) {
    draft_.seq = (*author)->next_seq;
    draft_.prev = (*author)->prev;
  } else {
    Payload identity;
    identity.log = origin_;
    identity.kind = "identity";
    identity.author = key_.id();
    identity.body = JsonObject{{"key", hex(key_.public_key().bytes)}};
    auto signed_identity = sign_record(identity, key_);
    if (!signed_identity) return signed_identity.error();
    auto parsed = parse_envelope(*signed_identity);
    if (!parsed) return parsed.error();
    // Its own verdict says nothing: if it is refused, so is the record that follows it.
    static_cast<void>(sequencer_.submit(*signed_identity));
    draft_.seq = 1;
    draft_.prev = parsed->id();
  }
  auto envelope = sign_record(draft_, key_);
  if (!envelope) return envelope.error();
  return sequencer_.submit(*std::move(envelope));
}

std::optional<Verdict> TokenPost::poll() {
  if (!ticket_) {
    auto ticket = submit();
    if (!ticket) return Verdict(Rejection{400, ticket.error().message, {}});
    ticket_ = *std::move(ticket);
  }
  auto verdict = ticket_->verdict();
  if (!verdict) return std::nullopt;
  const auto* no = std::get_if<Rejection>(&*verdict);
  if (no == nullptr || no->status != 409 || tries_ >= kTriesMax) return verdict;
  ticket_ = nullptr;
  return poll();
}

}  // namespace harambee::hub
