#include "node/run_open.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "fold/acts.h"
#include "fold/assignment.h"
#include "format/data.h"
#include "format/model.h"
#include "node/follower.h"
#include "node/hub_blobs.h"
#include "node/publisher.h"
#include "node/run_address.h"
#include "node/trainer_process.h"
#include "record/limits.h"
#include "store/file.h"

namespace harambee::node {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kShardType = "text/plain";
// Not a kind that the fold knows: it only makes the hub take the shards, which are named by the
// manifest, not by a record of their own.
constexpr std::string_view kDatasetKind = "dataset";

class Opening {
 public:
  Opening(Wire& wire, Clock& clock, const SecretKey& key, const RunOpenOptions& options)
      : wire_(wire),
        clock_(clock),
        key_(key),
        options_(options),
        dir_(options.dir),
        blobs_(options.hub_url, dir_ / "blobs", &wire, &clock) {}

  Result<OpenedRun> run() {
    if (Status good = check_run_name(options_.name); !good) return good.error();
    if (Status made = store::make_folders(options_.dir); !made) return made.error();
    Result<store::FileLock> lock = store::FileLock::take((dir_ / "lock").string());
    if (!lock) return wrap(lock.error(), options_.dir + " is in use by another process");
    Result<std::unique_ptr<Follower>> follower =
        Follower::open({options_.hub_url, dir_ / "log", {}}, &wire_,
                       [this](std::uint64_t, const Record& record, const fold::LogState&) {
                         remember_dataset(record);
                         return ok();
                       });
    if (!follower) return follower.error();
    follower_ = *std::move(follower);
    if (Status followed = follow(); !followed) return followed.error();
    publisher_ = std::make_unique<Publisher>(*follower_, key_, wire_, clock_, dir_);

    Result<std::optional<Payload>> left_over = publisher_->pending();
    if (!left_over) return left_over.error();
    if (*left_over) {
      if (Result<Posted> posted = publisher_->finish(); !posted) return posted.error();
    }

    if (Status done = ensure_run(); !done) return done.error();
    if (Status done = ensure_start(); !done) return done.error();
    std::error_code ignored;
    fs::remove_all(dir_ / "work", ignored);
    return result();
  }

 private:
  void report(const char* stage, std::uint64_t done, std::uint64_t total, std::string detail = "") {
    if (options_.progress) options_.progress({stage, done, total, std::move(detail)});
  }
  void note(const std::string& text) {
    if (options_.note) options_.note(text);
  }
  Status go_on() const {
    if (options_.stop && options_.stop()) return fail(ErrorCode::cancelled, "stopped");
    return ok();
  }
  Status follow() {
    Result<std::uint64_t> news = follower_->follow();
    if (!news) return news.error();
    return ok();
  }
  [[nodiscard]] const fold::RunState* state() const {
    return follower_->state().run_named(options_.name);
  }

  // Every step is found on the log or done now, so this is also how a killed call goes on.
  Status ensure_run() {
    if (const fold::RunState* run = state()) {
      if (run->maintainer != key_.id()) {
        return fail(ErrorCode::conflict, "the name " + options_.name +
                                             " is taken on this log, by the run of another key");
      }
      was_open_ = true;
      note("the run is on the log already: going on from there");
      return load_manifest(run->data);
    }
    if (fold::Start start; !options_.weights.empty()) {
      // Weights that do not fit are said before anything is on the log.
      if (Status fit = take_weights(start); !fit) return fit;
    }
    if (Status done = prepare_data(); !done) return done;
    if (Status done = upload_data(); !done) return done;
    fold::OpenRun act;
    act.name = options_.name;
    act.coordinator = options_.coordinator.value_or(key_.id());
    act.validators = options_.validators;
    if (act.validators.empty()) {
      // Where no text is needed, the coordinator's program can say what the blobs are.
      act.validators.push_back(options_.recipe.needs_held_out_text() ? key_.id() : act.coordinator);
    }
    act.recipe = options_.recipe;
    act.data = manifest_ref_;
    for (const auto& [name, paths] : options_.domains) act.domains.push_back(name);
    Result<Posted> posted = publisher_->post(fold::write(act));
    if (!posted) return wrap(posted.error(), "opening the run");
    const fold::RunState* run = state();
    if (run == nullptr || run->id != posted->id) {
      return fail(ErrorCode::refused, "the log did not take the run record: " + refusal_reason());
    }
    return ok();
  }

