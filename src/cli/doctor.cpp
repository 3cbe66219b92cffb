// `doctor`: everything that decides whether a night of training on this machine is worth it, tried
// out rather than looked up: the trainer is started and trains, the hub is asked, the clock is
// read.
#include <fmt/format.h>
#include <sys/timex.h>
#include <unistd.h>

#include <curl/curl.h>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "cli/read_run.h"
#include "cli/setup.h"
#include "cli/speed.h"
#include "cli/verbs.h"
#include "node/memory.h"
#include "node/trainer_process.h"

namespace harambee::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kClockMsBad = 2'000;
constexpr std::uint64_t kDiskSlack = 256ull << 20;  // log, shards, blobs in passing
constexpr std::uint64_t kWeightsKept = 8;           // files of one model's size, at most

enum class Level { good, note, bad };

struct Finding {
  std::string name;
  Level level = Level::good;
  std::string text;
  std::string todo;  // empty if there is nothing to do
};

// What is asked of this machine: a run's recipe, or the default one.
struct Patient {
  const DoctorOptions& options;
  fold::Recipe recipe = fold::default_recipe();
  fs::path dir;  // where state would be kept
  std::vector<Finding> findings;
  bool hub_failed = false;
  void add(Finding finding) { findings.push_back(std::move(finding)); }
};

fs::path nearest_existing(fs::path path) {
  std::error_code error;
  path = fs::absolute(path, error);
  while (!fs::exists(path, error) && path.has_relative_path()) path = path.parent_path();
  return path;
}

void look_at_clock(Patient& patient, std::optional<std::int64_t> hub_ms,
                   std::optional<std::int64_t> here_ms) {
  timex kernel{};
  const bool kept = ::adjtimex(&kernel) >= 0 && (kernel.status & STA_UNSYNC) == 0;
  std::string text = kept ? "kept in time by the system" : "nobody keeps it in time";
  Level level = kept ? Level::good : Level::note;
  if (hub_ms && here_ms) {
    const std::int64_t off = *here_ms - *hub_ms;
    // The Date field has whole seconds.
    if (std::llabs(off) > kClockMsBad) {
      level = Level::note;
      text += fmt::format("; {} {} of the hub's", human_seconds(std::llabs(off) / 1000.0),
                          off > 0 ? "ahead" : "behind");
    } else {
      text += "; agrees with the hub's";
    }
  }
  patient.add({"clock", level, text,
               level == Level::good ? ""
                                    : "rounds go by the hub's ticks, so this only shifts when this "
                                      "machine asks; an NTP client mends it"});
}

// The hub's own time, from the Date field of an answer.
std::optional<std::int64_t> date_of(const WireResponse& response) {
  const auto found = response.headers.find("date");
  if (found == response.headers.end()) return std::nullopt;
  const time_t seconds = ::curl_getdate(found->second.c_str(), nullptr);
  if (seconds < 0) return std::nullopt;
  return static_cast<std::int64_t>(seconds) * 1000 + 500;
}

void look_at_run(Patient& patient, const Reading& reading) {
  const fold::RunState& run = *reading.run;
  patient.recipe = run.recipe;
  const bool over = run.phase == fold::Phase::finished;
  patient.add({"run", over ? Level::bad : Level::good,
               fmt::format("{}, round {} of {}, {} members", fold::name(run.phase),
                           run.round.number, run.recipe.rounds, run.members.size()),
               over ? "it is finished: `harambee pull` takes the model" : ""});
  const fs::path key_file = patient.dir / "key.pem";
  std::error_code ignored;
  if (!fs::exists(key_file, ignored)) return;
  const Result<SecretKey> key = load_key(key_file);
  if (!key) return;
  const fold::Member* member = run.member(key->id());
  if (member == nullptr) return;
  patient.add({"standing", member->excluded ? Level::bad : Level::good,
               member->excluded ? "excluded: " + *member->excluded
                                : fmt::format("{} contributions accepted, {} rejected",
                                              member->accepted, member->rejected),
               member->excluded ? "harambee explain URL " + key->id().hex().substr(0, 16) : ""});
}

