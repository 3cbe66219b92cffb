#include "node/verify.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "base/rng.h"
#include "fold/lineage.h"
#include "node/link.h"
#include "node/replay.h"
#include "node/rescore.h"
#include "node/retrain.h"
#include "node/run_manifest.h"
#include "node/run_open.h"
#include "node/trainer_process.h"
#include "node/verify_audits.h"
#include "node/verify_excuses.h"
#include "node/verify_facts.h"
#include "node/verify_samples.h"
#include "store/file.h"

namespace harambee::node {
namespace fs = std::filesystem;
namespace {

using Steady = std::chrono::steady_clock;

double seconds_since(Steady::time_point begun) {
  return std::chrono::duration<double>(Steady::now() - begun).count();
}

// What this audit does to one run.
struct Plan {
  const fold::RunState* run = nullptr;
  VerifiedRun* result = nullptr;
  format::DataManifest manifest;
  bool has_manifest = false;
  std::vector<Trained> chosen;
  std::map<std::int64_t, std::vector<const fold::ClosedScore*>> scores;  // to rescore, by round
  std::map<std::int64_t, std::vector<const LoggedSample*>> samples;      // to write again
};

class Verification {
 public:
  Verification(LogSource& source, const VerifyOptions& options)
      : source_(source), options_(options), blobs_(checked_blobs(source)) {}

  Result<VerifyReport> run() {
    VerifyLogOptions log_options = options_.log;
    log_options.stop = options_.stop;
    log_options.progress = [this](const LogProgress& at) {
      report_progress("log", at.done, at.total, "records");
    };
    Result<AuditedLog> log = verify_log(source_, log_options);
    if (!log) return log.error();
    log_ = *std::move(log);
    take_log();
    // State that is folded from other entries than the signed ones proves nothing.
    if (report_.faults_count > 0) return std::move(report_);
    if (Status done = make_plans(); !done) return done.error();
    for (auto step : {&Verification::check_blobs, &Verification::check_left_over_blobs,
                      &Verification::choose_work, &Verification::replay_all}) {
      if (Status done = (this->*step)(); !done) return done.error();
    }
    return std::move(report_);
  }

 private:
  void report_progress(const char* stage, std::uint64_t done, std::uint64_t total,
                       const char* unit) {
    if (options_.progress) options_.progress({stage, done, total, unit});
  }
  [[nodiscard]] bool stopped() const { return options_.stop && options_.stop(); }
  [[nodiscard]] static Error stopped_error() { return fail(ErrorCode::cancelled, "stopped"); }

  void fault(std::string place, std::string what) {
    ++report_.faults_count;
    if (report_.faults.size() < kFaultsListedMax) {
      report_.faults.push_back({std::move(place), std::move(what)});
    }
  }

  void take_log() {
    report_.where = source_.where();
    report_.origin = log_.checkpoint.origin;
    report_.vkey = log_.vkey;
    report_.entries = log_.entries;
    report_.inert = log_.inert;
    report_.root = log_.checkpoint.root;
    report_.bundles = log_.bundles;
    report_.tiles = log_.tiles;
    report_.seconds_log = log_.seconds;
    if (log_.cpu_seconds > 0) {
      report_.records_per_second_core = static_cast<double>(log_.entries) / log_.cpu_seconds;
    }
    report_.faults = log_.faults;
    report_.faults_count = log_.faults_count;
    if (report_.faults_count == 0) report_.state = fold::state_hash(log_.state);
  }

