// The rules of spec/run.md once more, written straight down over the log's bytes: what the fold is
// compared with. Shares only hashing, base64, the JSON reader and the numbers of base/rng.h with
// the code under test; slow and plain on purpose.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"

namespace harambee::sim {

class Ledger {
 public:
  struct Person {
    std::uint64_t records = 0;
    std::string last;  // record id, hex
  };
  struct Member {
    std::uint64_t joined = 0;  // entry
    bool left = false;
    bool excluded = false;
    bool missed = false;
    std::int64_t streak = 0;
    std::vector<std::int64_t> gains;
    std::string ef, opt;
    std::int64_t accepted = 0;
    std::int64_t rejected = 0;
    bool in_round = false;  // has contributed to the open round
    bool drawn = true;      // may commit before the deadline
    bool suspended = false;
    bool slashed = false;  // convicted
    std::size_t links = 0;
    std::string numeric_class;
    std::vector<std::size_t> cases;  // its own
    std::vector<bool> better;        // on its own rows, in the last rounds that it was measured in
    bool idle = false;
  };
  struct Work {
    std::string id, author, delta, base, domain;
    std::uint64_t index = 0;
    std::string ef_before, ef_after, opt_before, opt_after;
    std::size_t links = 0;  // of the chain of states that ends in it
    bool exact = true;      // of the class that can be repeated to the bit
  };
  struct Answer {
    std::string auditor, result, made;
  };
  // A contribution that is trained again.
  struct Case {
    std::string work, author;
    std::int64_t round = 0;
    bool exact = true;  // of the class that can be repeated to the bit
    bool open = false;
    bool reveal = false;    // its states are waited for
    bool redone = false;    // its author has disputed
    bool revealed = false;  // … and were named
    bool everybody = false;
    std::string disputer;  // who is not the author
    std::int64_t since_ms = 0;
    std::vector<std::string> asked;
    std::vector<Answer> answers;
    std::string end;  // empty: not ended
  };
  struct Vote {
    std::int64_t gain = 0;
    std::string verdict;
    std::int64_t group = 0;
    std::vector<std::int64_t> domains = {};
    std::optional<std::int64_t> own = {};
  };
  // What the votes on one work come to.
  struct Judged {
    bool ok = false;  // more than half evaluated it
    bool accepted = false;
    bool idle = false;
    bool harms_alone = false;  // refused for a domain's sake, and for nothing else
    std::int64_t counted = -1;
    std::optional<std::int64_t> own;
  };
  struct Score {
    std::string author;
    std::optional<std::int64_t> loss;
    std::vector<Vote> votes;
  };
  struct Closed {
    std::vector<Work> works;
    std::vector<std::string> accepted;
    std::vector<std::string> missed;
    std::string base, weights, residual, update, seed;
    std::vector<Judged> judged;        // as the works
    std::optional<std::int64_t> loss;  // reported
    bool voided = false;
    std::vector<std::string> scorers;
    bool mostly_rejected = false;
    std::vector<std::size_t> group;   // of the accepted: index among them of the group's first
    std::vector<std::uint64_t> caps;  // of the accepted: largest vote, in 2^-30
    std::uint64_t possible = 0;       // votes that there could have been, in 2^-30
    std::size_t drawn = 0;            // members that were drawn; 0: everybody might commit
    std::size_t judges = 0;           // validators whose scores were awaited
    std::map<std::string, std::int64_t> earned;  // by accepted contributions, not forfeited
  };
  enum class Phase { waiting, commit, score, closing, finished };

  [[nodiscard]] std::vector<std::string> acting() const;   // validators that are no liars
  [[nodiscard]] std::vector<std::string> awaited() const;  // whose scores the round waits for

  // A member with its key, by the order of joining.
  [[nodiscard]] const std::pair<const std::string, Member>& joined(std::size_t ordinal) const {
    return *by_ordinal_.at(ordinal);
  }

  // The next entry of the log. False: no honest hub would have logged it (`fault` says why).
  bool feed(View entry);

