// The whole of a simulation: hubs, peers, the network between them, and those who check. One
// thread; everything that happens is an event of the queue.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_set>
#include <variant>
#include <vector>

#include "exact/codec.h"
#include "fold/acts.h"
#include "fold/apply.h"
#include "fold/state.h"
#include "format/data.h"
#include "format/model.h"
#include "hub/sequencer.h"
#include "role/auditor.h"
#include "role/coordinator.h"
#include "role/trainer.h"
#include "role/validator.h"
#include "sim/disk.h"
#include "sim/ledger.h"
#include "sim/options.h"
#include "sim/queue.h"
#include "sim/random.h"
#include "sim/recount.h"
#include "sim/report.h"
#include "sim/task.h"

namespace harambee::sim {

inline constexpr const char* kOrigin = "hub.sim/log";
inline constexpr std::int64_t kStartMs = 1'800'000'000'000;  // the wall clock when all begins
inline constexpr std::uint32_t kNone = 0xffffffff;

using Blob = std::shared_ptr<const Bytes>;

// ---- messages ----

// What a mind decided, and where in the author's chain its record would go.
struct Decision {
  std::variant<role::trainer::Action, role::validator::Action, role::coordinator::Action,
               role::auditor::Repeat>
      action;
  std::uint64_t seq = 0;
  std::optional<RecordId> prev;
  std::int64_t log_ms = 0;
};
// A record that was on its way when the process ended: still wanted, or to be dropped. Or one whose
// place in its author's chain the hub did not take: the place that the log now gives.
struct Resume {
  bool wanted = false;
  bool anew = false;
  std::uint64_t seq = 0;
  std::optional<RecordId> prev;
};
struct Upload {
  BlobRef ref;
  Blob bytes;
  bool taken = false;
};
struct Fetch {
  std::vector<BlobRef> wanted;
  std::int64_t round = 0;
  bool to_score = false;  // else to close
  // The answer:
  std::vector<Blob> got;  // null: the hub does not have it
  std::int64_t log_ms = 0;
  bool still_wanted = false;
};
struct Trained {
  role::trainer::Train action;
  std::uint64_t seq = 0;
  std::optional<RecordId> prev;
};
using Parcel =
    std::variant<std::monostate, Decision, Resume, Bytes, hub::Verdict, Upload, Fetch, Trained>;

// Messages under way. Slots are used again.
class Mailroom {
 public:
  std::uint32_t put(Parcel parcel);
  [[nodiscard]] Parcel take(std::uint32_t slot);
  [[nodiscard]] const Parcel& look(std::uint32_t slot) const { return slots_[slot]; }
  void drop(std::uint32_t slot);
  [[nodiscard]] std::size_t most() const { return slots_.size(); }

