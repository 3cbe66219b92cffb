#include "hub/log_folder.h"

#include "log/checkpoint.h"

namespace harambee::hub {

namespace {
constexpr std::uint64_t kSliceBytesMax = 1ull << 20;
}

LogFolder::~LogFolder() { stop(); }

void LogFolder::start(std::function<void()> folded) {
  grown_ = true;
  thread_ = std::thread([this, folded = std::move(folded)] { loop(folded); });
}

void LogFolder::stop() {
  {
    const std::lock_guard lock(wake_mutex_);
    ending_ = true;
  }
  woken_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void LogFolder::notify() {
  {
    const std::lock_guard lock(wake_mutex_);
    grown_ = true;
  }
  woken_.notify_one();
}

void LogFolder::loop(const std::function<void()>& folded) {
  while (true) {
    {
      std::unique_lock lock(wake_mutex_);
      woken_.wait(lock, [this] { return grown_ || ending_; });
      if (ending_) return;
      grown_ = false;
    }
    const std::uint64_t before = folded_.size();
    const bool first = !ready_;
    catch_up();
    if (folded && (first || folded_.size() != before)) folded();
  }
}

bool LogFolder::ready() const {
  const std::lock_guard lock(mutex_);
  return ready_;
}

std::optional<std::string> LogFolder::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

void LogFolder::catch_up() {
  // Only this thread writes, so it may read without the lock.
  while (!trouble_ && folded_.size() < sequencer_.head()->size) {
    {
      const std::lock_guard lock(wake_mutex_);
      if (ending_) return;
    }
    if (auto done = fold_some(); !done) {
      const std::lock_guard lock(mutex_);
      trouble_ = done.error().message;
    }
  }
  const std::lock_guard lock(mutex_);
  ready_ = true;
}

Status LogFolder::fold_some() {
  auto entries = sequencer_.entries(folded_.size(), kSliceBytesMax);
  if (!entries) return entries.error();
  if (entries->empty()) return fail(ErrorCode::corrupt, "the log ends before its checkpoint");
  for (const Bytes& envelope : *entries) {
    if (auto done = fold_one(envelope); !done) {
      return wrap(done.error(), "entry " + std::to_string(folded_.size()));
    }
  }
  return compare_root();
}

Status LogFolder::fold_one(const Bytes& envelope) {
  auto unverified = parse_envelope(envelope);
  if (!unverified) return unverified.error();
  const fold::Author* author = folded_.state.author(unverified->payload().author);
  std::optional<PublicKey> key = unverified->own_key();
  if (author) key = author->key;
  if (!key) return invalid("a record of an author who has no identity in this log");
  // The sequencer verified it before it was logged; compare_root() sees whether these are still
  // those bytes. Readers of the views verify for themselves.
  const Record record = std::move(*unverified).verified_before(*key);
  const std::lock_guard lock(mutex_);
  const fold::Outcome outcome = fold_entry(folded_, record);
  if (outcome.effect == fold::Effect::corrupt) return fail(ErrorCode::corrupt, outcome.reason);
  return ok();
}

Status LogFolder::compare_root() {
  const auto head = sequencer_.head();
  if (head->size != folded_.size()) return ok();
  const auto note = log::parse_note(view(head->checkpoint));
  if (!note) return note.error();
  const auto checkpoint = log::Checkpoint::parse(note->text);
  if (!checkpoint) return checkpoint.error();
  if (checkpoint->root != folded_.state.frontier.root()) {
    return fail(ErrorCode::corrupt, "the entries are not those of the checkpoint");
  }
  return ok();
}

}  // namespace harambee::hub