  [[nodiscard]] std::string refusal_reason() const {
    const auto& refusals = follower_->state().refusals;
    return refusals.empty() ? "the name was taken meanwhile" : refusals.back().reason;
  }

  Status prepare_data() {
    report("text", 0, 1);
    if (!options_.domains.empty() && !options_.recipe.needs_held_out_text()) {
      return invalid(
          "domains are parts of the held-out text, and this recipe has none "
          "(gate.rows and gate.report are 0)");
    }
    if (!options_.text.paths.empty() || options_.domains.empty()) {
      if (Status kept = keep_text("", options_.text.paths); !kept) return kept;
    }
    for (const auto& [name, paths] : options_.domains) {
      if (Status kept = keep_text(name, paths); !kept) return wrap(kept.error(), "domain " + name);
    }
    if (Status good = fold::check_data(manifest_, options_.recipe.model.context); !good) {
      return good;
    }
    Bytes bytes = format::write_data_manifest(manifest_);
    manifest_ref_ = {sha256(bytes), bytes.size(), std::string(format::kDataManifestType)};
    if (Status put = blobs_.put(manifest_ref_.digest, bytes); !put) return put;
    report("text", 1, 1,
           std::to_string(text_files_) + " files, " + std::to_string(text_bytes_) + " bytes");
    return ok();
  }

  // The text of one domain, or of none: its shards and its own held-out part.
  Status keep_text(const std::string& domain, const std::vector<std::string>& paths) {
    const bool rest = !options_.text.paths.empty();
    TextOptions text = options_.text;
    text.paths = paths;
    text.stop = options_.stop;
    if (!options_.recipe.needs_held_out_text()) text.held_out_percent = 0;
    text.shards =
        std::max<unsigned>(1, text.shards / static_cast<unsigned>(std::max<std::size_t>(
                                                1, options_.domains.size() + (rest ? 1 : 0))));
    text.bytes_max -= std::min(text.bytes_max, text_bytes_);
    Result<TextShards> shards = read_text(text, options_.recipe.model.context);
    if (!shards) return shards.error();
    for (const std::string& line : shards->notes) note(line);
    text_files_ += shards->files;
    text_bytes_ += shards->bytes;
    for (const Bytes& shard : shards->train) {
      if (Status kept = keep_shard(shard, domain, manifest_.train); !kept) return kept;
    }
    if (shards->held_out.empty()) return ok();
    return keep_shard(shards->held_out, domain, manifest_.heldout);
  }

  Status keep_shard(const Bytes& bytes, const std::string& domain,
                    std::vector<format::Shard>& list) {
    Digest digest = sha256(bytes);
    if (!kept_.insert(digest).second) return invalid("the same text is given twice");
    list.push_back({digest, bytes.size(), domain});
    return blobs_.put(digest, bytes);
  }

  Status load_manifest(const BlobRef& ref) {
    manifest_ref_ = ref;
    Result<Bytes> bytes = blobs_.fetch_bytes(ref);
    if (!bytes) return wrap(bytes.error(), "the run's data manifest");
    Result<format::DataManifest> manifest = format::parse_data_manifest(*bytes);
    if (!manifest) return wrap(manifest.error(), "the run's data manifest");
    manifest_ = *std::move(manifest);
    return ok();
  }

  [[nodiscard]] std::vector<BlobRef> data_refs() const {
    std::vector<BlobRef> refs{manifest_ref_};
    for (const auto* list : {&manifest_.train, &manifest_.heldout}) {
      for (const format::Shard& shard : *list) {
        refs.push_back({shard.digest, shard.size, std::string(kShardType)});
      }
    }
    return refs;
  }

  void remember_dataset(const Record& record) {
    if (record.payload().author != key_.id() || record.payload().kind != kDatasetKind) return;
    for (const BlobRef& ref : record.payload().blobs) named_.push_back(ref.digest);
  }

