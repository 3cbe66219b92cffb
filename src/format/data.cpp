#include "format/data.h"

#include <set>

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
  if (!json.object() || json.object()->size() != 2 || !digest || !digest->string() || !size ||
      !size->integer()) {
    return bad("a shard is {\"digest\",\"size\"}");
  }
  Result<Digest> parsed = Digest::from_hex(*digest->string());
  if (!parsed) return wrap(parsed.error(), "data manifest");
  return Shard{*parsed, static_cast<std::uint64_t>(*size->integer())};
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

Status validate(const DataManifest& manifest) {
  std::set<Digest> seen;
  for (const std::vector<Shard>* list : {&manifest.train, &manifest.heldout}) {
    if (list->empty()) return bad("train and heldout need at least one file each");
    if (list->size() > kDataShardsMax) return bad("more than 4096 files in one list");
    for (const Shard& shard : *list) {
      if (shard.size == 0 || shard.size > kDataShardBytesMax) return bad("a size out of range");
      if (!seen.insert(shard.digest).second) return bad("the same file twice");
    }
  }
  return ok();
}

Json json_of(const std::vector<Shard>& shards) {
  JsonArray out;
  for (const Shard& shard : shards) {
    out.push_back(JsonObject{{"digest", shard.digest.hex()}, {"size", shard.size}});
  }
  return out;
}

}  // namespace

std::uint64_t DataManifest::train_bytes() const { return total(train); }
std::uint64_t DataManifest::heldout_bytes() const { return total(heldout); }

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