 private:
  std::deque<Parcel> slots_;
  std::vector<std::uint32_t> free_;
};

// ---- peers ----

enum class Role : std::uint8_t { trainer, validator, coordinator };

// What only those have who have something to do. What outlives the process is marked.
struct Desk {
  // durable: the record on its way, as node/publisher keeps it
  Bytes pending;
  Payload draft;  // what it says
  std::string pending_kind;
  std::int64_t pending_round = -1;
  RecordId pending_id;
  bool in_flight = false;  // this process has sent it
  bool refused = false;    // … and the hub did not take its place: to be signed anew
  // durable: a trainer's states under their digests, the newest and the one before it
  std::map<Digest, std::vector<float>> residuals;
  std::optional<Digest> optimizer;
  std::map<Digest, Blob> states;  // what audits may ask for: error feedback and optimizer
  std::deque<Digest> states_order;
  std::set<RecordId> states_done;  // contributions whose states were uploaded, or are gone
  std::set<RecordId> states_sent;  // … of these the former
  std::set<RecordId> given_up;     // an auditor's: answered
  std::set<RecordId> disputed;     // contributions for which a dispute was sent
  BlobRef delta;
  Blob delta_bytes;
  std::int64_t delta_round = -1;
  bool revealing = false;
  // durable: a coordinator's blobs that the hub does not have yet
  std::map<Digest, Upload> to_upload;
  std::map<Digest, Upload> uploaded;  // … of the newest round, which it has
  std::int64_t taken_ms = 0;          // when a hub last took a blob
  // a validator's or coordinator's work at hand
  std::optional<role::validator::Score> score;
  std::optional<role::coordinator::Close> close;
  std::int64_t scored = -1;  // a coordinator's: the newest round that it sent a score for
  std::map<Digest, Blob> gathered;
  std::uint64_t work_seq = 0;
  std::optional<RecordId> work_prev;
};

// In the first 64 bytes what asking and answering look at: most events are that, of peers in no
// order.
struct alignas(64) Peer {
  std::int64_t asked_at = -1;  // an answer is awaited since
  std::int64_t asleep_until = 0;
  std::uint32_t question = 0;
  std::uint32_t epoch = 0;  // of the last decision; 0: decide again
  std::uint32_t head = kNone;
  std::uint32_t latency_ms = 0;
  std::uint32_t bytes_per_ms = 0;
  std::uint32_t away_in = kNone;  // the newest round that it was found to stay away from
  std::uint32_t timer = 0;
  std::uint16_t life = 0;
  Role role = Role::trainer;
  std::uint8_t hub = 0;  // the face of the hub that it sees
  Conduct conduct = Conduct::honest;
  bool up = true;
  bool calm = false;     // see World::at_rest
  bool stuck = false;    // found the hub out, and speaks to it no more
  bool cut = false;      // cannot reach the hub
  bool writing = false;  // false: its desk has no record on its way
  bool uploads = false;  // false: its desk has no blobs that the hub may not have
  bool busy = false;     // training
  bool liar = false;
  bool inexact = false;  // trains in a class that is not exact
  bool identify_sent = false;
  bool join_sent = false;
  bool censored = false;
  bool mixed = false;  // a newer version, which says things that nobody knows
  KeyId id;
  std::uint32_t ordinal = kNone;  // where it was found among the members, to be tried first
  std::uint32_t train_ms = 0;
  std::int64_t skew_ms = 0;
  std::int64_t tick_asked_ms = -1;
  std::int64_t tick_ms = 0;  // the newest tick, and when it was first seen
  std::int64_t tick_seen_at = 0;
  std::int64_t attempted = -1;
  std::int64_t uploaded = -1;
  std::unique_ptr<Desk> desk;
};
static_assert(offsetof(Peer, id) <= 64);

// ---- hubs ----

class HubClock : public Clock {
 public:
  explicit HubClock(const std::int64_t& now_ms) : now_ms_(now_ms) {}
  std::int64_t unix_ms() const override { return kStartMs + now_ms_ + skew_ms; }
  std::int64_t steady_ms() const override { return now_ms_; }
  bool wait_ms(std::int64_t) override { return false; }
  std::int64_t skew_ms = 0;

 private:
  const std::int64_t& now_ms_;
};

// A log that was shown: normally there is one for ever; a fork begins another.
struct Lineage {
  std::map<std::uint64_t, Digest> roots;  // by size, of every published checkpoint
};

// A published checkpoint.
struct Head {
  std::uint64_t size = 0;
  std::uint32_t epoch = 0;  // changes when the run's phase or round does
  std::uint32_t lineage = 0;
  std::string note;  // only where somebody may have to show it
};

struct Hub {
  Hub(const std::int64_t& now_ms) : clock(now_ms) {}
  struct Waiting {
    std::uint32_t peer, question;
    std::uint16_t life;
  };
  struct Awaited {
    std::shared_ptr<hub::Ticket> ticket;
    std::uint32_t peer;
    std::uint16_t life;
    Digest envelope;
  };
  Disk disk;
  HubClock clock;
  std::unique_ptr<hub::Sequencer> sequencer;
  fold::LogState state;  // of the published log: what every honest reader of it sees
  std::vector<Waiting> waiting;
  std::vector<Awaited> awaited;
  std::unordered_set<Digest, DigestHash>
      verified;  // SHA-256 of records that it took and that nobody has folded yet
  std::uint32_t head = kNone;
  std::uint32_t epoch = 1;
  std::uint32_t lineage = 0;
  bool up = false;
  bool batch_due = false;
  std::int64_t next_batch_ms = 0;
};

// ---- the world ----

class World {
 public:
  World(const Config& config, Report& report);
  // To the end; everything told goes to the report.
  void run();

