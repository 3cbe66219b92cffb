#include "hub/sequencer.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/encoding.h"
#include "base/mutant.h"
#include "hub/admission.h"
#include "hub/publication.h"
#include "hub/published_log.h"
#include "log/checkpoint.h"
#include "record/build.h"
#include "record/limits.h"

namespace harambee::hub {
namespace {

// How far back the last tick is looked for at start: ticks stand in front of batches.
constexpr std::uint64_t kTickSearchEntries = 1u << 16;
constexpr std::int64_t kRetryMs = 1000;

Rejection unavailable(std::string reason) { return {503, std::move(reason), {}}; }

struct Submission {
  std::optional<Unverified> record;  // none: a tick is asked for
  std::shared_ptr<Ticket> ticket;
};

class SequencerImpl : public Sequencer {
 public:
  SequencerImpl(SequencerOptions options, SecretKey key, Order& order, Shelf& shelf, Clock& clock)
      : options_(std::move(options)),
        key_(std::move(key)),
        hub_(key_.id()),
        order_(order),
        shelf_(shelf),
        clock_(clock),
        admission_(order),
        steady_at_tick_ms_(clock.steady_ms()),
        published_log_(shelf) {}
  ~SequencerImpl() override { stop(); }

  // Start.
  Status load();

  void on_change(std::function<void()> wake) override { wake_ = std::move(wake); }
  void start() override;
  void stop() override;
  void run_batch() override;
  std::shared_ptr<Ticket> submit(Bytes envelope) override;
  std::shared_ptr<Ticket> tick() override;

  Status shown(View note) override;

  std::shared_ptr<const Head> head() const override { return published_log_.head(); }
  Result<std::vector<Bytes>> entries(std::uint64_t from, std::uint64_t bytes_max) override {
    return published_log_.entries(from, bytes_max);
  }
  std::optional<std::string> damage() const override {
    const std::lock_guard lock(damage_mutex_);
    return damage_;
  }
  std::int64_t last_tick_ms() const override { return last_tick_ms_; }

 private:
  struct Answer {
    std::shared_ptr<Ticket> ticket;
    Verdict verdict;
  };

  [[nodiscard]] log::VerifierKey verifier() const {
    return {options_.origin, log::NoteKeyType::ed25519, key_.public_key()};
  }
  Result<std::optional<log::Checkpoint>> read_published();
  Result<log::Checkpoint> read_committed();
  Status recover(const log::Checkpoint& published, const log::Checkpoint& committed);
  void look_at_kept_note();
  Result<std::optional<std::string>> contradiction(const log::Checkpoint& known);
  Status find_last_tick();
  bool find_tick_in(const std::vector<Bytes>& entries);
  Status begin_log();

  void loop();
  std::vector<Submission> take_queue();
  [[nodiscard]] std::optional<Rejection> not_now();
  Status add_hub_record(const std::string& kind, JsonObject body);
  Status admit_all(const std::vector<Submission>& submissions, std::vector<Answer>& answers);
  [[nodiscard]] std::int64_t log_clock() const;
  void set_log_time(std::int64_t tick_ms);
  Status make_tick(std::int64_t now);
  Status commit_and_publish();
  Status finish_publication();
  void set_damage(std::string reason);
  void answer(std::vector<Answer>& answers, const Status& outcome);
  std::shared_ptr<Ticket> enqueue(Submission submission);

  const SequencerOptions options_;
  const SecretKey key_;
  const KeyId hub_;
  Order& order_;
  Shelf& shelf_;
  Clock& clock_;
  std::function<void()> wake_ = [] {};

  // Of the sequencing thread alone.
  Admission admission_;
  OrderHead committed_;
  Edge edge_;
  struct Pending {  // committed, not yet published
    Publication publication;
    std::string note;
    std::vector<Bytes> entries;
  };
  std::optional<Pending> pending_;
  std::uint64_t published_ = 0;
  std::optional<std::int64_t> batch_tick_ms_;  // of the batch being made
  std::int64_t steady_at_tick_ms_ = 0;

  std::atomic<std::int64_t> last_tick_ms_{0};  // of the last tick in the log

  PublishedLog published_log_;
  mutable std::mutex damage_mutex_;
  std::optional<std::string> damage_;

