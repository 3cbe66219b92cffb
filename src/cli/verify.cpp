#include "node/verify.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/setup.h"
#include "cli/verbs.h"
#include "net/http_client.h"
#include "store/file.h"

namespace harambee::cli {
namespace {

constexpr std::int64_t kTellMs = 200;  // between two looks at the progress

// What the person asked for, and the source that it speaks of.
struct Prepared {
  node::VerifyOptions options;
  std::unique_ptr<net::CurlWire> wire;
  std::unique_ptr<node::LogSource> source;
};

Status take_numbers(const VerifyVerbOptions& options, node::VerifyOptions& made) {
  if (options.retrain == "all") {
    made.retrain_all = true;
  } else if (!options.retrain.empty()) {
    const char* first = options.retrain.data();
    const char* last = first + options.retrain.size();
    auto [end, error] = std::from_chars(first, last, made.retrain);
    if (error != std::errc() || end != last) {
      return invalid("--retrain " + options.retrain + ": give a number, or all");
    }
  }
  made.rescore = options.rescore;
  made.samples = options.samples;
  if (!options.seed.empty()) {
    Result<Digest> seed = Digest::from_hex(options.seed);
    if (!seed) return invalid("--seed must be 64 hex digits");
    made.seed = *seed;
  }
  return ok();
}

Result<Prepared> prepare(const VerifyVerbOptions& options) {
  Prepared made;
  if (Status done = take_numbers(options, made.options); !done) return done.error();
  made.options.log.vkey = options.vkey;
  made.options.weights = !options.no_weights;
  made.options.retrain_start = options.retrain_start;
  made.options.audits = options.audits;
  made.options.trainer_threads = threads(options.common);
  made.options.stop = [] { return stop_requested(); };
  Result<std::vector<std::string>> trainer = trainer_command(options.common);
  if (!trainer) return trainer.error();
  made.options.trainer = *std::move(trainer);
  Result<std::vector<node::AuditTrainer>> inexact = audit_trainers(options.audit_trainers);
  if (!inexact) return inexact.error();
  made.options.audit_trainers = *std::move(inexact);
  if (options.url.empty() == options.data.empty()) {
    return invalid("give either a URL, or --data with a hub's data directory");
  }
  std::string hub = "local";
  if (!options.url.empty() && options.url.find("/runs/") != std::string::npos) {
    Result<node::RunAddress> address = node::parse_run_address(options.url);
    if (!address) return address.error();
    hub = address->hub;
    made.options.run = address->name;
  } else if (!options.url.empty()) {
    Result<std::string> address = node::parse_hub_address(options.url);
    if (!address) return address.error();
    hub = *address;
  }
  std::filesystem::path dir =
      cache_dir(options.common, options.url.empty() ? "file://offline" : hub) / "verify";
  made.options.work_dir = (dir / "work").string();
  if (!options.data.empty()) {
    Result<std::unique_ptr<node::LogSource>> source = node::open_directory_source(options.data);
    if (!source) return source.error();
    made.source = *std::move(source);
    return made;
  }
  net::CurlOptions curl;
  curl.cancel = &stop_flag();
  made.wire = std::make_unique<net::CurlWire>(curl);
  Result<std::unique_ptr<node::LogSource>> source =
      node::open_hub_source(*made.wire, hub, {.cache_dir = (dir / "blobs").string()});
  if (!source) return source.error();
  made.source = *std::move(source);
  return made;
}

void print_faults(const node::VerifyReport& report, Ui& ui) {
  ui.line(ui.red(ui.bold(fmt::format("NOT what it claims to be: {} fault{}", report.faults_count,
                                     report.faults_count == 1 ? "" : "s"))));
  for (const node::Fault& fault : report.faults) {
    ui.line(fmt::format("  {}: {}", ui.bold(fault.place), fault.what));
  }
  if (report.faults_count > report.faults.size()) {
    ui.line(fmt::format("  … and {} more", report.faults_count - report.faults.size()));
  }
}

void print_run(const node::VerifiedRun& run, Ui& ui) {
  ui.line(fmt::format("run       {}: {} of {} closed rounds replayed to the bit ({})", run.name,
                      run.rounds_replayed, run.rounds, run.phase));
  ui.line(fmt::format("weights   {}", run.weights.hex()));
  if (run.withheld > 0) {
    ui.line(fmt::format("withheld  {} contributions were never revealed, and earned nothing",
                        run.withheld));
  }
  if (run.pending > 0) {
    ui.line(fmt::format("pending   {} blobs of the open round are not there yet", run.pending));
  }
}

void print_inexact(const node::VerifyReport& report, Ui& ui) {
  if (report.audits_inexact > 0) {
    ui.line(fmt::format("audited   {} of inexact classes again: {} came near",
                        report.audits_inexact, report.audits_near));
  }
  for (const node::Fault& one : report.disagreements) {
    ui.line(fmt::format("          {} {}; that is no proof", one.place, one.what));
  }
  if (report.audits_unrepeated > 0) {
    ui.line(
        fmt::format("audited   not again: {} of inexact classes (--audit-trainer CLASS=COMMAND)",
                    report.audits_unrepeated));
  }
}

void print(const node::VerifyReport& report, Ui& ui) {
  ui.line(fmt::format("log       {} at {}: {} entries, root {}", report.origin, report.where,
                      human_count(report.entries), report.root.hex().substr(0, 16)));
  ui.line(
      fmt::format("          every signature checked, {} records/s a core; {} bundles and {} "
                  "tiles fit the signed root",
                  human_count(static_cast<std::uint64_t>(report.records_per_second_core)),
                  report.bundles, report.tiles));
  if (report.blobs > 0) {
    ui.line(fmt::format("blobs     {} ({}) have their digests", human_count(report.blobs),
                        human_bytes(report.blob_bytes)));
  }
  for (const node::VerifiedRun& run : report.runs) print_run(run, ui);
  if (report.start_retrained > 0) {
    ui.line(fmt::format("trained   the first weights again ({} run{})", report.start_retrained,
                        report.start_retrained == 1 ? "" : "s"));
  }
  if (report.retrained > 0) {
    ui.line(fmt::format("trained   {} contributions again: {} gave the committed bytes",
                        report.retrained, report.retrained_exact));
  }
  if (report.facts_checked > 0) {
    ui.line(fmt::format(
        "facts     what {} score record{} said of blobs was stated again from the blobs",
        report.facts_checked, report.facts_checked == 1 ? "" : "s"));
  }
  if (report.audits > 0) {
    ui.line(fmt::format("audited   {} contributions again: {} were forged", report.audits,
                        report.audits_forged));
  }
  print_inexact(report, ui);
  if (report.rescored > 0) {
    ui.line(fmt::format("scored    {} records again: {} to the nano-nat", report.rescored,
                        report.rescored_exact));
  }
  if (report.samples > 0) {
    ui.line(fmt::format("wrote     {} samples again: {} to the byte", report.samples,
                        report.samples_exact));
  }
  if (report.verified()) {
    ui.line(ui.green(ui.bold("verified")) +
            fmt::format(" in {}", human_seconds(report.seconds_log + report.seconds_blobs +
                                                report.seconds_weights + report.seconds_retrain)));
  } else {
    print_faults(report, ui);
  }
}

}  // namespace

Exit verify(const VerifyVerbOptions& options, Ui& ui) {
  catch_stop_signals();
  Result<Prepared> prepared = prepare(options);
  if (!prepared) return ui.fail(prepared.error());
  Pace pace;
  SystemClock clock;
  std::string stage;
  std::int64_t told_ms = 0;
  prepared->options.progress = [&](const node::VerifyOptions::Progress& at) {
    std::int64_t now = clock.steady_ms();
    bool news = stage != at.stage || at.done == at.total;
    stage = at.stage;
    if (!news && now - told_ms < kTellMs) return;
    told_ms = now;
    ui.event({{"event", "progress"},
              {"stage", at.stage},
              {"done", at.done},
              {"total", at.total},
              {"unit", at.unit}});
    std::string said = pace.say(at.done, at.total, at.unit);
    ui.progress(fmt::format("verifying {}: {}/{} {}{}{}", at.stage, human_count(at.done),
                            human_count(at.total), at.unit, said.empty() ? "" : ", ", said));
  };
  Result<store::FileLock> lock = [&]() -> Result<store::FileLock> {
    if (Status made = store::make_folders(prepared->options.work_dir); !made) return made.error();
    return store::FileLock::take(prepared->options.work_dir + "/lock");
  }();
  if (!lock) return ui.fail(lock.error(), {"", "give another --dir for a second audit"});
  Result<node::VerifyReport> report = node::verify(*prepared->source, prepared->options);
  ui.progress_done();
  std::error_code ignored;
  std::filesystem::remove_all(prepared->options.work_dir, ignored);
  if (!report) {
    bool training = stage == "start" || stage == "retrain" || stage == "rescore" ||
                    stage == "audits" || stage == "samples";
    if (training && is_trainers(report.error())) {
      return ui.fail(kTrainerFailed, report.error().message,
                     {"", "try the trainer: harambee conformance -- harambee-trainer"});
    }
    return ui.fail(report.error(),
                   {"blobs that were fetched and are right", "run the same command again"});
  }
  print(*report, ui);
  ui.event(nlohmann::json::parse(node::to_json(*report)));
  return report->verified() ? kOk : kVerifyFailed;
}

}  // namespace harambee::cli
