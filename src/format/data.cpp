#include "format/data.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/check.h"
#include "base/json.h"

namespace harambee::format {
namespace {

Error bad(const std::string& why) { return invalid("data manifest: " + why); }

std::uint64_t total(const std::vector<Shard>& shards) {
  std::uint64_t bytes = 0;
  for (const Shard& shard : shards) bytes += shard.size;
  return bytes;
}
static_assert(kDataShardsMax * kDataShardBytesMax <= std::uint64_t{1} << 52, "totals fit JSON");

Result<Shard> shard_from(const Json& json) {
  const Json* digest = json.find("digest");
  const Json* size = json.find("size");
  const Json* domain = json.find("domain");
  if (!json.object() || json.object()->size() != (domain ? 3 : 2) || !digest || !digest->string() ||
      !size || !size->integer() || (domain && !domain->string())) {
    return bad("a shard is {\"digest\",\"size\"} and may have a \"domain\"");
  }
  Result<Digest> parsed = Digest::from_hex(*digest->string());
  if (!parsed) return wrap(parsed.error(), "data manifest");
  Shard shard{*parsed, static_cast<std::uint64_t>(*size->integer())};
  if (!domain) return shard;
  shard.domain = *domain->string();
  if (!is_domain_name(shard.domain)) {
    return bad("a domain's name is 1 to 31 of a-z, 0-9 and inner '-'");
  }
  return shard;
}

Result<std::vector<Shard>> shards_from(const Json& json, std::string_view name) {
  const Json* list = json.find(name);
  if (!list || !list->array()) return bad(std::string(name) + " must be a list");
  if (list->array()->size() > kDataShardsMax) {
    return fail(ErrorCode::limit, "data manifest: more than 4096 files in one list");
  }
  std::vector<Shard> out;
  for (const Json& item : *list->array()) {
    Result<Shard> shard = shard_from(item);
    if (!shard) return shard.error();
    out.push_back(*shard);
  }
  return out;
}

// Why the domains of the files do not fit together.
std::optional<Error> domains_wrong(const DataManifest& manifest) {
  std::vector<std::string> names;
  const std::string* last = nullptr;
  for (const Shard& shard : manifest.heldout) {
    const bool goes_on = last && *last == shard.domain;
    last = &shard.domain;
    if (shard.domain.empty() || goes_on) continue;
    if (!is_domain_name(shard.domain)) return bad("a bad name of a domain");
    if (!names.empty() && shard.domain <= names.back()) {
      return bad("held-out files must be in the order of their domains' names");
    }
    names.push_back(shard.domain);
  }
  if (names.size() > kDomainsMax) return bad("more than 8 domains");
  for (const Shard& shard : manifest.train) {
    if (shard.domain.empty() || std::ranges::binary_search(names, shard.domain)) continue;
    return bad("nothing is held out of the domain " + shard.domain);
  }
  return std::nullopt;
}

Status validate(const DataManifest& manifest) {
  if (manifest.train.empty()) return bad("train needs at least one file");
  std::set<Digest> seen;
  for (const std::vector<Shard>* list : {&manifest.train, &manifest.heldout}) {
    if (list->size() > kDataShardsMax) return bad("more than 4096 files in one list");
    for (const Shard& shard : *list) {
      if (shard.size == 0 || shard.size > kDataShardBytesMax) return bad("a size out of range");
      if (!seen.insert(shard.digest).second) return bad("the same file twice");
    }
  }
  if (std::optional<Error> wrong = domains_wrong(manifest)) return *wrong;
  return ok();
}

Json json_of(const std::vector<Shard>& shards) {
  JsonArray out;
  for (const Shard& shard : shards) {
    JsonObject file{{"digest", shard.digest.hex()}, {"size", shard.size}};
    if (!shard.domain.empty()) file.emplace("domain", shard.domain);
    out.push_back(std::move(file));
  }
  return out;
}

}  // namespace

std::uint64_t DataManifest::train_bytes() const { return total(train); }
std::uint64_t DataManifest::heldout_bytes() const { return total(heldout); }

std::vector<HeldOutDomain> DataManifest::domains() const {
  std::vector<HeldOutDomain> found;
  std::uint64_t begin = 0;
  for (const Shard& shard : heldout) {
    if (!shard.domain.empty()) {
      if (found.empty() || found.back().name != shard.domain) {
        found.push_back({shard.domain, begin, 0});
      }
      found.back().bytes += shard.size;
    }
    begin += shard.size;
  }
  return found;
}

bool is_domain_name(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !text.empty() && text.size() <= kDomainNameBytesMax && text.front() != '-' &&
         text.back() != '-' && std::ranges::all_of(text, allowed);
}

Result<DataManifest> parse_data_manifest(View bytes) {
  Result<Json> json = parse_canonical(bytes);
  if (!json) return wrap(json.error(), "data manifest");
  const Json* version = json->find("v");
  if (!json->object() || json->object()->size() != 3 || !version || !version->integer() ||
      *version->integer() != 1) {
    return bad("it must be {\"heldout\",\"train\",\"v\":1}");
  }
  Result<std::vector<Shard>> train = shards_from(*json, "train");
  if (!train) return train.error();
  Result<std::vector<Shard>> heldout = shards_from(*json, "heldout");
  if (!heldout) return heldout.error();
  DataManifest manifest{std::move(*train), std::move(*heldout)};
  if (Status valid = validate(manifest); !valid) return valid.error();
  return manifest;
}

Bytes write_data_manifest(const DataManifest& manifest) {
  HARAMBEE_CHECK(validate(manifest).ok());
  return to_bytes(write(JsonObject{
      {"heldout", json_of(manifest.heldout)}, {"train", json_of(manifest.train)}, {"v", 1}}));
}

}  // namespace harambee::format