  Status make_plans() {
    std::vector<const fold::RunState*> runs;
    for (const auto& [id, run] : log_.state.runs) {
      if (options_.run.empty() || run.name == options_.run) runs.push_back(&run);
    }
    if (runs.empty() && !options_.run.empty()) {
      return fail(ErrorCode::not_found, "the log has no run \"" + options_.run + "\"");
    }
    std::ranges::sort(runs, {}, [](const fold::RunState* run) { return run->opened.index; });
    report_.runs.resize(runs.size());
    for (std::size_t i = 0; i < runs.size(); ++i) {
      VerifiedRun& result = report_.runs[i];
      result.name = runs[i]->name;
      result.id = runs[i]->id;
      result.phase = fold::name(runs[i]->phase);
      result.rounds = runs[i]->history.size();
      result.weights = runs[i]->weights;
      plans_.push_back({runs[i], &result, {}, false, {}, {}, {}});
    }
    return ok();
  }

  // Every blob that a record names, and every shard that a manifest names.
  Status check_blobs() {
    auto begun = Steady::now();
    for (Plan& plan : plans_) {
      if (Status done = read_manifest(plan); !done) return done;
    }
    if (options_.run.empty()) {
      Result<VerifiedRepos> repos = name_files(source_, log_);
      if (!repos) return repos.error();
      report_.repos = *repos;
    }
    Excuses excuses;
    for (const Plan& plan : plans_) excuses.add(*plan.run, plan.manifest);
    std::uint64_t seen = 0;
    for (const auto& [digest, named] : log_.blobs) {
      if (stopped()) return stopped_error();
      report_progress("blobs", seen++, log_.blobs.size(), "blobs");
      if (!concerns_us(named)) continue;
      const Excuse* excuse = excuses.find(digest);
      // Anybody may log a data set or a revision and never bring its bytes (what a run needs of
      // them, its manifest names); a revealed state that nobody can have suspends its author, and
      // that is all.
      bool optional = !named.applied || named.kind == "dataset" || named.kind == "revision" ||
                      named.kind == "reveal";
      if (Status done = check_blob(named, optional || excuse != nullptr, excuse); !done) {
        return done;
      }
    }
    report_progress("blobs", log_.blobs.size(), log_.blobs.size(), "blobs");
    report_.seconds_blobs = seconds_since(begun);
    return ok();
  }

  [[nodiscard]] bool concerns_us(const NamedBlob& named) const {
    if (options_.run.empty() || !named.run) return true;
    return *named.run == plans_.front().run->id;
  }

  Status read_manifest(Plan& plan) {
    Result<Content> content = source_.blob(plan.run->data.digest);
    if (!content) {
      // check_blobs() will say that it is not there.
      return content.error().code == ErrorCode::not_found ? ok() : Status(content.error());
    }
    if (sha256(content->bytes()) != plan.run->data.digest) return ok();  // said there, too
    Result<format::DataManifest> manifest = read_run_manifest(*plan.run, content->bytes());
    if (!manifest) {
      fault(blob_place(plan.run->data.digest), manifest.error().message);
      return ok();
    }
    plan.manifest = *std::move(manifest);
    plan.has_manifest = true;
    for (const auto* list : {&plan.manifest.train, &plan.manifest.heldout}) {
      for (const format::Shard& shard : *list) {
        // Over what an inert record says of the same bytes.
        log_.blobs.insert_or_assign(
            shard.digest,
            NamedBlob{
                {shard.digest, shard.size, ""}, plan.run->opened.index, "run", true, plan.run->id});
      }
    }
    return ok();
  }

  Status check_blob(const NamedBlob& named, bool optional, const Excuse* excuse) {
    std::string by =
        "named by the " + named.kind + " record at entry " + std::to_string(named.index);
    Result<Content> content = source_.blob(named.ref.digest);
    if (!content) {
      if (content.error().code != ErrorCode::not_found) return content.error();
      if (!optional) {
        fault(blob_place(named.ref.digest), "is not there, but " + by);
      } else if (named.kind == "revision") {
        ++report_.repos.missing;
      } else if (excuse != nullptr) {
        count_missing(named, *excuse);
      }
      return ok();
    }
    ++report_.blobs;
    report_.blob_bytes += content->bytes().size();
    const std::size_t size = content->bytes().size();
    if (Digest made = sha256(content->bytes()); made != named.ref.digest) {
      fault(blob_place(named.ref.digest), "its " + std::to_string(size) +
                                              " bytes have the digest " + made.hex() +
                                              " instead; " + by);
    } else if (size != named.ref.size && !optional) {
      fault(blob_place(named.ref.digest), "has " + std::to_string(size) + " bytes, not " +
                                              std::to_string(named.ref.size) + "; " + by);
    }
    return ok();
  }

