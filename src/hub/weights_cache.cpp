#include "hub/weights_cache.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "format/model.h"

namespace harambee::hub {
namespace {

constexpr std::size_t kDigestsKept = 100'000;  // of GGUF files
constexpr unsigned kLane = 0;

// A file that can be made of weights.
using Wanted = std::pair<Digest, std::optional<format::GgufType>>;

Wanted wanted(const HfWeights& weights) { return {weights.digest, weights.gguf}; }

}  // namespace

struct WeightsCache::State {
  State(WeightsCacheLimits limits, const LogFolder& log, BlobShelf& blobs, BlobShelf& shelf,
        MakeWeights make, std::function<void()> wake)
      : limits(limits),
        log(log),
        blobs(blobs),
        shelf(shelf),
        make(std::move(make)),
        wake(std::move(wake)) {}

  Result<std::optional<Made>> ask(const HfWeights& job);
  std::optional<Digest> known_digest(const HfWeights& job);
  bool touch(const Digest& digest);
  Status enqueue(const HfWeights& job);
  void make_room(std::uint64_t bytes);
  void keep(const Digest& digest, std::uint64_t size);
  Result<Bytes> safetensors(const HfWeights& job, const fold::RunState& run);
  Status compute(const HfWeights& job);
  Status compute_gguf(const HfWeights& job, const fold::RunState& run, View weights);
  void work();

