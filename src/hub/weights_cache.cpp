#include "hub/weights_cache.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace harambee::hub {
namespace {

struct Job {
  HfWeights weights;
  Digest digest;
  std::uint64_t size = 0;
};

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

  Result<BlobShelf*> ask(const Job& job);
  Status compute(const Job& job);
  void make_room(std::uint64_t bytes);
  void work();

  const WeightsCacheLimits limits;
  const LogFolder& log;
  BlobShelf& blobs;
  BlobShelf& shelf;
  const MakeWeights make;
  const std::function<void()> wake;

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Job> jobs;                                // the first is being worked on
  std::map<Digest, Error> failures;                    // told once, then it may be tried again
  std::vector<std::pair<Digest, std::uint64_t>> kept;  // most recently used last
  bool stopping = false;
  std::thread thread;
};

Result<BlobShelf*> WeightsCache::State::ask(const Job& job) {
  if (blobs.has(job.digest)) return &blobs;
  const std::lock_guard lock(mutex);
  const auto known = std::find_if(kept.begin(), kept.end(),
                                  [&](const auto& one) { return one.first == job.digest; });
  if (known != kept.end()) {
    std::rotate(known, known + 1, kept.end());
    return &shelf;
  }
  if (const auto failed = failures.find(job.digest); failed != failures.end()) {
    Error error = std::move(failed->second);
    failures.erase(failed);
    return error;
  }
  for (const Job& waiting : jobs) {
    if (waiting.digest == job.digest) return static_cast<BlobShelf*>(nullptr);
  }
  if (!make || job.size > limits.file_bytes_max) {
    return fail(ErrorCode::not_found,
                "this hub has the weights of this round only as updates, not as a file; rounds "
                "with a checkpoint have one, and `harambee pull` makes any");
  }
  if (jobs.size() >= limits.waiting_max) {
    return fail(ErrorCode::unavailable, "the weights of too many rounds are being made; try later");
  }
  jobs.push_back(job);
  changed.notify_one();
  return static_cast<BlobShelf*>(nullptr);
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

Status WeightsCache::State::compute(const Job& job) {
  std::optional<fold::RunState> run;
  log.read([&](const Folded& folded) {
    if (const fold::RunState* found = folded.state.run(job.weights.run)) run = *found;
  });
  if (!run) return fail(ErrorCode::not_found, "no such run");
  auto bytes = make(*run, job.weights.round);
  if (!bytes) return fail(ErrorCode::unavailable, bytes.error().message);
  {
    const std::lock_guard lock(mutex);
    make_room(bytes->size());
  }
  // put() compares the digest, which is the log's.
  return shelf.put(job.digest, *bytes);
}

void WeightsCache::State::work() {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [this] { return stopping || !jobs.empty(); });
      if (stopping) return;
      job = jobs.front();
    }
    Status done = compute(job);
    {
      const std::lock_guard lock(mutex);
      if (done) {
        kept.emplace_back(job.digest, job.size);
      } else {
        failures.insert_or_assign(job.digest, done.error());
      }
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

Result<BlobShelf*> WeightsCache::ask(const HfWeights& weights, const Digest& digest,
                                     std::uint64_t size) {
  return state_->ask({weights, digest, size});
}

}  // namespace harambee::hub