  void count_missing(const NamedBlob& named, const Excuse& excuse) {
    for (Plan& plan : plans_) {
      if (!named.run || *named.run != plan.run->id) continue;
      ++(excuse.withheld ? plan.result->withheld : plan.result->pending);
    }
  }

  // Blobs that no record names are nobody's claim, but their names are.
  Status check_left_over_blobs() {
    Result<std::vector<std::string>> files = source_.stored_files();
    if (!files) return files.error();
    for (const std::string& file : *files) {
      if (!file.starts_with("blobs/")) continue;
      Result<Digest> digest = Digest::from_hex(file.substr(file.rfind('/') + 1));
      if (!digest || log_.blobs.contains(*digest)) continue;
      Result<Content> content = source_.blob(*digest);
      if (!content) return content.error();
      if (sha256(content->bytes()) != *digest) fault(file, "its bytes do not have this digest");
    }
    return ok();
  }

  Status choose_work() {
    Digest seed = options_.seed.value_or(report_.root);
    std::vector<Trained> all;
    std::map<std::uint64_t, Plan*> plan_of;  // by entry
    for (Plan& plan : plans_) {
      for (const Trained& one : retrainable(*plan.run, log_.contributions)) {
        all.push_back(one);
        plan_of[one.place.index] = &plan;
      }
    }
    std::uint64_t count = options_.retrain_all ? all.size() : options_.retrain;
    for (const Trained& one : choose(std::move(all), count, seed)) {
      plan_of[one.place.index]->chosen.push_back(one);
    }
    choose_scores(seed);
    for (Plan& plan : plans_) {
      plan.samples = choose_samples(log_.samples, plan.run->id, options_.samples, seed);
    }
    return ok();
  }

  void choose_scores(const Digest& seed) {
    struct Choice {
      Plan* plan;
      std::int64_t round;
      const fold::ClosedScore* score;
    };
    std::vector<Choice> all;
    for (Plan& plan : plans_) {
      for (const fold::ClosedRound& round : plan.run->history) {
        for (const fold::ClosedScore& score : round.scores) {
          if (log_.scores.contains(score.place.id)) all.push_back({&plan, round.number, &score});
        }
      }
    }
    Rng rng(seed);
    std::uint64_t count = std::min<std::uint64_t>(options_.rescore, all.size());
    for (std::uint64_t i = 0; i < count; ++i) {
      std::swap(all[i], all[i + rng.below(all.size() - i)]);
      all[i].plan->scores[all[i].round].push_back(all[i].score);
    }
  }

  Status replay_all() {
    for (Plan& plan : plans_) {
      if (!plan.run->start) continue;
      if (options_.retrain_start) {
        if (Status done = retrain_start(plan); !done) return done;
      }
      if (options_.audits) {
        if (Status done = repeat_audits(plan); !done) return done;
      }
      bool needs_weights =
          options_.weights || !plan.chosen.empty() || !plan.scores.empty() || !plan.samples.empty();
      if (!needs_weights) continue;
      if (Status done = replay(plan); !done) return done;
    }
    return ok();
  }