void look_at_hub(Patient& patient, Ui& ui) {
  const std::string& url = patient.options.url;
  SystemClock clock;
  std::optional<std::int64_t> hub_ms, here_ms;
  const Result<node::RunAddress> address = node::parse_run_address(url);
  if (!address) {
    patient.hub_failed = true;
    patient.add({"hub", Level::bad, address.error().message, "give http://host:port/runs/NAME"});
    return;
  }
  patient.dir = state_dir(patient.options.common, *address, "join");
  Common cache = patient.options.common;
  cache.dir.clear();
  Result<Reading> reading = read_run(url, cache, ui);
  if (reading) {
    const std::int64_t began = clock.steady_ms();
    WireRequest request;
    request.url = address->hub + "/health";
    const Result<WireResponse> answer = reading->wire->exchange(request);
    const std::int64_t took = clock.steady_ms() - began;
    if (answer) {
      hub_ms = date_of(*answer);
      here_ms = clock.unix_ms() - took / 2;
    }
    patient.add({"hub", Level::good,
                 fmt::format("answers in {} ms; {} entries, tree and new signatures checked", took,
                             reading->log().frontier.size()),
                 ""});
    look_at_run(patient, *reading);
  } else {
    patient.hub_failed = true;
    patient.add({"hub", Level::bad, reading.error().message,
                 "look whether the hub runs, whether the URL is right, and whether a firewall lets "
                 "outbound HTTP through"});
  }
  look_at_clock(patient, hub_ms, here_ms);
}

void look_at_memory(Patient& patient) {
  const std::uint64_t there = node::available_memory_bytes();
  // As many threads as `harambee join` with the same options: each has rows of its own.
  const unsigned used = threads(patient.options.common);
  const node::MemoryNeed need = node::memory_need(patient.recipe, used);
  const std::string text = fmt::format("{} free, training this model needs about {}",
                                       human_bytes(there), human_bytes(need.total_bytes()));
  const bool fits = there == 0 || node::check_memory(patient.recipe, there, used).ok();
  patient.add({"memory", fits ? Level::good : Level::bad, text,
               fits ? ""
                    : "`harambee join` would refuse; close other programs, or join a smaller "
                      "run"});
}

void look_at_disk(Patient& patient) {
  std::error_code error;
  const fs::path place = nearest_existing(patient.dir);
  const fs::space_info space = fs::space(place, error);
  if (error) {
    patient.add(
        {"disk", Level::bad, place.string() + ": " + error.message(), "give another --dir"});
    return;
  }
  const Result<format::ModelLayout> layout = format::ModelLayout::make(patient.recipe.model);
  const std::uint64_t need = kDiskSlack + kWeightsKept * (layout ? layout->file_bytes() : 0);
  const bool writable = ::access(place.c_str(), W_OK) == 0;
  const bool fits = space.available >= need;
  std::string todo;
  if (!writable) todo = "you may not write there; give another --dir";
  if (writable && !fits) todo = "make room, or give a --dir on a larger disk";
  patient.add({"disk", writable && fits ? Level::good : Level::bad,
               fmt::format("{} free at {}, about {} needed", human_bytes(space.available),
                           place.string(), human_bytes(need)),
               todo});
}

// Whether a round's inner steps fit into the time that the run gives them.
void look_at_pace(Patient& patient, double tokens_per_second, unsigned cores) {
  const fold::Recipe& recipe = patient.recipe;
  const std::int64_t tokens = recipe.inner.steps * recipe.inner.batch * recipe.model.context;
  const double seconds = static_cast<double>(tokens) / tokens_per_second;
  const double given = static_cast<double>(recipe.commit_ms) / 1000;
  const bool late = seconds > given;
  patient.add(
      {"speed", late ? Level::bad : Level::good,
       fmt::format("{} tokens/s on {} cores; a round's work takes {:.1f} s, the run gives it {}",
                   human_count(static_cast<std::uint64_t>(tokens_per_second)), cores, seconds,
                   human_seconds(given)),
       late ? "contributions would come late; a faster machine, more --threads, or a run "
              "with longer rounds"
            : ""});
}

