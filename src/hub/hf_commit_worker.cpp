#include "hub/hf_commit_worker.h"

#include <algorithm>
#include <set>

#include "hub/hf_answers.h"

namespace harambee::hub {
namespace {

HttpResponse of_error(const Error& error) {
  switch (error.code) {
    case ErrorCode::invalid:
      return hf_error(400, "", error.message);
    case ErrorCode::not_found:
      return hf_error(422, "", error.message);
    case ErrorCode::limit:
      return hf_error(413, "", error.message);
    default:
      return hf_not_now(error);
  }
}

// At most so many bytes, not cut inside a character.
std::string shortened(std::string text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xc0) == 0x80) --bytes_max;
  text.resize(bytes_max);
  return text;
}

}  // namespace

std::optional<HfCommitWorker::Prepared> HfCommitWorker::Job::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(prepared_, std::nullopt);
}

HfCommitWorker::HfCommitWorker(HfCatalog& catalog, BlobShelf& blobs, Hold hold,
                               std::function<void()> wake)
    : catalog_(catalog), blobs_(blobs), hold_(std::move(hold)), wake_(std::move(wake)) {
  thread_ = std::thread([this] { work(); });
}

HfCommitWorker::~HfCommitWorker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::shared_ptr<HfCommitWorker::Job> HfCommitWorker::begin(const HfName& name, std::string branch,
                                                           Bytes body, std::uint64_t bytes_before,
                                                           std::uint64_t bytes_max) {
  auto job = std::make_shared<Job>();
  job->name_ = name;
  job->branch_ = std::move(branch);
  job->body_ = std::move(body);
  job->bytes_before_ = bytes_before;
  job->bytes_max_ = bytes_max;
  again(job);
  return job;
}

void HfCommitWorker::again(const std::shared_ptr<Job>& job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(job);
  }
  changed_.notify_one();
}

void HfCommitWorker::later(std::function<void()> chore) {
  {
    const std::lock_guard lock(mutex_);
    chores_.push_back(std::move(chore));
  }
  changed_.notify_one();
}

Result<HfNextTree> HfCommitWorker::next_tree_of(Job& job, const HfTree& old) {
  std::set<Digest> known;
  for (const HfFile& file : old.files) known.insert(file.digest);
  for (;;) {
    auto next = next_tree(old, job.request_, blobs_);
    if (!next) return next;
    job.named_.clear();
    for (const format::TreeFile& file : next->files) {
      if (!known.contains(file.digest)) job.named_.push_back(file.digest);
    }
    hold_(job.named_);
    // What went just before it was held is put there again, or is found missing.
    const auto there = [this](const Digest& digest) { return blobs_.has(digest); };
    if (std::ranges::all_of(job.named_, there)) return next;
  }
}

HfCommitWorker::Prepared HfCommitWorker::prepare(Job& job) {
  if (job.tries_++ == 0) {
    auto read = parse_commit(job.body_);
    job.body_ = {};
    if (!read) return of_error(read.error());
    job.request_ = *std::move(read);
    job.names_parent_ = !job.request_.parent.empty();
  }
  const HfCommitRequest* request = &job.request_;
  const auto repo = catalog_.find(job.name_);
  if (!repo) return hf_error(404, "RepoNotFound", "no repository " + job.name_.id());
  const HfCommit* head = repo->head(job.branch_);
  if (head == nullptr) return hf_error(404, "RevisionNotFound", "no branch " + job.branch_);
  if (!request->parent.empty() && request->parent != head->oid &&
      request->parent != head->record.hex()) {
    return hf_error(412, "", "A commit has happened since. Please refresh and try again.");
  }
  const auto old = catalog_.tree(*repo, *head);
  if (!old) return of_error(fail(ErrorCode::unavailable, old.error().message));
  auto next = next_tree_of(job, **old);
  if (!next) return of_error(next.error());
  if (next->same) return head->oid;
  if (job.bytes_before_ + next->new_bytes > job.bytes_max_) {
    return hf_error(413, "",
                    job.name_.space + " may keep " + std::to_string(job.bytes_max_ >> 20) +
                        " MiB on this hub, and this would be more");
  }
  const Bytes tree = format::write_tree(std::move(next->files));
  if (tree.size() > format::kTreeBytesMax) return hf_error(413, "", "too many files");
  fold::Revise act;
  act.tree = {sha256(tree), tree.size(), std::string(format::kTreeType)};
  if (auto kept = blobs_.put(act.tree.digest, tree); !kept) return of_error(kept.error());
  act.id = job.name_.id();
  act.type = repo_type(job.name_.type);
  act.branch = job.branch_;
  if (head->parent) act.parent = head->record;  // else it is the repository's own record
  act.title =
      shortened(request->summary.empty() ? "Upload" : request->summary, fold::kTitleBytesMax);
  act.message = shortened(request->description, fold::kMessageBytesMax);
  act.new_bytes = static_cast<std::int64_t>(next->new_bytes);
  return act;
}

void HfCommitWorker::work() {
  for (;;) {
    std::shared_ptr<Job> job;
    std::function<void()> chore;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !jobs_.empty() || !chores_.empty(); });
      if (stopping_) return;
      if (jobs_.empty()) {
        chore = std::move(chores_.front());
        chores_.pop_front();
      } else {
        job = jobs_.front().lock();
        jobs_.pop_front();
      }
    }
    if (chore) chore();
    if (!job) continue;
    Prepared prepared = prepare(*job);
    {
      const std::lock_guard lock(job->mutex_);
      job->prepared_ = std::move(prepared);
    }
    if (wake_) wake_();
  }
}

}  // namespace harambee::hub
