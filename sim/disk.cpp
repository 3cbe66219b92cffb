#include "sim/disk.h"

#include <algorithm>
#include <set>

namespace harambee::sim {
namespace {

Error dead() { return fail(ErrorCode::io, "the process was killed"); }

template <typename Map>
std::optional<typename Map::mapped_type> find(const Map& map, const typename Map::key_type& key) {
  const auto found = map.find(key);
  if (found == map.end()) return std::nullopt;
  return found->second;
}

}  // namespace

Disk::Step Disk::step() {
  if (killed_) return Step::died_before;
  if (steps_left_ == 0 || --steps_left_ > 0) return Step::done;
  killed_ = true;
  return last_done_ ? Step::died_after : Step::died_before;
}

Status Disk::commit(const hub::OrderBatch& batch) {
  Platters::Database& db = platters_.database;
  if (batch.old_head.size != db.head.size || batch.old_head.checkpoint != db.head.checkpoint) {
    return fail(ErrorCode::conflict, "the log moved on");
  }
  std::set<Digest> fresh;
  for (const auto& entry : batch.entries) {
    if (db.ids.contains(entry.id) || !fresh.insert(entry.id).second ||
        db.seqs.contains({entry.author, entry.seq})) {
      return fail(ErrorCode::conflict, "the record is logged already");
    }
  }
  for (const auto& run : batch.runs) {
    if (db.runs.contains(run.name)) return fail(ErrorCode::conflict, "the name is taken");
  }
  const Step now = step();
  if (now == Step::died_before) return dead();
  std::uint64_t index = db.head.size;
  for (const auto& entry : batch.entries) {
    db.ids[entry.id] = index;
    db.seqs.insert({entry.author, entry.seq});
    db.staged[index++] = entry.envelope;
  }
  for (const auto& [key, state] : batch.authors) db.authors[key] = state;
  db.blobs.insert(batch.blobs.begin(), batch.blobs.end());
  for (const auto& run : batch.runs) db.runs[run.name] = run;
  db.staged.erase(db.staged.begin(), db.staged.lower_bound(batch.published));
  db.head = batch.new_head;
  return now == Step::done ? ok() : Status(dead());
}

Result<hub::OrderHead> Disk::head() {
  if (killed_) return dead();
  return platters_.database.head;
}

Result<std::optional<std::uint64_t>> Disk::index_of(const Digest& record_id) {
  if (killed_) return dead();
  return find(platters_.database.ids, record_id);
}

Result<std::optional<hub::AuthorState>> Disk::author(const KeyId& author) {
  if (killed_) return dead();
  return find(platters_.database.authors, author);
}

Result<bool> Disk::expects(const Digest& digest, std::uint64_t size) {
  if (killed_) return dead();
  return platters_.database.blobs.contains({digest, size});
}

Result<std::optional<hub::NamedRun>> Disk::run(const std::string& name) {
  if (killed_) return dead();
  return find(platters_.database.runs, name);
}

Result<std::vector<hub::NamedRun>> Disk::runs(std::uint64_t count_max) {
  if (killed_) return dead();
  std::vector<hub::NamedRun> all;
  for (const auto& [name, run] : platters_.database.runs) all.push_back(run);
  std::ranges::sort(all, {}, &hub::NamedRun::index);
  if (all.size() > count_max) all.resize(count_max);
  return all;
}

Result<std::vector<Bytes>> Disk::staged(std::uint64_t from) {
  if (killed_) return dead();
  std::vector<Bytes> envelopes;
  for (std::uint64_t index = from; index < platters_.database.head.size; ++index) {
    const auto found = platters_.database.staged.find(index);
    if (found == platters_.database.staged.end()) {
      return fail(ErrorCode::corrupt, "entry " + std::to_string(index) + " is not staged");
    }
    envelopes.push_back(found->second);
  }
  return envelopes;
}

Result<Bytes> Disk::read(const std::string& name) {
  if (killed_) return dead();
  const auto found = platters_.files.find(name);
  if (found == platters_.files.end()) return fail(ErrorCode::not_found, name + " is not there");
  return found->second;
}

Status Disk::replace(const std::string& name, View bytes) {
  const Step now = step();
  if (now == Step::died_before) return dead();
  platters_.files[name].assign(bytes.begin(), bytes.end());
  return now == Step::done ? ok() : Status(dead());
}

Status Disk::create(const std::string& name, View bytes) {
  const auto there = platters_.files.find(name);
  if (!killed_ && there != platters_.files.end()) {
    if (std::equal(bytes.begin(), bytes.end(), there->second.begin(), there->second.end())) {
      return ok();
    }
    return fail(ErrorCode::corrupt, name + " holds other bytes than it must");
  }
  const Step now = step();
  if (now == Step::died_before) return dead();
  platters_.files.emplace(name, Bytes(bytes.begin(), bytes.end()));
  newest_file_ = name;
  return now == Step::done ? ok() : Status(dead());
}

Status Disk::remove_folder(const std::string& name) {
  const Step now = step();
  if (now == Step::died_before) return dead();
  const std::string prefix = name + "/";
  auto at = platters_.files.lower_bound(prefix);
  while (at != platters_.files.end() && at->first.starts_with(prefix)) {
    at = platters_.files.erase(at);
  }
  return now == Step::done ? ok() : Status(dead());
}

}  // namespace harambee::sim