  const WeightsCacheLimits limits;
  const LogFolder& log;
  BlobShelf& blobs;
  BlobShelf& shelf;
  const MakeWeights make;
  const std::function<void()> wake;

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<HfWeights> jobs;                          // the first is being worked on
  std::map<Wanted, Error> failures;                    // told once, then it may be tried again
  std::map<Wanted, Digest> ggufs;                      // files that were made once
  std::vector<std::pair<Digest, std::uint64_t>> kept;  // most recently used last
  bool stopping = false;
  std::thread thread;
};

// Under the mutex.
std::optional<Digest> WeightsCache::State::known_digest(const HfWeights& job) {
  if (!job.gguf) return job.digest;
  const auto known = ggufs.find(wanted(job));
  if (known == ggufs.end()) return std::nullopt;
  return known->second;
}

// Under the mutex. Whether the shelf has it; it stays longer then.
bool WeightsCache::State::touch(const Digest& digest) {
  const auto known =
      std::find_if(kept.begin(), kept.end(), [&](const auto& one) { return one.first == digest; });
  if (known == kept.end()) return false;
  std::rotate(known, known + 1, kept.end());
  return true;
}

Result<std::optional<WeightsCache::Made>> WeightsCache::State::ask(const HfWeights& job) {
  if (!job.gguf && blobs.has(job.digest)) return std::optional(Made{&blobs, job.digest});
  const std::lock_guard lock(mutex);
  const auto digest = known_digest(job);
  if (digest && touch(*digest)) return std::optional(Made{&shelf, *digest});
  if (auto queued = enqueue(job); !queued) return queued.error();
  return std::optional<Made>();
}

// Under the mutex.
Status WeightsCache::State::enqueue(const HfWeights& job) {
  if (const auto failed = failures.find(wanted(job)); failed != failures.end()) {
    Error error = std::move(failed->second);
    failures.erase(failed);
    return error;
  }
  for (const HfWeights& waiting : jobs) {
    if (wanted(waiting) == wanted(job)) return ok();
  }
  const bool source = make || (job.gguf && blobs.has(job.digest));
  if (!source || job.size > limits.file_bytes_max) {
    return fail(ErrorCode::not_found,
                "this hub has the weights of this round only as updates, not as a file; rounds "
                "with a checkpoint have one, and `harambee pull` makes any");
  }
  if (jobs.size() >= limits.waiting_max) {
    return fail(ErrorCode::unavailable, "the weights of too many rounds are being made; try later");
  }
  jobs.push_back(job);
  changed.notify_one();
  return ok();
}

// Under the mutex.
void WeightsCache::State::make_room(std::uint64_t bytes) {
  std::uint64_t total = bytes;
  for (const auto& one : kept) total += one.second;
  while (total > limits.bytes_max && !kept.empty()) {
    total -= kept.front().second;
    static_cast<void>(shelf.remove(kept.front().first).ok());
    kept.erase(kept.begin());
  }
}

void WeightsCache::State::keep(const Digest& digest, std::uint64_t size) {
  const std::lock_guard lock(mutex);
  if (!touch(digest)) kept.emplace_back(digest, size);
}

// The weights themselves, from where they can be had soonest.
Result<Bytes> WeightsCache::State::safetensors(const HfWeights& job, const fold::RunState& run) {
  if (blobs.has(job.digest)) return blobs.get(job.digest);
  bool here = false;
  {
    const std::lock_guard lock(mutex);
    here = touch(job.digest);
  }
  if (here) return shelf.get(job.digest);
  if (!make) return fail(ErrorCode::not_found, "the weights are not here");
  auto bytes = make(run, job.round);
  if (!bytes) return fail(ErrorCode::unavailable, bytes.error().message);
  {
    const std::lock_guard lock(mutex);
    make_room(bytes->size());
  }
  // put() compares the digest, which is the log's.
  if (auto put = shelf.put(job.digest, *bytes); !put) return put.error();
  keep(job.digest, bytes->size());
  return bytes;
}

Status WeightsCache::State::compute_gguf(const HfWeights& job, const fold::RunState& run,
                                         View weights) {
  const auto layout = format::ModelLayout::make(run.recipe.model);
  if (!layout) return layout.error();
  const auto parameters = format::flat_weights(*layout, weights);
  if (!parameters) return parameters.error();
  const auto file = format::GgufFile::make(*layout, *job.gguf, job.digest);
  if (!file) return file.error();
  // Twice, so that it is never in memory: a shelf wants the name first.
  Sha256 hash;
  const Status hashed = file->write(*parameters, [&](View piece) {
    hash.update(piece);
    return ok();
  });
  if (!hashed) return hashed;
  const Digest digest = hash.finish();
  {
    const std::lock_guard lock(mutex);
    make_room(file->file_bytes());
  }
  shelf.drop_upload(digest, kLane);
  std::uint64_t offset = 0;
  const Status written = file->write(*parameters, [&](View piece) {
    const std::uint64_t at = std::exchange(offset, offset + piece.size());
    return shelf.upload(digest, kLane, at, piece);
  });
  if (!written) return written;
  if (auto done = shelf.finish_upload(digest, kLane, offset); !done) return done;
  keep(digest, offset);
  const std::lock_guard lock(mutex);
  if (ggufs.size() >= kDigestsKept) ggufs.clear();
  ggufs.insert_or_assign(wanted(job), digest);
  return ok();
}

Status WeightsCache::State::compute(const HfWeights& job) {
  std::optional<fold::RunState> run;
  log.read([&](const Folded& folded) {
    if (const fold::RunState* found = folded.state.run(job.run)) run = *found;
  });
  if (!run) return fail(ErrorCode::not_found, "no such run");
  auto bytes = safetensors(job, *run);
  if (!bytes) return bytes.error();
  return job.gguf ? compute_gguf(job, *run, *bytes) : ok();
}

void WeightsCache::State::work() {
  for (;;) {
    HfWeights job;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [this] { return stopping || !jobs.empty(); });
      if (stopping) return;
      job = jobs.front();
    }
    Status done = compute(job);
    {
      const std::lock_guard lock(mutex);
      if (!done) failures.insert_or_assign(wanted(job), done.error());
      jobs.pop_front();
    }
    if (wake) wake();
  }
}

WeightsCache::WeightsCache(WeightsCacheLimits limits, const LogFolder& log, BlobShelf& blobs,
                           BlobShelf& shelf, MakeWeights make, std::function<void()> wake)
    : state_(std::make_unique<State>(limits, log, blobs, shelf, std::move(make), std::move(wake))) {
  state_->thread = std::thread([state = state_.get()] { state->work(); });
}

WeightsCache::~WeightsCache() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
}

Result<std::optional<WeightsCache::Made>> WeightsCache::ask(const HfWeights& weights) {
  return state_->ask(weights);
}

Result<std::optional<Digest>> WeightsCache::digest(const HfWeights& weights) {
  const std::lock_guard lock(state_->mutex);
  if (auto known = state_->known_digest(weights)) return known;
  if (auto queued = state_->enqueue(weights); !queued) return queued.error();
  return std::optional<Digest>();
}

}  // namespace harambee::hub