  Status repeat_audits(Plan& plan) {
    std::uint64_t total = audits_to_check(*plan.run);
    if (total == 0 || !plan.has_manifest) return ok();
    auto begun = Steady::now();
    Result<format::ModelLayout> layout = format::ModelLayout::make(plan.run->recipe.model);
    if (!layout) return layout.error();
    auto weights = [&](std::int64_t round) { return weights_at(*plan.run, round, blobs_, {}); };
    auto shards = [&](const KeyId& author) -> Result<std::vector<fs::path>> {
      std::vector<format::Shard> theirs;
      for (std::uint64_t index : shards_of_member(*plan.run, author, plan.manifest.train.size())) {
        theirs.push_back(plan.manifest.train[index]);
      }
      Result<std::vector<std::string>> files = files_of(theirs);
      if (!files) return files.error();
      return std::vector<fs::path>(files->begin(), files->end());
    };
    auto world_of = [&](const std::string& numeric_class) -> Result<std::optional<RepeatWorld>> {
      Result<TrainerProcess*> program = trainer_of(plan, numeric_class);
      if (!program) return program.error();
      if (*program == nullptr) return std::optional<RepeatWorld>();
      return std::optional(RepeatWorld{**program, *layout, blobs_, weights, shards, work_,
                                       [this] { return !stopped(); }});
    };
    Result<AuditsChecked> checked = check_audits(*plan.run, world_of, [&](std::uint64_t done) {
      report_progress("audits", done, total, "contributions");
    });
    if (!checked) return checked.error();
    report_.audits += checked->repeated;
    report_.audits_forged += checked->forged;
    report_.audits_inexact += checked->near_or_far;
    report_.audits_near += checked->near;
    report_.audits_unrepeated += checked->unrepeated;
    for (Fault& found : checked->disagreements) report_.disagreements.push_back(std::move(found));
    for (Fault& found : checked->faults) fault(std::move(found.place), std::move(found.what));
    report_.seconds_retrain += seconds_since(begun);
    return ok();
  }

  // Null: there is no trainer for this class here.
  Result<TrainerProcess*> trainer_of(const Plan& plan, const std::string& numeric_class) {
    if (numeric_class == kExactClass) return trainer(plan);
    const AuditTrainer* which = find_audit_trainer(options_.audit_trainers, numeric_class);
    if (which == nullptr) return static_cast<TrainerProcess*>(nullptr);
    auto& kept = inexact_[{plan.run->id, numeric_class}];
    if (kept) return kept.get();
    Result<TrainerOptions> made = trainer_options(plan);
    if (!made) return made.error();
    made->dir /= "audit";
    auto started = start_audit_trainer(*which, *std::move(made), plan.run->recipe.model);
    if (!started) return started.error();
    kept = *std::move(started);
    return kept.get();
  }

  // All but the command. Everything for the run is in work_ from here on.
  Result<TrainerOptions> trainer_options(const Plan& plan) {
    std::string dir = options_.work_dir + "/" + plan.run->id.hex().substr(0, 16);
    if (Status made = store::make_folders(dir); !made) return made.error();
    work_ = dir;
    TrainerOptions made;
    made.dir = dir;
    made.threads = static_cast<int>(options_.trainer_threads);
    made.keep_going = [this] { return !stopped(); };
    return made;
  }

  Result<TrainerProcess*> trainer(const Plan& plan) {
    Result<TrainerOptions> trainer_options = this->trainer_options(plan);
    if (!trainer_options) return trainer_options.error();
    if (trainer_ && trainer_run_ == plan.run->id) return trainer_.get();
    trainer_options->argv = options_.trainer;
    auto made = std::make_unique<TrainerProcess>(*trainer_options, plan.run->recipe.model);
    Result<TrainerHello> hello = made->hello();
    if (!hello) return hello.error();
    if (hello->numeric_class != kExactClass) {
      return invalid("the trainer " + hello->name + " is of class " + hello->numeric_class +
                     ": only exact ones can repeat the training of others to the bit");
    }
    trainer_ = std::move(made);
    trainer_run_ = plan.run->id;
    return trainer_.get();
  }

  Result<std::vector<std::string>> files_of(const std::vector<format::Shard>& shards) {
    std::vector<std::string> files;
    for (const format::Shard& shard : shards) {
      Result<std::string> file = source_.blob_file(shard.digest);
      if (!file) return file.error();
      files.push_back(*std::move(file));
    }
    return files;
  }

