// Every durable step of the sequencer fails once, in each way it can: it did not happen, it
// happened but was reported as failed, or the machine died right before or after it. Whatever
// happens, nothing that was answered is lost, nothing is logged twice, and every byte published
// fits its root.
#include <gtest/gtest.h>

#include "hub/world.h"

namespace harambee::hub {
namespace {

enum class Fault { fails_undone, fails_done, dies_before, dies_after, disk_full };

std::string fault_name(Fault fault) {
  switch (fault) {
    case Fault::fails_undone:
      return "FailsUndone";
    case Fault::fails_done:
      return "FailsDone";
    case Fault::dies_before:
      return "DiesBefore";
    case Fault::dies_after:
      return "DiesAfter";
    case Fault::disk_full:
      return "DiskFull";
  }
  return "?";
}

// Counts durable steps and spoils one of them.
struct Saboteur {
  int step = 0;
  int at = -1;  // never
  Fault fault = Fault::fails_undone;
  bool dead = false;
  bool full = false;

  Status run(const std::function<Status()>& action) {
    const Error broken = fail(ErrorCode::io, "injected fault");
    if (dead) return broken;
    if (full) return fail(ErrorCode::io, "no space left on device");
    if (step++ != at) return action();
    switch (fault) {
      case Fault::fails_undone:
        return broken;
      case Fault::fails_done:
        static_cast<void>(action().ok());
        return broken;
      case Fault::dies_before:
        dead = true;
        return broken;
      case Fault::dies_after:
        static_cast<void>(action().ok());
        dead = true;
        return broken;
      case Fault::disk_full:
        full = true;
        return fail(ErrorCode::io, "no space left on device");
    }
    return broken;
  }
};

class FaultyOrder : public Order {
 public:
  FaultyOrder(Order& real, Saboteur& saboteur) : real_(real), saboteur_(saboteur) {}
  Status commit(const OrderBatch& batch) override {
    return saboteur_.run([&] { return real_.commit(batch); });
  }
  Result<OrderHead> head() override {
    if (saboteur_.dead) return fail(ErrorCode::io, "dead");
    return real_.head();
  }
  Result<std::optional<std::uint64_t>> index_of(const Digest& id) override {
    return real_.index_of(id);
  }
  Result<std::optional<AuthorState>> author(const KeyId& id) override { return real_.author(id); }
  Result<bool> expects(const Digest& digest, std::uint64_t size) override {
    return real_.expects(digest, size);
  }
  Result<std::optional<NamedRun>> run(const std::string& name) override { return real_.run(name); }
  Result<std::vector<NamedRun>> runs(std::uint64_t max) override { return real_.runs(max); }
  Result<std::vector<Bytes>> staged(std::uint64_t from) override { return real_.staged(from); }

 private:
  Order& real_;
  Saboteur& saboteur_;
};

class FaultyShelf : public Shelf {
 public:
  FaultyShelf(Shelf& real, Saboteur& saboteur) : real_(real), saboteur_(saboteur) {}
  Result<Bytes> read(const std::string& name) override { return real_.read(name); }
  Status replace(const std::string& name, View bytes) override {
    return saboteur_.run([&] { return real_.replace(name, bytes); });
  }
  Status create(const std::string& name, View bytes) override {
    return saboteur_.run([&] { return real_.create(name, bytes); });
  }
  Status remove_folder(const std::string& name) override {
    return saboteur_.run([&] { return real_.remove_folder(name); });
  }
  std::optional<std::string> path(const std::string& name) override { return real_.path(name); }
  Result<std::uint64_t> free_bytes() override { return real_.free_bytes(); }

 private:
  Shelf& real_;
  Saboteur& saboteur_;
};

class FaultTest : public testing::TestWithParam<Fault> {
 protected:
  // People who send in batches and again until they have a receipt.
  void work(Sequencer& sequencer) {
    for (int round = 0; round < 4; ++round) {
      std::vector<std::shared_ptr<Ticket>> tickets;
      for (const Bytes& envelope : unanswered) tickets.push_back(sequencer.submit(envelope));
      sequencer.run_batch();
      std::vector<Bytes> again;
      for (std::size_t i = 0; i < tickets.size(); ++i) {
        const auto verdict = tickets[i]->verdict();
        ASSERT_TRUE(verdict.has_value());
        if (const auto* receipt = std::get_if<Receipt>(&*verdict)) {
          EXPECT_LT(receipt->index, receipt->size);
          receipts[receipt->index] = unanswered[i];
        } else {
          const auto& no = std::get<Rejection>(*verdict);
          EXPECT_TRUE(no.status == 503) << no.status << " " << no.reason;
          again.push_back(unanswered[i]);
        }
      }
      unanswered = std::move(again);
      clock.pass(400);
    }
  }

