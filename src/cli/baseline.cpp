// `baseline`: what another training reached, signed by the run's maintainer, beside the run.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/baseline_file.h"
#include "cli/read_run.h"
#include "cli/verbs.h"
#include "node/publisher.h"

namespace harambee::cli {
namespace {

Result<fold::Baseline> prepare(const BaselineOptions& options, const fold::RunState& run, Ui& ui) {
  const auto bytes = store::read_file(options.file, kBaselineFileBytesMax);
  if (!bytes) return bytes.error();
  Result<BaselineFile> file = parse_baseline_file(text(*bytes));
  if (!file) return wrap(file.error(), options.file);
  if (file->points_in_file > file->points.size()) {
    ui.note(fmt::format("{} has {} points; {} of them are logged", options.file,
                        file->points_in_file, file->points.size()));
  }
  const std::string label =
      options.label.empty() ? std::filesystem::path(options.file).stem().string() : options.label;
  fold::Baseline act{run.id, label, file->over, std::move(file->points)};
  // What the fold would refuse is said before anything is signed.
  const Result<fold::Baseline> read = fold::parse_baseline(fold::write(act));
  if (!read) return read.error();
  return act;
}

Exit done(const fold::LoggedBaseline& one, const char* what, Ui& ui) {
  ui.line(fmt::format("baseline {} {}: {} points, entry {}", ui.bold(one.act.label), what,
                      one.act.points.size(), one.place.index));
  ui.event({{"event", "done"},
            {"id", one.place.id.hex()},
            {"index", one.place.index},
            {"label", one.act.label},
            {"over", name(one.act.over)},
            {"points", one.act.points.size()}});
  return kOk;
}

const fold::LoggedBaseline* labelled(const fold::RunState& run, const std::string& label) {
  const auto same = [&label](const fold::LoggedBaseline& one) { return one.act.label == label; };
  const auto it = std::ranges::find_if(run.baselines, same);
  return it == run.baselines.end() ? nullptr : &*it;
}

}  // namespace

Exit baseline(const BaselineOptions& options, Ui& ui) {
  catch_stop_signals();
  Common reading_place = options.common;  // DIR is the maintainer's, who has a log there already
  if (!reading_place.dir.empty()) reading_place.dir += "/reading";
  Result<Reading> reading = read_run(options.url, reading_place, ui);
  if (!reading) return reading_failed(reading.error(), ui);
  Result<fold::Baseline> act = prepare(options, *reading->run, ui);
  if (!act) return ui.fail(act.error(), {"", "harambee baseline --help shows what a file may say"});
  // The same once more is no mistake: somebody goes on after a crash.
  const fold::LoggedBaseline* there = labelled(*reading->run, act->label);
  if (there != nullptr && there->act == *act) return done(*there, "is there", ui);
  const std::filesystem::path dir = state_dir(options.common, reading->address, "maintain");
  Result<SecretKey> key = load_key(
      options.common.key.empty() ? dir / "key.pem" : std::filesystem::path(options.common.key));
  if (!key) return ui.fail(key.error(), {"", "give the key that opened the run with --key FILE"});
  if (const auto objection = fold::object_to_baseline(*reading->run, key->id(), *act)) {
    return ui.fail(fail(ErrorCode::refused, *objection),
                   {"", there != nullptr ? "choose another --label" : "harambee status URL"});
  }
  SystemClock clock;
  node::Publisher publisher(*reading->follower, *key, *reading->wire, clock, reading->dir,
                            [&ui](const std::string& text) { ui.note(text); });
  const Result<node::Posted> posted = publisher.post(fold::write(*act));
  if (!posted) return ui.fail(posted.error(), {"", "the same command again goes on"});
  there = labelled(*reading->log().run(act->run), act->label);
  if (there == nullptr) return ui.fail(fail(ErrorCode::refused, "the log did not take it"), {});
  return done(*there, "is on the log", ui);
}

}  // namespace harambee::cli