  Status retrain_start(Plan& plan) {
    if (!plan.has_manifest) return ok();  // a fault already
    // A fork: the run that it began from is replayed, and nothing was trained.
    if (fold::parent_of(log_.state, *plan.run)) return ok();
    auto begun = Steady::now();
    Result<TrainerProcess*> program = trainer(plan);
    if (!program) return program.error();
    Result<std::vector<std::string>> shards = files_of(plan.manifest.train);
    if (!shards) return shards.error();
    auto steps = static_cast<std::uint64_t>(plan.run->recipe.warm.steps);
    Result<WarmStart> warm =
        warm_start(**program, plan.run->recipe, plan.run->id, {shards->begin(), shards->end()},
                   work_, [&](const TrainProgress& at) {
                     report_progress("start", static_cast<std::uint64_t>(at.step), steps, "steps");
                     return !stopped();
                   });
    if (!warm) return warm.error();
    ++report_.start_retrained;
    const fold::Start& start = *plan.run->start;
    if (warm->digest != start.checkpoint.digest) {
      fault("run " + plan.run->name + " start record (entry " +
                std::to_string(plan.run->start_place.index) + ")",
            "training the first weights again gives " + warm->digest.hex() + ", the record says " +
                start.checkpoint.digest.hex());
    }
    report_.seconds_retrain += seconds_since(begun);
    return ok();
  }

  Status replay(Plan& plan) {
    Result<Replay> replay = Replay::begin(*plan.run, blobs_);
    if (!replay) return replay_failed(plan, replay.error());
    Retraining retraining(*plan.run, plan.chosen, log_.contributions);
    std::uint64_t rounds = plan.run->history.size();
    while (!replay->done()) {
      if (stopped()) return stopped_error();
      report_progress("weights", plan.result->rounds_replayed, rounds, "rounds");
      if (Status done = train_round(plan, *replay, retraining); !done) return done;
      if (Status done = score_round(plan, *replay); !done) return done;
      if (Status done = write_again(plan, *replay); !done) return done;
      if (Status done = facts_of_round(plan, *replay); !done) return done;
      auto begun = Steady::now();
      Status done = replay->next();
      report_.seconds_weights += seconds_since(begun);
      if (!done) return replay_failed(plan, done.error());
      ++plan.result->rounds_replayed;
    }
    report_progress("weights", rounds, rounds, "rounds");
    if (Status done = write_again(plan, *replay); !done) return done;
    if (replay->digest() != plan.run->weights) {
      fault("run " + plan.run->name, "the last weights should be " + replay->digest().hex());
    }
    return ok();
  }

  // What is said to have been written with the weights where the replay stands.
  Status write_again(const Plan& plan, const Replay& replay) {
    auto wanted = plan.samples.find(replay.round());
    if (wanted == plan.samples.end()) return ok();
    auto begun = Steady::now();
    Result<TrainerProcess*> program = trainer(plan);
    if (!program) return program.error();
    for (const LoggedSample* sample : wanted->second) {
      report_progress("samples", report_.samples, options_.samples, "samples");
      Result<std::string> difference = resample(sample->act, replay, **program, work_);
      if (!difference) return difference.error();
      ++report_.samples;
      if (difference->empty()) {
        ++report_.samples_exact;
        continue;
      }
      fault("run " + plan.run->name + " sample " + sample->place.id.hex() + " (entry " +
                std::to_string(sample->place.index) + ") by " + sample->author.hex(),
            *difference);
    }
    report_.seconds_retrain += seconds_since(begun);
    return ok();
  }

