#include "hub/uncommitted.h"

#include <algorithm>

namespace harambee::hub {

Status Uncommitted::load() {
  if (loaded_) return ok();
  auto all = ledger_.all();
  if (!all) return wrap(all.error(), "the list of uploads");
  for (const NotedUpload& one : *all) {
    uploads_.emplace(Key{one.digest, one.owner}, Upload{one.size, one.unix_ms});
    bytes_[one.owner] += one.size;
  }
  loaded_ = true;
  return ok();
}

Result<bool> Uncommitted::take(const KeyId& owner, const Digest& digest, std::uint64_t size,
                               std::uint64_t room, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  if (const Status loaded = load(); !loaded) return loaded.error();
  const Key key{digest, owner};
  const auto there = uploads_.find(key);
  if (there == uploads_.end()) {
    if (uploads_.size() >= limits_.uploads_max) {
      return fail(ErrorCode::limit, "too many uploads on this hub are not committed");
    }
    std::uint64_t& bytes = bytes_[owner];
    if (bytes > room || size > room - bytes) return false;
    bytes += size;
    uploads_.emplace(key, Upload{size, now_ms});
  } else {
    there->second.unix_ms = now_ms;
  }
  changed_.insert(key);
  return true;
}

Status Uncommitted::keep() {
  const std::lock_guard lock(mutex_);
  std::vector<NotedUpload> notes;
  for (const Key& key : changed_) {
    const auto it = uploads_.find(key);
    if (it == uploads_.end()) continue;
    notes.push_back({key.second, key.first, it->second.size, it->second.unix_ms});
  }
  if (!notes.empty()) {
    if (const Status noted = ledger_.note(notes); !noted) return noted;
  }
  changed_.clear();
  return ok();
}

void Uncommitted::hold(std::span<const Digest> digests, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  if (!load()) return;  // then nothing is swept either
  for (const Digest& digest : digests) {
    for (auto it = uploads_.lower_bound({digest, KeyId{}});
         it != uploads_.end() && it->first.first == digest; ++it) {
      it->second.unix_ms = now_ms;
    }
  }
}

void Uncommitted::erase(std::map<Key, Upload>::iterator it) {
  const auto bytes = bytes_.find(it->first.second);
  bytes->second -= it->second.size;
  if (bytes->second == 0) bytes_.erase(bytes);
  changed_.erase(it->first);
  uploads_.erase(it);
}

Status Uncommitted::committed(const KeyId& owner, std::span<const Digest> digests) {
  const std::lock_guard lock(mutex_);
  if (const Status loaded = load(); !loaded) return loaded;
  std::vector<std::pair<KeyId, Digest>> gone;
  for (const Digest& digest : digests) {
    const auto it = uploads_.find({digest, owner});
    if (it == uploads_.end()) continue;
    gone.emplace_back(owner, digest);
    erase(it);
  }
  return gone.empty() ? ok() : ledger_.forget(gone);
}

bool Uncommitted::stale(const Upload& upload, std::int64_t now_ms) const {
  return now_ms - upload.unix_ms > limits_.kept_ms;
}

Result<bool> Uncommitted::drop(const Key& key, std::int64_t now_ms, bool is_named) {
  // Under the lock to the end: a commit that would name it holds it first, or finds no bytes.
  const std::lock_guard lock(mutex_);
  const auto it = uploads_.find(key);
  if (it == uploads_.end() || !stale(it->second, now_ms)) return false;
  bool wanted = is_named;
  for (auto other = uploads_.lower_bound({key.first, KeyId{}});
       other != uploads_.end() && other->first.first == key.first; ++other) {
    wanted = wanted || !stale(other->second, now_ms);
  }
  const bool had_bytes = !wanted && blobs_.size(key.first).has_value();
  if (!wanted) {
    blobs_.drop_upload(key.first, 0);
    if (const Status removed = blobs_.remove(key.first); !removed) return removed.error();
  }
  const std::pair<KeyId, Digest> one{key.second, key.first};
  if (const Status forgotten = ledger_.forget({&one, 1}); !forgotten) return forgotten.error();
  erase(it);
  return had_bytes;
}

Result<std::size_t> Uncommitted::sweep(std::int64_t now_ms, const Named& named) {
  std::vector<Key> old;
  std::set<Digest> digests;
  {
    const std::lock_guard lock(mutex_);
    if (const Status loaded = load(); !loaded) return loaded.error();
    for (const auto& [key, upload] : uploads_) {
      if (!stale(upload, now_ms)) continue;
      old.push_back(key);
      digests.insert(key.first);
    }
  }
  if (old.empty()) return std::size_t{0};
  const auto there = named(digests);
  if (!there) return there.error();
  std::size_t gone = 0;
  for (const Key& key : old) {
    const auto dropped = drop(key, now_ms, there->contains(key.first));
    if (!dropped) return dropped.error();
    gone += *dropped ? 1 : 0;
  }
  return gone;
}

}  // namespace harambee::hub
