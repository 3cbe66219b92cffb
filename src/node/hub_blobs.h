// Blobs of a hub, through a local content-addressed directory: what is here is never fetched
// again, an interrupted transfer goes on where it stopped, in both directions, and nothing becomes
// visible before its digest was checked. Files, so that a trainer can map them.
// In `dir`: ab/<64 hex>, and <64 hex>.part for what is still coming in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "port/blobs.h"
#include "port/clock.h"
#include "port/wire.h"

namespace harambee::node {

class HubBlobs final : public Blobs {
 public:
  // `hub_url` empty: only what is here. `wire` may be null then. References outlive this.
  HubBlobs(std::string hub_url, std::filesystem::path dir, Wire* wire, Clock* clock);

  // The file with those bytes, fetched if it is not here. The size is part of the question: more
  // bytes are never taken. not_found: the hub has no such blob (yet). corrupt: the hub's bytes do
  // not have the digest (they are dropped). unavailable after three attempts without progress.
  [[nodiscard]] Result<std::filesystem::path> fetch(const BlobRef& ref);
  // fetch(), read into memory.
  [[nodiscard]] Result<Bytes> fetch_bytes(const BlobRef& ref);
  // Sends a local blob, from where the hub's copy ends. Being there already is success.
  // refused: the hub does not want it (no record names it). not_found: it is not here.
  [[nodiscard]] Status upload(const BlobRef& ref);
  // Whether the hub has it, whole. unavailable: it does not answer.
  [[nodiscard]] Result<bool> hub_has(const BlobRef& ref);
  // Takes a finished local file in: it is hashed, and moved or copied to its place.
  [[nodiscard]] Result<BlobRef> adopt(const std::filesystem::path& file, std::string type);

  [[nodiscard]] Result<Bytes> get(const Digest& want) override;  // local only
  [[nodiscard]] Status put(const Digest& digest, View bytes) override;
  [[nodiscard]] bool has(const Digest& digest) const override;
  [[nodiscard]] std::filesystem::path path(const Digest& digest) const;
  [[nodiscard]] Status remove(const Digest& digest);

 private:
  [[nodiscard]] Result<bool> fetch_chunk(const BlobRef& ref, const std::filesystem::path& part);
  [[nodiscard]] Result<std::uint64_t> upload_offset(const BlobRef& ref);

  std::string hub_url_;
  std::filesystem::path dir_;
  Wire* wire_;
  Clock* clock_;
};

}  // namespace harambee::node
