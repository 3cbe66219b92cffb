// The payload of a record ↔ its canonical JSON.
#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "record/limits.h"
#include "record/record.h"

namespace harambee {
namespace {

Error bad(std::string_view member, const char* rule) {
  return invalid("record member \"" + std::string(member) + "\" " + rule);
}

bool is_visible_ascii(char c) { return c > 0x20 && c < 0x7f; }

// An origin as a note's key name allows it, kept to ASCII.
bool is_origin(std::string_view text) {
  return !text.empty() && text.size() <= kRecordLogBytesMax &&
         std::ranges::all_of(text, [](char c) { return is_visible_ascii(c) && c != '+'; });
}

bool is_kind(std::string_view text) {
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto later = [&](char c) {
    return lower(c) || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= kRecordKindBytesMax && lower(text.front()) &&
         std::ranges::all_of(text, later);
}

bool is_media_type(std::string_view text) {
  return !text.empty() && text.size() <= kBlobTypeBytesMax &&
         std::ranges::all_of(text, is_visible_ascii);
}

Result<std::string> take_string(const Json& from, std::string_view member,
                                bool (*allowed)(std::string_view), const char* rule) {
  const Json* value = from.find(member);
  const std::string* text = value != nullptr ? value->string() : nullptr;
  if (text == nullptr || !allowed(*text)) return bad(member, rule);
  return *text;
}

Result<Digest> take_digest(const Json& from, std::string_view member) {
  const Json* value = from.find(member);
  const std::string* text = value != nullptr ? value->string() : nullptr;
  auto digest = Digest::from_hex(text != nullptr ? *text : "");
  if (!digest) return bad(member, "must be 64 lower-case hex digits");
  return digest;
}

Result<std::int64_t> take_count(const Json& from, std::string_view member) {
  const Json* value = from.find(member);
  const std::int64_t* count = value != nullptr ? value->integer() : nullptr;
  if (count == nullptr || *count < 0) return bad(member, "must be an integer, not negative");
  return *count;
}

Result<BlobRef> read_blob(const Json& from) {
  auto digest = take_digest(from, "digest");
  if (!digest) return digest.error();
  auto size = take_count(from, "size");
  if (!size) return size.error();
  if (static_cast<std::uint64_t>(*size) > kBlobBytesMax) {
    return fail(ErrorCode::limit, "a blob larger than " + std::to_string(kBlobBytesMax) + " bytes");
  }
  auto type = take_string(from, "type", is_media_type, "must be a media type");
  if (!type) return type.error();
  if (from.object()->size() != 3) return bad("blobs", "has unknown members");
  return BlobRef{*digest, static_cast<std::uint64_t>(*size), *std::move(type)};
}

Status read_blobs(const Json& from, std::vector<BlobRef>& out) {
  const Json* value = from.find("blobs");
  const JsonArray* items = value != nullptr ? value->array() : nullptr;
  if (items == nullptr) return bad("blobs", "must be a list");
  if (items->size() > kRecordBlobsMax) return fail(ErrorCode::limit, "too many blobs");
  out.reserve(items->size());
  for (const Json& item : *items) {
    auto blob = read_blob(item);
    if (!blob) return blob.error();
    out.push_back(*std::move(blob));
  }
  return ok();
}

// v, log, kind, author, seq.
Status read_head(const Json& from, Payload& out) {
  const Json* version = from.find("v");
  if (version == nullptr || version->integer() == nullptr || *version->integer() != out.v) {
    return bad("v", "must be 1");
  }
  auto log = take_string(from, "log", is_origin, "must be the origin of a log");
  if (!log) return log.error();
  auto kind = take_string(from, "kind", is_kind, "must be [a-z][a-z0-9._-]*, at most 64 bytes");
  if (!kind) return kind.error();
  auto author = take_digest(from, "author");
  if (!author) return author.error();
  auto seq = take_count(from, "seq");
  if (!seq) return seq.error();
  out.log = *std::move(log);
  out.kind = *std::move(kind);
  out.author = *author;
  out.seq = static_cast<std::uint64_t>(*seq);
  return ok();
}

// prev, run, round.
Status read_links(const Json& from, Payload& out) {
  const Json* prev = from.find("prev");
  if (prev == nullptr) return bad("prev", "is missing");
  if (prev->is_null() != (out.seq == 0)) return bad("prev", "must be null exactly if seq is 0");
  if (!prev->is_null()) {
    auto id = take_digest(from, "prev");
    if (!id) return id.error();
    out.prev = *id;
  }
  if (from.find("run") != nullptr) {
    auto id = take_digest(from, "run");
    if (!id) return id.error();
    out.run = *id;
  }
  if (from.find("round") != nullptr) {
    auto round = take_count(from, "round");
    if (!round) return round.error();
    if (!out.run) return bad("round", "needs a run");
    out.round = *round;
  }
  return ok();
}

// An author's record 0, and only that, says who the author is.
Status check_introduction(const Payload& payload) {
  const bool introduces = payload.kind == "identity" || payload.kind == "genesis";
  if (introduces != (payload.seq == 0)) {
    return invalid("an author's record 0, and only that, must be an identity or genesis");
  }
  if (!introduces) return ok();
  const Json* value = payload.body.find("key");
  const std::string* text = value != nullptr ? value->string() : nullptr;
  auto key = PublicKey::from_hex(text != nullptr ? *text : "");
  if (!key) return bad("body.key", "must be the author's public key in hex");
  if (key_id(*key) != payload.author) return bad("author", "is not the key id of body.key");
  return ok();
}

}  // namespace

Result<Payload> parse_payload(View canonical_json) {
  if (canonical_json.size() > kRecordPayloadBytesMax) {
    return fail(ErrorCode::limit,
                "the payload is larger than " + std::to_string(kRecordPayloadBytesMax) + " bytes");
  }
  auto json = parse_canonical(canonical_json);
  if (!json) return json.error();
  JsonObject* members = json->object();
  if (members == nullptr) return invalid("a record's payload must be an object");
  Payload payload;
  if (Status head = read_head(*json, payload); !head) return head.error();
  if (Status links = read_links(*json, payload); !links) return links.error();
  if (Status blobs = read_blobs(*json, payload.blobs); !blobs) return blobs.error();
  const auto body = members->find("body");
  if (body == members->end() || body->second.object() == nullptr) {
    return bad("body", "must be an object");
  }
  payload.body = std::move(body->second);
  const std::size_t known = 8 + (payload.run ? 1 : 0) + (payload.round ? 1 : 0);
  if (members->size() != known) return invalid("a record with unknown members");
  if (Status who = check_introduction(payload); !who) return who.error();
  return payload;
}

std::string write_payload(const Payload& payload) {
  JsonArray blobs;
  for (const BlobRef& blob : payload.blobs) {
    blobs.push_back(
        JsonObject{{"digest", blob.digest.hex()}, {"size", Json(blob.size)}, {"type", blob.type}});
  }
  JsonObject members{
      {"author", payload.author.hex()},
      {"blobs", std::move(blobs)},
      {"body", payload.body},
      {"kind", payload.kind},
      {"log", payload.log},
      {"prev", payload.prev ? Json(payload.prev->hex()) : Json(nullptr)},
      {"seq", Json(payload.seq)},
      {"v", Json(payload.v)},
  };
  if (payload.run) members.emplace("run", payload.run->hex());
  if (payload.round) members.emplace("round", Json(*payload.round));
  return write(Json(std::move(members)));
}

}  // namespace harambee