  // What the round's validators said of its blobs.
  Status facts_of_round(const Plan& plan, const Replay& replay) {
    const fold::ClosedRound& round = plan.run->history[static_cast<std::size_t>(replay.round())];
    Result<FactsChecked> checked =
        check_facts(*plan.run, round, log_.scores, replay.layout().parameters(),
                    plan.has_manifest ? &plan.manifest : nullptr, blobs_);
    if (!checked) return checked.error();
    report_.facts_checked += checked->scores;
    for (const FactsChecked::Lie& lie : checked->lies) {
      fault("run " + plan.run->name + " round " + std::to_string(round.number) + " score " +
                lie.score->place.id.hex() + " (entry " + std::to_string(lie.score->place.index) +
                ") by validator " + lie.score->validator.hex(),
            lie.what);
    }
    return ok();
  }

  // What the bytes show is a fault; what could not be looked at is an error.
  Status replay_failed(const Plan& plan, const Error& error) {
    if (error.code == ErrorCode::corrupt || error.code == ErrorCode::not_found) {
      fault("weights of run " + plan.run->name, error.message);
      return ok();
    }
    return error;
  }

  Status train_round(Plan& plan, const Replay& replay, Retraining& retraining) {
    if (!retraining.needs(replay.round()) || !plan.has_manifest) return ok();
    auto begun = Steady::now();
    Result<TrainerProcess*> program = trainer(plan);
    if (!program) return program.error();
    Result<std::vector<std::string>> shards = files_of(plan.manifest.train);
    if (!shards) return shards.error();
    RetrainEnvironment environment{**program, *std::move(shards), work_, [&] {
                                     report_progress("retrain", retraining.done(),
                                                     retraining.total(), "trainings");
                                     return !stopped();
                                   }};
    Result<std::vector<Retrained>> results = retraining.round(replay, environment);
    if (!results) return results.error();
    for (const Retrained& result : *results) {
      ++report_.retrained;
      if (result.exact) ++report_.retrained_exact;
      if (result.exact) continue;
      fault("run " + plan.run->name + " round " + std::to_string(result.chosen.round) +
                " contribution " + result.chosen.place.id.hex() + " (entry " +
                std::to_string(result.chosen.place.index) + ")",
            result.difference);
    }
    report_.seconds_retrain += seconds_since(begun);
    return ok();
  }

  Status score_round(Plan& plan, const Replay& replay) {
    auto wanted = plan.scores.find(replay.round());
    if (wanted == plan.scores.end() || !plan.has_manifest) return ok();
    Result<TrainerProcess*> program = trainer(plan);
    if (!program) return program.error();
    Result<std::vector<std::string>> files = files_of(plan.manifest.heldout);
    if (!files) return files.error();
    Result<std::vector<std::string>> train = files_of(plan.manifest.train);
    if (!train) return train.error();
    HeldOut held_out{*std::move(files), *std::move(train), &plan.manifest};
    const fold::ClosedRound& round = plan.run->history[static_cast<std::size_t>(replay.round())];
    for (const fold::ClosedScore* score : wanted->second) {
      report_progress("rescore", report_.rescored, options_.rescore, "scores");
      Result<std::string> difference =
          rescore(*plan.run, round, score->validator, log_.scores.at(score->place.id), replay,
                  blobs_, held_out, **program, work_);
      if (!difference) return difference.error();
      ++report_.rescored;
      if (difference->empty()) {
        ++report_.rescored_exact;
        continue;
      }
      fault("run " + plan.run->name + " round " + std::to_string(round.number) + " score " +
                score->place.id.hex() + " (entry " + std::to_string(score->place.index) + ")",
            *difference);
    }
    return ok();
  }

  LogSource& source_;
  const VerifyOptions& options_;
  FetchBlob blobs_;
  AuditedLog log_;
  VerifyReport report_;
  std::vector<Plan> plans_;
  std::unique_ptr<TrainerProcess> trainer_;
  Digest trainer_run_;
  std::map<std::pair<Digest, std::string>, std::unique_ptr<TrainerProcess>> inexact_;  // of runs
  std::string work_;
};

}  // namespace

Result<VerifyReport> verify(LogSource& source, const VerifyOptions& options) {
  return Verification(source, options).run();
}

}  // namespace harambee::node