 private:
  // world.cpp: time, network
  void step(const Event& event);
  void deliver(const Event& event);
  void at(std::int64_t delay_ms, const Event& event);
  [[nodiscard]] std::int64_t network_ms(const Peer& peer, std::size_t bytes);
  void send(Event event, std::size_t bytes, Parcel parcel);
  [[nodiscard]] std::string who(std::uint32_t peer) const;
  [[nodiscard]] bool done() const;
  void finish();
  [[nodiscard]] Desk& desk(Peer& peer);
  [[nodiscard]] const fold::RunState* run_of(const Hub& hub) const {
    return hub.state.run(run_id_);
  }
  // setup.cpp
  void make_peers();
  void make_data();
  void open_run();
  Bytes sign(const SecretKey& key, Payload payload, std::uint64_t seq,
             const std::optional<RecordId>& prev) const;
  void say_at_setup(const SecretKey& key, Payload payload);

  // hubs.cpp
  void open_hub(Hub& hub);
  void kill_hub(std::uint32_t which, std::int64_t down_ms);
  void hub_up(std::uint32_t which);
  void batch(std::uint32_t which);
  void want_batch(std::uint32_t which);
  bool advance(Hub& hub);
  void publish_head(Hub& hub);
  void learn(Hub& hub, View entry, const fold::Outcome& outcome);
  void wake_waiting(std::uint32_t which);
  void answer(std::uint32_t which, std::uint32_t peer, std::uint32_t question, std::uint16_t life);
  void on_poll(const Event& event);
  void on_submit(const Event& event);
  void on_ask_tick(const Event& event);
  void on_show(const Event& event);
  void on_upload(const Event& event);
  void on_fetch(const Event& event);
  [[nodiscard]] Hub& hub_of(const Peer& peer) { return *hubs_[peer.hub]; }

  // peers.cpp
  void poll(std::uint32_t peer);
  void set_timer(std::uint32_t peer, std::int64_t delay_ms);
  std::optional<Parcel> decide(Peer& peer, const Hub& hub);
  std::optional<Decision> decide_member(Peer& peer, const Hub& hub, const fold::RunState& run);
  std::optional<Decision> decide_official(Peer& peer, const Hub& hub, const fold::RunState& run);
  [[nodiscard]] bool at_rest(const fold::RunState& run, Peer& peer) const;
  [[nodiscard]] bool is_away(const fold::RunState& run, Peer& peer) const;
  [[nodiscard]] bool stays_calm(const fold::RunState& run, const Peer& peer,
                                const fold::Member* member) const;
  [[nodiscard]] const fold::Member* member_of(const fold::RunState& run, Peer& peer) const;
  [[nodiscard]] role::trainer::Train uncalled_work(const fold::RunState& run,
                                                   const Peer& peer) const;
  void intrude(const fold::RunState& run, const Peer& peer, role::trainer::Action& action);
  void intrude(const fold::RunState& run, const Peer& peer, role::validator::Action& action);
  void note_works(const fold::ClosedRound& closed);
  [[nodiscard]] std::optional<role::trainer::Dispute> complaint(const fold::RunState& run,
                                                                const Peer& peer) const;
  void insist(const fold::RunState& run, role::trainer::Action& action);
  void on_answer(const Event& event);
  void on_receipt(const Event& event);
  void on_uploaded(const Event& event);
  void on_wake(std::uint32_t peer);
  void on_look(std::uint32_t peer);
  void look_again(std::uint32_t peer);
  void on_restart(std::uint32_t peer);
  bool consistent(Peer& peer, std::uint32_t head);
  void post(std::uint32_t peer, Payload payload, std::uint64_t seq,
            const std::optional<RecordId>& prev);
  void send_pending(std::uint32_t peer);
  void show_note(std::uint32_t peer);
  void sign_anew(std::uint32_t peer, const Resume& place);
  void crash(std::uint32_t peer, std::int64_t down_ms);
  bool may_crash(std::uint32_t peer);
  void act(std::uint32_t peer, const Decision& decision);

