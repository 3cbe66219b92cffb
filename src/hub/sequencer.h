// Puts records in order, durably, in batches (trust-formats: Sunlight's commit order). One thread
// does all of it; submit() only queues.
//
//   check → stage and swap the signed checkpoint in the database   COMMIT POINT
//         → publish bundles and tiles, then `checkpoint`            (the function that restart
//         uses) → answer
//
// A crash before the commit point loses nothing that was answered; after it, restart publishes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"
#include "base/sign.h"
#include "hub/order.h"
#include "hub/shelf.h"
#include "hub/ticket.h"
#include "port/clock.h"

namespace harambee::hub {

struct SequencerOptions {
  std::string origin;           // scheme-less, as in checkpoints
  std::int64_t tick_ms = 1000;  // least log time between two ticks
  std::int64_t batch_ms = 20;   // longest wait for company in a batch
  std::uint32_t batch_records_max = 1024;
  std::uint32_t outstanding_max = 4096;        // then 429
  std::uint64_t free_bytes_min = 64ull << 20;  // low-water mark: below it records are refused
};

// What readers may see: a published checkpoint.
struct Head {
  std::uint64_t size = 0;
  std::string checkpoint;
};

class Sequencer {
 public:
  // Opens or, in an empty store, begins the log; finishes what a crash interrupted. An error means
  // the store cannot be used at all; damage found in the files opens the log read-only instead
  // (damage() says why). order, shelf and clock outlive the sequencer.
  [[nodiscard]] static Result<std::unique_ptr<Sequencer>> open(SequencerOptions options,
                                                               SecretKey key, Order& order,
                                                               Shelf& shelf, Clock& clock);
  virtual ~Sequencer() = default;

  // Called after every change of head() and every verdict, from the sequencer's thread. Set
  // before start().
  virtual void on_change(std::function<void()> wake) = 0;
  // Runs batches on a thread of its own until stop() (or destruction); stop() finishes the queue.
  virtual void start() = 0;
  virtual void stop() = 0;
  // One batch, on the caller's thread; for tests and for those who have no thread.
  virtual void run_batch() = 0;

  [[nodiscard]] virtual std::shared_ptr<Ticket> submit(Bytes envelope) = 0;
  // Asks for a tick; sequenced only if tick_ms have passed since the last one. Its verdict is a
  // receipt, or a rejection with status 200 when there was none to make.
  [[nodiscard]] virtual std::shared_ptr<Ticket> tick() = 0;

  // Somebody shows a signed checkpoint of this log. One that our own key signed, and that the log
  // does not have (larger than the log, or another root at its size), proves that an old copy of
  // the store was put back, or that two hubs use one key: nothing is written any more, for that
  // would be a second log under the same key. damage() says so, also after a restart, until the log
  // has at least that many entries. invalid: not a checkpoint that our key signed. Any thread.
  [[nodiscard]] virtual Status shown(View note) = 0;

  [[nodiscard]] virtual std::shared_ptr<const Head> head() const = 0;
  // Envelopes [from, …) of the published log, up to bytes_max (but at least one if there is one).
  [[nodiscard]] virtual Result<std::vector<Bytes>> entries(std::uint64_t from,
                                                           std::uint64_t bytes_max) = 0;
  // Why nothing is accepted any more, if so.
  [[nodiscard]] virtual std::optional<std::string> damage() const = 0;
  [[nodiscard]] virtual std::int64_t last_tick_ms() const = 0;
};

}  // namespace harambee::hub