  // The data is on the hub before the run is on the log: whoever sees the run can begin.
  Status upload_data() {
    std::vector<BlobRef> refs = data_refs();
    std::vector<BlobRef> unnamed;
    for (const BlobRef& ref : refs) {
      if (std::find(named_.begin(), named_.end(), ref.digest) == named_.end()) {
        unnamed.push_back(ref);
      }
    }
    for (std::size_t at = 0; at < unnamed.size(); at += kRecordBlobsMax) {
      Payload part;
      part.kind = kDatasetKind;
      part.body = JsonObject{{"manifest", manifest_ref_.digest.hex()}, {"name", options_.name}};
      std::size_t end = std::min(unnamed.size(), at + kRecordBlobsMax);
      part.blobs.assign(unnamed.begin() + static_cast<std::ptrdiff_t>(at),
                        unnamed.begin() + static_cast<std::ptrdiff_t>(end));
      if (Result<Posted> posted = publisher_->post(part); !posted) {
        return wrap(posted.error(), "naming the data");
      }
    }
    for (std::size_t i = 0; i < refs.size(); ++i) {
      if (Status going = go_on(); !going) return going;
      report("upload", i, refs.size());
      if (Status sent = blobs_.upload(refs[i]); !sent) return wrap(sent.error(), "uploading data");
    }
    report("upload", refs.size(), refs.size());
    return ok();
  }

  Status ensure_start() {
    const fold::RunState* run = state();
    if (run->start) return upload_checkpoint(run->start->checkpoint);
    fold::Start act;
    act.run = run->id;
    const Status first = options_.weights.empty() ? warm_up(*run, act) : take_weights(act);
    if (!first) return first;
    Result<Posted> posted = publisher_->post(fold::write(act));
    if (!posted) return wrap(posted.error(), "starting the run");
    if (!state()->start) {
      return fail(ErrorCode::refused,
                  "the log did not take the start record: " +
                      (state()->refusals.empty() ? std::string("no reason is known")
                                                 : state()->refusals.back().reason));
    }
    return upload_checkpoint(act.checkpoint);
  }

  Status upload_checkpoint(const BlobRef& ref) {
    // Whoever goes on with a run on another machine has no copy; the hub has it then.
    if (!blobs_.has(ref.digest)) return ok();
    if (Status sent = blobs_.upload(ref); !sent) return wrap(sent.error(), "uploading the weights");
    return ok();
  }

  // Another run's weights, perhaps: then this one is its fork.
  Status take_weights(fold::Start& act) {
    const fs::path work = dir_ / "work";
    if (Status made = store::make_folders(work.string()); !made) return made;
    const fs::path file = work / "first.safetensors";
    std::error_code failed;
    fs::remove(file, failed);
    fs::copy_file(options_.weights, file, failed);
    if (failed) return fail(ErrorCode::not_found, options_.weights + ": " + failed.message());
    fs::permissions(file, fs::perms::owner_write, fs::perm_options::add, failed);
    Result<Digest> digest = canonicalize_weights(file, options_.recipe.model);
    if (!digest) return invalid(options_.weights + ": " + digest.error().message);
    Result<BlobRef> ref = blobs_.adopt(file, std::string(fold::kWeightsType));
    if (!ref) return ref.error();
    act.checkpoint = *std::move(ref);
    return ok();
  }

  Status warm_up(const fold::RunState& run, fold::Start& act) {
    const fold::Recipe& recipe = run.recipe;
    fs::path work = dir_ / "work";
    if (Status made = store::make_folders(work.string()); !made) return made;
    TrainerOptions trainer_options;
    trainer_options.argv = options_.trainer;
    trainer_options.dir = work;
    trainer_options.threads = static_cast<int>(options_.threads);
    trainer_options.keep_going = [this] { return !(options_.stop && options_.stop()); };
    TrainerProcess trainer(trainer_options, recipe.model);
    Result<std::vector<fs::path>> shards = shard_paths();
    if (!shards) return shards.error();
    report("warm", 0, static_cast<std::uint64_t>(recipe.warm.steps));
    Result<WarmStart> warm =
        warm_start(trainer, recipe, run.id, *shards, work, [&](const TrainProgress& at) {
          report("warm", static_cast<std::uint64_t>(at.step),
                 static_cast<std::uint64_t>(recipe.warm.steps), warm_detail(at));
          return !(options_.stop && options_.stop());
        });
    if (!warm) return wrap(warm.error(), "the first weights");
    act.loss_first_nanos = warm->loss_first_nanos;
    act.loss_last_nanos = warm->loss_last_nanos;
    act.tokens = warm->tokens;
    Result<BlobRef> ref = blobs_.adopt(warm->weights, std::string(fold::kWeightsType));
    if (!ref) return ref.error();
    act.checkpoint = *std::move(ref);
    return ok();
  }