  // trainers.cpp
  void act(std::uint32_t peer, const role::trainer::Action& action, const Decision& decision);
  void on_trained(const Event& event);
  void reveal(std::uint32_t peer);
  void say_nonsense(std::uint32_t peer, const role::trainer::Train& action,
                    const Decision& decision);
  Bytes make_delta(Peer& peer, const role::trainer::Train& action, std::vector<float>& residual);
  void contribute(std::uint32_t peer, const Trained& trained);

  // officials.cpp
  void act(std::uint32_t peer, const role::validator::Action& action, const Decision& decision);
  void act(std::uint32_t peer, const role::coordinator::Action& action, const Decision& decision);
  void begin(std::uint32_t peer, const role::validator::Score& action, const Decision& decision);
  [[nodiscard]] std::int64_t log_time(Peer& peer, const fold::LogState& state) const;
  void ask_tick(std::uint32_t peer);
  void fetch(std::uint32_t peer);
  void on_fetched(const Event& event);
  void measure(std::uint32_t peer, const std::vector<float>& base,
               const role::validator::Score& action, const std::map<Digest, Blob>& gathered,
               fold::Score& act);
  // What contributions are tried against, and its losses on each guarded domain.
  struct Untried {
    const std::vector<float>& weights;
    std::vector<std::vector<std::int64_t>> domains;
  };
  [[nodiscard]] std::vector<std::int64_t> evaluate_domain(const fold::RunState& run,
                                                          std::span<const float> weights,
                                                          const Digest& seed,
                                                          std::size_t domain) const;
  void measure_parts(std::uint32_t peer, const Untried& base, std::span<const float> tried,
                     const role::validator::Score& action, std::size_t which,
                     fold::ScoreEntry& entry);
  void tell_lies(const role::validator::Score& action, fold::Score& act);
  void score(std::uint32_t peer);
  void close(std::uint32_t peer);
  void go_back(std::uint32_t peer, const role::coordinator::GoBack& action,
               const Decision& decision);
  void upload_all(std::uint32_t peer);

  // audits.cpp
  void keep_state(Desk& desk, Bytes bytes) const;
  void reveal_states(std::uint32_t peer, const role::trainer::RevealStates& action,
                     const Decision& decision);
  void act(std::uint32_t peer, const role::auditor::Repeat& action, const Decision& decision);
  [[nodiscard]] std::optional<fold::Replica> train_again(const fold::RunState& run,
                                                         const role::auditor::Repeat& action,
                                                         const fold::ClosedContribution& last);
  [[nodiscard]] fold::Audit compare(const fold::RunState& run, const role::auditor::Repeat& action,
                                    const fold::ClosedContribution& one, fold::Audit act);
  [[nodiscard]] std::string domain_of(std::uint64_t ordinal) const;
  [[nodiscard]] std::uint64_t lean_of(std::uint64_t ordinal) const;
  [[nodiscard]] std::vector<float> train(const Peer& peer, const std::vector<float>& base,
                                         std::uint64_t ordinal, const Digest& seed) const;

  // collusion.cpp
  [[nodiscard]] double mean_loss(std::span<const float> weights, const Digest& seed) const;
  [[nodiscard]] std::vector<float> collude(const Peer& peer, const std::vector<float>& base,
                                           const role::trainer::Train& action);

  // models: weights by digest, as everybody gets them from the update blobs
  [[nodiscard]] const std::vector<float>* weights(const Digest& digest);
  void catch_up();
  void keep_model(const Digest& digest, std::vector<float> weights);

  // checks.cpp
  void check_close(const Hub& hub);
  void check_audits(Hub& hub, const fold::RunState& run, bool all);
  void check_liars(const fold::RunState& run);
  void check_end_of(const fold::AuditCase& one);
  [[nodiscard]] bool same_case(const fold::AuditCase& one, const Ledger::Case& own) const;
  void check_verdicts(const fold::ClosedRound& closed, const Ledger::Closed& own);
  void check_votes(const fold::ClosedRound& closed, const Ledger::Closed& own);
  void check_numbers(const fold::ClosedRound& closed);
  void check_loss(const fold::ClosedRound& closed);
  void check_people(const fold::RunState& run);
  void check_folder(bool last);
  [[nodiscard]] Result<fold::Outcome> fold_again(View entry);
  [[nodiscard]] static Result<fold::Outcome> fold_verified(fold::LogState& state, View entry);
  void check_queues();
  void check_end();
  void check_learning(const fold::RunState& run);