void look_at_trainer(Patient& patient, Ui& ui) {
  const Result<std::vector<std::string>> command = trainer_command(patient.options.common);
  const char* todo = "reinstall, or give --trainer; `harambee conformance -- CMD` tests one";
  if (!command) {
    patient.add({"trainer", Level::bad, command.error().message, todo});
    return;
  }
  const fs::path work =
      fs::temp_directory_path() / fmt::format("harambee-doctor-{}", static_cast<int>(::getpid()));
  const unsigned cores = threads(patient.options.common);
  const auto tried = [&]() -> Status {
    node::TrainerOptions options{
        .argv = *command, .dir = work, .threads = static_cast<int>(cores), .keep_going = [] {
          return !stop_requested();
        }};
    node::TrainerProcess trainer(options, patient.recipe.model);
    const Result<node::TrainerHello> hello = trainer.hello();
    if (!hello) return hello.error();
    patient.add({"trainer", Level::good,
                 fmt::format("{} {}, class {}, {}, {} parameters", hello->name, hello->version,
                             hello->numeric_class, hello->device,
                             human_count(static_cast<std::uint64_t>(hello->parameters))),
                 ""});
    if (const Status said = trainer.bye(); !said) return said;
    ui.progress("training for two seconds, to see how fast this machine is");
    if (const Status noise = write_noise(work / "noise"); !noise) return noise;
    const SpeedProbe probe{.trainer = *command,
                           .dir = work / "probe",
                           .shard = work / "noise",
                           .threads = cores,
                           .stop = &stop_flag()};
    const Result<double> speed = measure_tokens_per_second(probe, patient.recipe);
    ui.progress_done();
    if (!speed) return speed.error();
    look_at_pace(patient, *speed, cores);
    return ok();
  }();
  std::error_code ignored;
  fs::remove_all(work, ignored);
  if (!tried) patient.add({"trainer", Level::bad, tried.error().message, todo});
}

void look_at_gpu(Patient& patient) {
  std::error_code ignored;
  const bool nvidia = fs::exists("/dev/nvidia0", ignored), amd = fs::exists("/dev/kfd", ignored);
  if (!nvidia && !amd) {
    patient.add({"gpu", Level::good, "none seen; the exact trainer needs none, and no BLAS", ""});
    return;
  }
  patient.add({"gpu", Level::note,
               fmt::format("a{} GPU is here; harambee-trainer uses the processor only",
                           nvidia ? "n NVIDIA" : "n AMD"),
               "--trainer \"python3 examples/torch_trainer.py\" uses PyTorch"});
}

Exit tell(const Patient& patient, Ui& ui) {
  nlohmann::json list = nlohmann::json::array();
  std::string bad;
  for (const Finding& one : patient.findings) {
    static constexpr const char* kNames[] = {"good", "note", "bad"};
    const std::string mark = one.level == Level::good   ? ui.green("ok  ")
                             : one.level == Level::note ? ui.yellow("note")
                                                        : ui.red("BAD ");
    ui.line(fmt::format("{} {:9} {}", mark, one.name, one.text));
    if (!one.todo.empty()) ui.line(fmt::format("               {}", ui.dim(one.todo)));
    if (one.level == Level::bad) bad += (bad.empty() ? "" : ", ") + one.name;
    list.push_back({{"name", one.name},
                    {"level", kNames[static_cast<int>(one.level)]},
                    {"text", one.text},
                    {"todo", one.todo}});
  }
  ui.event({{"event", "done"}, {"good", bad.empty()}, {"findings", list}});
  if (bad.empty()) {
    ui.line(patient.options.url.empty() ? "this machine can take part"
                                        : "this machine can take part in this run");
    return kOk;
  }
  return ui.fail(patient.hub_failed ? kNotFound : kRefused, "this machine cannot take part: " + bad,
                 {"", "see what stands beside each above"});
}

}  // namespace

Exit doctor(const DoctorOptions& options, Ui& ui) {
  catch_stop_signals();
  Patient patient{.options = options, .dir = options.common.dir, .findings = {}};
  if (options.url.empty()) {
    if (patient.dir.empty()) patient.dir = cache_dir(options.common, "http://here").parent_path();
    look_at_clock(patient, std::nullopt, std::nullopt);
  } else {
    look_at_hub(patient, ui);
  }
  look_at_memory(patient);
  look_at_disk(patient);
  look_at_trainer(patient, ui);
  look_at_gpu(patient);
  if (stop_requested()) return kInterrupted;
  return tell(patient, ui);
}

}  // namespace harambee::cli