  std::uint64_t size = 0;
  std::string fault;
  std::string root;  // 32 bytes
  std::int64_t now_ms = 0;
  std::unordered_map<std::string, Person> people;
  std::unordered_map<std::string, std::uint64_t> ids;  // record id: entry
  std::string run;                                     // the first run's id
  std::string coordinator;
  std::vector<std::string> validators;
  std::vector<std::string> domains;
  Json recipe;
  Phase phase = Phase::waiting;
  std::int64_t round = 0;
  std::string weights, residual;
  std::map<std::string, Member> members;
  std::vector<Work> works;
  std::vector<Score> scores;
  std::set<std::string> cohort;        // drawn for the open round; empty: everybody
  std::vector<std::string> committee;  // drawn to score
  std::vector<Case> cases;             // in the order of their first opening
  std::set<std::size_t> touched;  // cases that an entry moved; whoever compares them empties it
  std::set<std::string> liars;
  std::int64_t forfeited = 0;
  std::vector<Closed> history;
  std::map<std::string, std::int64_t> credits;

 private:
  struct Entry;
  void leaf(View entry);
  void tick(std::int64_t ms);
  void join(const Entry& entry);
  void contribution(const Entry& entry);
  void score(const Entry& entry);
  void close(const Entry& entry);
  [[nodiscard]] bool must_go_back() const;
  void go_back(const Entry& entry);
  [[nodiscard]] bool checkpoint_fits(std::size_t checkpoints) const;
  [[nodiscard]] Closed ended() const;
  void go_on(Closed closed, const Entry& entry);
  void open(std::int64_t number, const std::string& opening);
  void draw_cohort(const std::string& opening);
  void draw_committee();
  [[nodiscard]] std::vector<std::size_t> groups_of(const std::vector<std::size_t>& works) const;
  [[nodiscard]] std::vector<std::uint64_t> caps_of(const std::vector<std::size_t>& works,
                                                   const std::vector<std::size_t>& group) const;
  void weigh(Closed& closed) const;
  void count_waiting();
  void end_score_if_complete();
  // ledger_audit.cpp
  [[nodiscard]] const Work* audited_work(std::int64_t number, const std::string& id) const;
  [[nodiscard]] Case* case_of(const Work& work);
  [[nodiscard]] static std::vector<std::string> wanted_states(const Work& work);
  Case& open_case(std::int64_t number, const Work& work);
  void tick_audits();
  void call_everybody(Case& one);
  void audit(const std::string& author, std::int64_t number, const Json& body);
  void reveal(const std::string& author, std::int64_t number, const Json& body, const Json& blobs);
  [[nodiscard]] bool may_dispute(const std::string& author, std::int64_t number,
                                 const Case* one) const;
  void dispute(const std::string& author, std::int64_t number, const Json& body);
  void decide(Case& one, bool late);
  void end_case(Case& one, const std::string& end);
  void stand_suspended(const std::string& author);
  void convict(const std::string& author);
  void forfeit(Closed& closed, const std::string& author);
  void name_liar(const std::string& key);
  [[nodiscard]] bool expected(const Member& member) const;
  [[nodiscard]] std::int64_t rule(const char* name) const;
  [[nodiscard]] std::int64_t number_of_steps() const;  // inner ones
  [[nodiscard]] std::int64_t judge(const char* name) const;
  [[nodiscard]] std::int64_t judge_nanos(const char* name) const;  // of a decimal
  // ledger_judge.cpp
  [[nodiscard]] std::size_t guarded() const;
  [[nodiscard]] Judged judged(std::size_t work) const;
  void remember_own(Member& member, std::int64_t own) const;
  [[nodiscard]] std::vector<std::string> accepted_set() const;
  void pay(Closed& closed);
  void stand(Closed& closed);

  std::vector<std::pair<std::uint64_t, std::string>> peaks_;  // of the tree: leaves, raw hash
  std::uint64_t opened_ = 0;
  std::uint64_t opened_before_ = 0;  // entry that opened the round before
  std::vector<std::pair<const std::string, Member>*> by_ordinal_;  // of members
  std::size_t drawn_rounds_ = 0;  // closed rounds whose audits were drawn
  std::int64_t opened_ms_ = 0;
  std::int64_t phase_ms_ = 0;
  std::size_t waiting_for_ = 0;  // expected members without a contribution
  std::string seed_;
  std::string hub_;
  std::vector<std::string> missed_;
};

}  // namespace harambee::sim