  // trouble.cpp
  void trouble();
  void place(Fault fault);
  void place_peer_fault(Fault fault);
  void place_hub_fault(Fault fault);
  void use_backup();
  void end_old_copy();
  void two_faces();
  void one_face();
  void jump_clock();
  std::uint32_t fork_lineage(std::uint64_t size);
  void heal();
  [[nodiscard]] std::uint32_t some_member();
  [[nodiscard]] bool crowded(const fold::RunState& run, const Peer& peer) const;
  [[nodiscard]] bool stays_away(const Peer& peer, std::int64_t round) const;

  Config config_;
  Report& report_;
  Plan plan_;
  Queue queue_;
  Mailroom mail_;
  Stream network_;
  Stream chance_;   // of peers
  Stream trouble_;  // of faults
  std::int64_t now_ms_ = 0;
  std::vector<std::unique_ptr<Hub>> hubs_;
  std::vector<Head> heads_;
  std::vector<Lineage> lineages_;
  std::vector<Peer> peers_;
  std::vector<SecretKey> keys_;
  std::map<KeyId, std::uint32_t> peer_of_;
  SecretKey hub_key_;
  SecretKey maintainer_;
  std::uint32_t coordinator_ = 0;
  std::uint32_t first_member_ = 0;
  RecordId run_id_;
  exact::Codec up_, down_;
  std::optional<format::ModelLayout> layout_;
  std::unique_ptr<Task> task_;
  format::DataManifest data_;
  std::map<Digest, std::vector<float>> models_;
  std::deque<Digest> model_order_;
  std::size_t caught_up_ = 0;  // closed rounds in models_
  Ledger ledger_;
  Recount recount_;
  Recount recount_before_;  // before the newest round that was counted again
  Digest recount_weights_;
  std::vector<std::int64_t> losses_;  // of the bases that were counted again, by round
  struct Collusion {
    Digest base;  // of the round
    std::vector<KeyId> who;
    std::vector<std::vector<float>> sent;
  } collusion_;
  // disputes.cpp's: the newest closed rounds
  struct Closed {
    struct Work {
      RecordId id;
      KeyId author;
    };
    std::int64_t number = 0;
    std::vector<Work> forged;
    std::vector<Work> honest;
  };
  std::deque<Closed> newest_works_;
  std::vector<std::uint64_t> audits_seen_;  // a number for each case that changes when it does
  std::size_t liars_seen_ = 0;
  std::vector<std::size_t> audits_open_;  // cases that were open after the last entry
  bool open_to_all_ = false;              // the open round, after its draw's deadline
  std::size_t recounted_ = 0;
  fold::LogState folder_;         // an independent reader of the log
  std::vector<Digest> verified_;  // SHA-256 of each entry whose signature somebody has checked
  std::map<std::uint64_t, Digest> state_hashes_;
  std::vector<std::pair<RecordId, std::uint64_t>> promised_;  // in receipts: records, indices
  // trouble.cpp's
  enum class Copy { none, old_database, old_copy };
  std::uint32_t twice_ = kNone;   // commits once more in a round
  std::uint32_t doomed_ = kNone;  // dies at its next effect
  bool kill_done_ = false;        // the planned kill of the hub comes after its step
  bool tear_ = false;             // … and tears the newest file
  std::string torn_file_;
  Bytes torn_bytes_;
  Copy copy_ = Copy::none;
  bool copy_served_ = false;
  std::optional<Platters> backup_;  // an old copy
  std::optional<Platters> newest_;  // put aside while the old copy is in use
  fold::LogState true_state_;       // the fold of the log meanwhile
  std::uint32_t true_head_ = kNone;
  bool healed_ = false;
  bool finished_ = false;  // the run, by the first hub
  std::int64_t healed_ms_ = 0;
  std::int64_t last_close_ms_ = 0;
  std::size_t refusals_seen_ = 0;
  std::uint64_t events_ = 0;
};

}  // namespace harambee::sim