  void check() {
    const auto entries = check_log(*shelf);
    std::set<Digest> ids;
    for (const Bytes& entry : entries) {
      EXPECT_TRUE(ids.insert(parse_envelope(entry)->id()).second) << "logged twice";
    }
    for (const auto& [index, envelope] : receipts) {
      ASSERT_LT(index, entries.size()) << "a receipt for what is not there";
      EXPECT_EQ(entries[index], envelope);
    }
  }

  // One life with a fault at step `at`, then a second one without; returns whether the fault came.
  bool live_twice(int at) {
    order = store::make_memory_order();
    shelf = store::make_memory_shelf();
    clock = TestClock();
    unanswered.clear();
    receipts.clear();
    Person ada(1);
    Person ben(2);
    for (Person* person : {&ada, &ben}) {
      unanswered.push_back(person->introduce());
      for (int i = 0; i < kNotes; ++i) unanswered.push_back(person->say("note"));
    }

    Saboteur saboteur;
    saboteur.at = at;
    saboteur.fault = GetParam();
    FaultyOrder faulty_order(*order, saboteur);
    FaultyShelf faulty_shelf(*shelf, saboteur);
    auto first = Sequencer::open(test_options(), test_key(200), faulty_order, faulty_shelf, clock);
    if (first) {
      work(**first);
      check();
      if (!saboteur.dead && !saboteur.full) {
        EXPECT_TRUE(unanswered.empty()) << "one failure is got over without a restart";
        EXPECT_FALSE((*first)->damage().has_value()) << *(*first)->damage();
      }
      if (saboteur.full) {
        saboteur.full = false;  // somebody made room
        work(**first);
        EXPECT_TRUE(unanswered.empty()) << "goes on without a restart";
        EXPECT_FALSE((*first)->damage().has_value());
      }
    }
    const bool came = saboteur.step > at;

    auto second = Sequencer::open(test_options(), test_key(200), *order, *shelf, clock);
    EXPECT_TRUE(second.ok());
    if (!second) return came;
    EXPECT_FALSE((*second)->damage().has_value()) << *(*second)->damage();
    check();
    EXPECT_EQ((*second)->head()->size, order->head()->size) << "all that was committed is public";
    work(**second);
    EXPECT_TRUE(unanswered.empty());
    EXPECT_EQ(receipts.size(), 2u * (kNotes + 1));
    check();
    return came;
  }

  static constexpr int kNotes = 140;  // the second person's records cross a tile
  std::unique_ptr<Order> order;
  std::unique_ptr<Shelf> shelf;
  TestClock clock;
  std::vector<Bytes> unanswered;
  std::map<std::uint64_t, Bytes> receipts;
};

TEST_P(FaultTest, AtEveryStep) {
  int at = 0;
  for (; live_twice(at); ++at) {
    if (HasFatalFailure() || HasNonfatalFailure()) {
      FAIL() << fault_name(GetParam()) << " at step " << at;
    }
  }
  EXPECT_GT(at, 10) << "the work has that many durable steps";
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultTest,
                         testing::Values(Fault::fails_undone, Fault::fails_done, Fault::dies_before,
                                         Fault::dies_after, Fault::disk_full),
                         [](const auto& info) { return fault_name(info.param); });

TEST(LowWater, RecordsAreRefusedBeforeTheDiskIsFull) {
  class Tight : public FaultyShelf {
   public:
    using FaultyShelf::FaultyShelf;
    Result<std::uint64_t> free_bytes() override { return space; }
    std::uint64_t space = 10 << 20;
  };
  Saboteur none;
  auto order = store::make_memory_order();
  auto real = store::make_memory_shelf();
  Tight shelf(*real, none);
  TestClock clock;
  SequencerOptions options = test_options();
  options.free_bytes_min = 20 << 20;
  auto sequencer = *Sequencer::open(options, test_key(200), *order, shelf, clock);
  Person ada(1);
  const Bytes hello = ada.introduce();
  auto refused = sequencer->submit(hello);
  sequencer->run_batch();
  EXPECT_EQ(std::get<Rejection>(refused->verdict().value()).status, 503);
  shelf.space = 30 << 20;
  auto taken = sequencer->submit(hello);
  sequencer->run_batch();
  EXPECT_TRUE(std::holds_alternative<Receipt>(taken->verdict().value()));
}

}  // namespace
}  // namespace harambee::hub