  std::mutex queue_mutex_;
  std::condition_variable queue_changed_;
  std::deque<Submission> queue_;
  std::uint32_t outstanding_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

// ---- start ----

Result<std::optional<log::Checkpoint>> SequencerImpl::read_published() {
  auto note = shelf_.read(kCheckpointFile);
  if (!note) {
    if (note.error().code == ErrorCode::not_found) return std::optional<log::Checkpoint>();
    return wrap(note.error(), kCheckpointFile);
  }
  auto opened = log::open_checkpoint(*note, verifier());
  if (!opened) {
    return fail(ErrorCode::corrupt,
                std::string("the file ") + kCheckpointFile +
                    " is not signed by this hub's key: " + opened.error().message);
  }
  published_log_.show(std::string(text(*note)), opened->checkpoint.size, {});
  return std::optional(opened->checkpoint);
}

Result<log::Checkpoint> SequencerImpl::read_committed() {
  auto head = order_.head();
  if (!head) return head.error();
  committed_ = *head;
  if (head->size == 0 && head->checkpoint.empty()) {
    return log::Checkpoint{options_.origin, 0, log::empty_root(), {}};
  }
  auto opened = log::open_checkpoint(view(head->checkpoint), verifier());
  if (!opened) {
    return invalid("the database's checkpoint is not of this origin and key: " +
                   opened.error().message);
  }
  return opened->checkpoint;
}

Status SequencerImpl::load() {
  auto committed = read_committed();
  if (!committed) return committed.error();
  auto published = read_published();
  if (!published) {
    set_damage(published.error().message);
    return ok();
  }
  const log::Checkpoint nothing{options_.origin, 0, log::empty_root(), {}};
  auto recovered = recover(published->value_or(nothing), *committed);
  if (!recovered) {
    set_damage(recovered.error().message);
    return ok();
  }
  look_at_kept_note();
  if (committed_.size == 0) return damage() ? ok() : begin_log();
  return find_last_tick();
}

// ---- checkpoints that others know ----

// Why the log cannot have given this checkpoint; none: it may have. The database knows of a
// checkpoint before anybody else can. Roots of smaller logs are not compared here: whoever has
// entries that we do not will not follow us, and shows that to everybody.
Result<std::optional<std::string>> SequencerImpl::contradiction(const log::Checkpoint& known) {
  auto head = order_.head();
  if (!head) return head.error();
  if (known.size < head->size || HARAMBEE_MUTANT("deaf-hub")) return std::optional<std::string>();
  if (known.size == head->size) {
    auto own = log::open_checkpoint(view(head->checkpoint), verifier());
    if (!own) return own.error();
    if (own->checkpoint.root == known.root) return std::optional<std::string>();
  }
  return std::optional(
      "a checkpoint that this hub's key signed promises " + std::to_string(known.size) +
      " entries, and this log has " +
      (known.size > head->size ? std::to_string(head->size) : "others") +
      ": an old copy was put back, or another hub has the same key. Put the newest "
      "copy back, or begin a new log with a new key");
}

Status SequencerImpl::shown(View note) {
  auto opened = log::open_checkpoint(note, verifier());
  if (!opened) return invalid("not a checkpoint of this log: " + opened.error().message);
  auto against = contradiction(opened->checkpoint);
  if (!against) return against.error();
  if (!*against || damage()) return ok();
  // Read-only at once; kept, so that a restart does not forget it.
  set_damage(**against);
  return shelf_.replace(kShownCheckpointFile, note);
}

void SequencerImpl::look_at_kept_note() {
  auto note = shelf_.read(kShownCheckpointFile);
  if (!note) return;
  auto opened = log::open_checkpoint(*note, verifier());
  if (!opened) return;  // of another key: this directory has begun anew
  auto against = contradiction(opened->checkpoint);
  if (against && *against) set_damage(**against);
}

// From the published files to what the database promised. The files are not trusted: whatever
// does not fit is reported, never repaired.
Status SequencerImpl::recover(const log::Checkpoint& published, const log::Checkpoint& committed) {
  if (published.size > committed.size) {
    return fail(ErrorCode::corrupt,
                "the file checkpoint promises " + std::to_string(published.size) +
                    " entries, the database knows " + std::to_string(committed.size) +
                    ": an old database was put back");
  }
  auto edge = load_edge(shelf_, published);
  if (!edge) return edge.error();
  edge_ = *std::move(edge);
  published_ = published.size;
  auto staged = order_.staged(published.size);
  if (!staged) return staged.error();
  Publication publication = prepare(edge_, options_.origin, *staged);
  if (publication.checkpoint.root != committed.root) {
    return fail(ErrorCode::corrupt,
                "the tiles with the staged entries do not have the root that "
                "the database's checkpoint promises");
  }
  if (staged->empty() || HARAMBEE_MUTANT("forgets-staged")) return ok();
  pending_ = Pending{std::move(publication), committed_.checkpoint, *std::move(staged)};
  auto done = finish_publication();
  // A full disk is not damage: it is tried again with the first batch.
  if (!done && done.error().code == ErrorCode::corrupt) return done;
  return ok();
}

Status SequencerImpl::begin_log() {
  admission_.begin(0);
  JsonObject body{{"key", hex(key_.public_key().bytes)},
                  {"name", options_.origin},
                  {"previous", nullptr},
                  {"tick_ms", options_.tick_ms},
                  {"vkey", verifier().str()}};
  if (auto added = add_hub_record("genesis", std::move(body)); !added) return added;
  return commit_and_publish();
}

bool SequencerImpl::find_tick_in(const std::vector<Bytes>& entries) {
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    auto record = parse_envelope(*entry);
    if (!record || record->payload().author != hub_ || record->payload().kind != "tick") continue;
    const Json* time = record->payload().body.find("unix_ms");
    if (time == nullptr || time->integer() == nullptr) continue;
    set_log_time(*time->integer());
    return true;
  }
  return false;
}

Status SequencerImpl::find_last_tick() {
  if (HARAMBEE_MUTANT("forgets-the-time")) return ok();
  if (pending_ && find_tick_in(pending_->entries)) return ok();
  const std::uint64_t size = head()->size;
  const std::uint64_t oldest = size > kTickSearchEntries ? size - kTickSearchEntries : 0;
  for (std::uint64_t end = size; end > oldest;) {
    const std::uint64_t bundle = (end - 1) / log::kTileWidth;
    auto entries = read_bundle(shelf_, bundle, size);
    if (!entries) {
      set_damage(entries.error().message);
      return ok();
    }
    if (find_tick_in(*entries)) return ok();
    end = bundle * log::kTileWidth;
  }
  return ok();
}

// ---- batches ----

// The wall clock, but never slower than the steady clock since the last tick: a wall clock that is
// set back does not stop the log's time.
std::int64_t SequencerImpl::log_clock() const {
  const std::int64_t steady = last_tick_ms_ + (clock_.steady_ms() - steady_at_tick_ms_);
  if (HARAMBEE_MUTANT("wall-clock-ticks")) return clock_.unix_ms();
  return std::max(clock_.unix_ms(), steady);
}

void SequencerImpl::set_log_time(std::int64_t tick_ms) {
  last_tick_ms_ = tick_ms;
  steady_at_tick_ms_ = clock_.steady_ms();
}

std::optional<Rejection> SequencerImpl::not_now() {
  if (auto reason = damage()) return unavailable("this log is read-only: " + *reason);
  if (pending_) {
    if (auto done = finish_publication(); !done) {
      return unavailable("earlier records are not published yet: " + done.error().message);
    }
  }
  auto space = shelf_.free_bytes();
  if (!space) return unavailable(space.error().message);
  if (*space < options_.free_bytes_min) {
    return unavailable("the hub's disk is nearly full; nothing is lost, try later");
  }
  return std::nullopt;
}

// A record of the hub itself goes through the same door as everybody's.
Status SequencerImpl::add_hub_record(const std::string& kind, JsonObject body) {
  auto state = order_.author(hub_);
  if (!state) return state.error();
  Payload payload;
  payload.log = options_.origin;
  payload.kind = kind;
  payload.author = hub_;
  if (*state) {
    payload.seq = (*state)->next_seq;
    payload.prev = (*state)->prev;
  }
  payload.body = std::move(body);
  auto envelope = sign_record(payload, key_);
  if (!envelope) return envelope.error();
  auto record = parse_envelope(*envelope);
  if (!record) return record.error();
  auto outcome = admission_.admit(*record);
  if (!outcome) return outcome.error();
  if (const auto* no = std::get_if<Rejection>(&*outcome)) {
    return fail(ErrorCode::refused, "the hub's own " + kind + ": " + no->reason);
  }
  return ok();
}

Status SequencerImpl::make_tick(std::int64_t now) {
  auto added = add_hub_record("tick", {{"unix_ms", now}});
  if (added) batch_tick_ms_ = now;
  return added;
}

std::vector<Submission> SequencerImpl::take_queue() {
  const std::lock_guard lock(queue_mutex_);
  std::vector<Submission> taken;
  while (!queue_.empty() && taken.size() < options_.batch_records_max) {
    taken.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return taken;
}

// The tick goes in front of the records, so it is made first; a batch whose records are all
// refused is then a tick alone, which does no harm.
Status SequencerImpl::admit_all(const std::vector<Submission>& submissions,
                                std::vector<Answer>& answers) {
  admission_.begin(committed_.size);
  batch_tick_ms_.reset();
  const std::int64_t now = log_clock();
  const bool tick_due = now - last_tick_ms_ >= options_.tick_ms;
  if (tick_due && !submissions.empty()) {
    if (auto made = make_tick(now); !made) return made;
  }
  for (const auto& submission : submissions) {
    if (!submission.record) {
      const Verdict verdict =
          tick_due ? Verdict(Receipt{{}, committed_.size, 0})
                   : Verdict(Rejection{200, "the last tick is younger than tick_ms", {}});
      answers.push_back({submission.ticket, verdict});
      continue;
    }
    auto outcome = admission_.admit(*submission.record);
    if (!outcome) return outcome.error();
    const Digest& id = submission.record->id();
    if (auto* no = std::get_if<Rejection>(&*outcome)) {
      answers.push_back({submission.ticket, std::move(*no)});
    } else if (auto* known = std::get_if<Admission::Known>(&*outcome)) {
      answers.push_back({submission.ticket, Receipt{id, known->index, 0}});
    } else {
      const auto index = std::get<Admission::Admitted>(*outcome).index;
      answers.push_back({submission.ticket, Receipt{id, index, 0}});
    }
  }
  return ok();
}

Status SequencerImpl::commit_and_publish() {
  OrderBatch batch = admission_.take();
  std::vector<Bytes> entries;
  entries.reserve(batch.entries.size());
  for (const auto& entry : batch.entries) entries.push_back(entry.envelope);
  Publication publication = prepare(edge_, options_.origin, entries);
  batch.old_head = committed_;
  batch.new_head = {publication.checkpoint.size,
                    log::sign_checkpoint(publication.checkpoint, key_)};
  batch.published = HARAMBEE_MUTANT("drops-staged") ? batch.new_head.size : published_;

  // COMMIT POINT: from here the entries exist
  auto committed = HARAMBEE_MUTANT("commit-skipped") ? ok() : order_.commit(batch);
  if (!committed) {
    if (committed.error().code == ErrorCode::conflict) {
      set_damage("another program wrote to the database: " + committed.error().message);
      return committed;
    }
    // Unknown: only the database can say.
    auto now = order_.head();
    if (!now || (now->checkpoint != batch.old_head.checkpoint &&
                 now->checkpoint != batch.new_head.checkpoint)) {
      set_damage("the database does not say whether it wrote: " + committed.error().message);
      return committed;
    }
    if (now->checkpoint == batch.old_head.checkpoint) return committed;
  }
  admission_.committed(batch);
  if (batch_tick_ms_) set_log_time(*batch_tick_ms_);
  committed_ = batch.new_head;
  pending_ = Pending{std::move(publication), committed_.checkpoint, std::move(entries)};
  return finish_publication();
}

Status SequencerImpl::finish_publication() {
  const auto& [publication, note, entries] = *pending_;
  if (auto done = publish(shelf_, publication, note); !done) {
    if (done.error().code == ErrorCode::corrupt) set_damage(done.error().message);
    return done;
  }
  published_ = publication.checkpoint.size;
  published_log_.show(note, published_ - entries.size(), entries);
  edge_ = std::move(pending_->publication.edge);
  pending_.reset();
  return ok();
}

void SequencerImpl::set_damage(std::string reason) {
  const std::lock_guard lock(damage_mutex_);
  if (!damage_) damage_ = std::move(reason);
}

// Receipts become true only with the batch.
void SequencerImpl::answer(std::vector<Answer>& answers, const Status& outcome) {
  const std::uint64_t size = head()->size;
  {
    const std::lock_guard lock(queue_mutex_);
    outstanding_ -= std::min(outstanding_, static_cast<std::uint32_t>(answers.size()));
  }
  for (auto& [ticket, verdict] : answers) {
    if (auto* receipt = std::get_if<Receipt>(&verdict)) {
      receipt->size = size;
      if (receipt->index >= size) {
        verdict = unavailable("not published: " +
                              (outcome ? std::string("try again") : outcome.error().message));
      }
    }
    ticket->set(std::move(verdict));
  }
  wake_();
}

void SequencerImpl::run_batch() {
  const std::vector<Submission> submissions = take_queue();
  if (submissions.empty()) {
    if (pending_ && finish_publication()) wake_();
    return;
  }
  std::vector<Answer> answers;
  Status outcome = ok();
  if (auto no = not_now()) {
    for (const auto& submission : submissions) answers.push_back({submission.ticket, *no});
    return answer(answers, outcome);
  }
  outcome = admit_all(submissions, answers);
  if (!outcome) {
    answers.clear();
    for (const auto& submission : submissions) {
      answers.push_back({submission.ticket, unavailable(outcome.error().message)});
    }
    return answer(answers, outcome);
  }
  if (!admission_.empty()) outcome = commit_and_publish();
  answer(answers, outcome);
}

// ---- thread and queue ----

void SequencerImpl::start() {
  thread_ = std::thread([this] { loop(); });
}

void SequencerImpl::stop() {
  {
    const std::lock_guard lock(queue_mutex_);
    stopping_ = true;
  }
  queue_changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void SequencerImpl::loop() {
  using SteadyClock = std::chrono::steady_clock;
  auto next_batch = SteadyClock::now();
  for (;;) {
    {
      std::unique_lock lock(queue_mutex_);
      const auto something = [this] { return stopping_ || !queue_.empty(); };
      queue_changed_.wait_for(lock, std::chrono::milliseconds(kRetryMs), something);
      if (stopping_ && queue_.empty()) return;
      // Company for this batch: at most batch_ms after the last one began.
      queue_changed_.wait_until(lock, next_batch, [this] {
        return stopping_ || queue_.size() >= options_.batch_records_max;
      });
    }
    next_batch = SteadyClock::now() + std::chrono::milliseconds(options_.batch_ms);
    run_batch();
  }
}

std::shared_ptr<Ticket> SequencerImpl::enqueue(Submission submission) {
  auto ticket = submission.ticket;
  {
    const std::lock_guard lock(queue_mutex_);
    if (stopping_) {
      ticket->set(unavailable("the hub is stopping"));
      return ticket;
    }
    if (outstanding_ >= options_.outstanding_max) {
      ticket->set(Rejection{429, "too many records are waiting", {}});
      return ticket;
    }
    ++outstanding_;
    queue_.push_back(std::move(submission));
  }
  queue_changed_.notify_one();
  return ticket;
}

std::shared_ptr<Ticket> SequencerImpl::submit(Bytes envelope) {
  auto ticket = std::make_shared<Ticket>();
  if (auto reason = damage()) {
    ticket->set(unavailable("this log is read-only: " + *reason));
    return ticket;
  }
  auto form = check_form(envelope, options_.origin, hub_);
  if (auto* no = std::get_if<Rejection>(&form)) {
    ticket->set(std::move(*no));
    return ticket;
  }
  return enqueue({std::get<Unverified>(std::move(form)), ticket});
}

std::shared_ptr<Ticket> SequencerImpl::tick() {
  auto ticket = std::make_shared<Ticket>();
  if (auto reason = damage()) {
    ticket->set(unavailable("this log is read-only: " + *reason));
    return ticket;
  }
  return enqueue({std::nullopt, ticket});
}

}  // namespace

Result<std::unique_ptr<Sequencer>> Sequencer::open(SequencerOptions options, SecretKey key,
                                                   Order& order, Shelf& shelf, Clock& clock) {
  if (!log::is_note_name(options.origin) || options.origin.size() > kRecordLogBytesMax) {
    return invalid("\"" + options.origin + "\" cannot be the origin of a log");
  }
  if (options.tick_ms < 1 || options.batch_ms < 0 || options.batch_records_max == 0) {
    return invalid("tick_ms and batch_records_max must be positive");
  }
  auto sequencer =
      std::make_unique<SequencerImpl>(std::move(options), std::move(key), order, shelf, clock);
  if (auto loaded = sequencer->load(); !loaded) return loaded.error();
  return std::unique_ptr<Sequencer>(std::move(sequencer));
}

}  // namespace harambee::hub