  static std::string warm_detail(const TrainProgress& at) {
    std::string nanos = std::to_string(at.loss_nanos / 1'000'000);
    while (nanos.size() < 4) nanos.insert(nanos.begin(), '0');
    nanos.insert(nanos.size() - 3, ".");
    return "loss " + nanos + ", " + std::to_string(at.tokens_per_second) + " tokens/s";
  }

  Result<std::vector<fs::path>> shard_paths() {
    std::vector<fs::path> paths;
    for (const format::Shard& shard : manifest_.train) {
      Result<fs::path> path = blobs_.fetch({shard.digest, shard.size, std::string(kShardType)});
      if (!path) return wrap(path.error(), "a shard of the run's data");
      paths.push_back(*std::move(path));
    }
    return paths;
  }

  Result<OpenedRun> result() {
    const fold::RunState* run = state();
    Result<format::ModelLayout> layout = format::ModelLayout::make(run->recipe.model);
    if (!layout) return layout.error();
    OpenedRun opened;
    opened.run = run->id;
    opened.url = options_.hub_url + "/runs/" + options_.name;
    opened.weights = run->start->checkpoint.digest;
    opened.loss_first_nanos = run->start->loss_first_nanos;
    opened.loss_last_nanos = run->start->loss_last_nanos;
    opened.warm_tokens = run->start->tokens;
    opened.parameters = layout->parameters();
    opened.train_bytes = manifest_.train_bytes();
    opened.held_out_bytes = manifest_.heldout_bytes();
    opened.shards = manifest_.train.size();
    opened.was_open = was_open_;
    return opened;
  }

  Wire& wire_;
  Clock& clock_;
  const SecretKey& key_;
  const RunOpenOptions& options_;
  fs::path dir_;
  HubBlobs blobs_;
  std::unique_ptr<Follower> follower_;
  std::unique_ptr<Publisher> publisher_;
  std::vector<Digest> named_;  // blobs that dataset records of ours name already
  format::DataManifest manifest_;
  BlobRef manifest_ref_;
  std::set<Digest> kept_;  // files of the manifest
  std::uint64_t text_files_ = 0;
  std::uint64_t text_bytes_ = 0;
  bool was_open_ = false;
};

}  // namespace

Digest warm_seed(const Digest& run) { return sha256({view("harambee warm v1\n"), run.view()}); }

Result<WarmStart> warm_start(TrainerProcess& trainer, const fold::Recipe& recipe, const Digest& run,
                             const std::vector<fs::path>& shards, const fs::path& work,
                             const std::function<bool(const TrainProgress&)>& progress) {
  WarmStart warm;
  warm.weights = work / "warm.safetensors";
  fs::path first = work / "init.safetensors";
  if (Status made = trainer.init(recipe.seed, first); !made) return made.error();
  if (recipe.warm.steps == 0) {
    warm.weights = first;
  } else {
    TrainRequest request;
    request.base = first;
    request.shards = shards;
    request.seed = warm_seed(run);
    request.first_step = 0;
    request.total_steps = recipe.warm.steps;
    request.inner = recipe.inner;
    request.inner.steps = recipe.warm.steps;
    request.inner.batch = recipe.warm.batch;
    request.inner.lr = recipe.warm.lr;
    request.inner.warmup = recipe.warm.warmup;
    request.inner.final = Decimal{1'000'000'000};  // no decay: the run's own schedule follows
    request.out = warm.weights;
    request.state_out = work / "warm.state";
    Result<TrainDone> done = trainer.train(request, progress);
    if (!done) return done.error();
    warm.loss_first_nanos = done->loss_first_nanos;
    warm.loss_last_nanos = done->loss_last_nanos;
    warm.tokens = done->tokens;
    std::error_code ignored;
    fs::remove(request.state_out, ignored);
  }
  Result<Digest> digest = canonicalize_weights(warm.weights, recipe.model);
  if (!digest) return digest.error();
  warm.digest = *digest;
  return warm;
}

Result<OpenedRun> open_run(Wire& wire, Clock& clock, const SecretKey& key,
                           const RunOpenOptions& options) {
  return Opening(wire, clock, key, options).run();
}

}  // namespace harambee::node
