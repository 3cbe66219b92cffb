// A whole log with a finished run, made without a hub, a trainer or a network: records, deltas and
// rounds by the house's own rules, written out as a hub's data directory.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "base/rng.h"
#include "exact/outer_step.h"
#include "fold/acts.h"
#include "fold/apply.h"
#include "fold/judge.h"
#include "fold/sample.h"
#include "fold/void_fold.h"
#include "fold/votes.h"
#include "format/data.h"
#include "format/model.h"
#include "log/checkpoint.h"
#include "log/tile.h"
#include "node/round_close.h"
#include "node/round_math.h"
#include "record/build.h"

namespace harambee::node::testing {

struct SmallRunOptions {
  std::int64_t rounds = 3;
  std::int64_t withheld_round = 1;  // one member never reveals in this round; -1: none
  std::int64_t void_round = -1;     // its base is found to be bad: back to the one before; -1: none
  int extra_ticks = 0;              // after the run, to make the log longer
  // May change what the coordinator says of a round: a lie that the fold cannot see.
  std::function<void(fold::Close&)> lie{};
  std::function<void(fold::Void&)> lie_void{};
  // A stranger logs a data set and a run of bytes that he never brings, and another data set with a
  // wrong size for a shard of the run.
  bool stranger = false;
  // May change what the validator says of a round.
  std::function<void(fold::Score&)> lie_score{};
  // The coordinator logs what fake_trainer.py would write with the weights of each round.
  bool samples = false;
  std::function<void(fold::Sample&)> lie_sample{};
};

class SmallRun {
 public:
  explicit SmallRun(SmallRunOptions options = {}) : options_(std::move(options)) {
    begin();
    for (std::int64_t round = 0; round < options_.rounds; ++round) {
      if (options_.samples) sample(round);
      one_round(round);
    }
    if (options_.samples) sample(options_.rounds);
    for (int i = 0; i < options_.extra_ticks; ++i) tick();
  }

  [[nodiscard]] const fold::LogState& state() const { return state_; }
  [[nodiscard]] const fold::RunState& run() const { return *state_.run_named("small"); }
  [[nodiscard]] const std::vector<Bytes>& entries() const { return entries_; }
  [[nodiscard]] const std::map<Digest, Bytes>& blobs() const { return blobs_; }
  [[nodiscard]] const std::vector<Digest>& withheld() const { return withheld_; }
  [[nodiscard]] std::string vkey() const {
    return log::VerifierKey{kOrigin, log::NoteKeyType::ed25519, key("hub").public_key()}.str();
  }

  // As src/store and src/hub lay it out, with the partial tiles of an older size left over.
  void write_to(const std::filesystem::path& dir) const {
    put(dir / "format", view("harambee-hub 1\n"));
    log::TileEdge edge;
    std::vector<View> bundle;
    auto full = [&](const log::Tile& tile, std::span<const Digest> hashes) {
      put(dir / log::tile_path(tile), log::encode_tile(hashes));
    };
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      bundle.push_back(entries_[i]);
      edge.append(log::leaf_hash(entries_[i]), full);
      bool last = i + 1 == entries_.size();
      if (bundle.size() == log::kTileWidth || last || i == 9) put_bundle(dir, bundle, i);
      if (last || i == 9) {
        for (const auto& [tile, bytes] : edge.partials()) put(dir / log::tile_path(tile), bytes);
      }
      if (bundle.size() == log::kTileWidth) bundle.clear();
    }
    put(dir / "checkpoint",
        view(log::sign_checkpoint({kOrigin, entries_.size(), edge.root(), {}}, key("hub"))));
    for (const auto& [digest, bytes] : blobs_) {
      std::string name = digest.hex();
      put(dir / "blobs" / name.substr(0, 2) / name, bytes);
    }
  }

 private:
  static constexpr const char* kOrigin = "small.test/log";

  static SecretKey key(const std::string& who) {
    return SecretKey::from_seed(sha256(view("key of " + who)).bytes);
  }
  static void put(const std::filesystem::path& file, View bytes) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(out.good()) << file;
  }
  static void put_bundle(const std::filesystem::path& dir, const std::vector<View>& bundle,
                         std::size_t last_index) {
    log::Tile tile{log::kEntries, last_index / log::kTileWidth, static_cast<int>(bundle.size())};
    put(dir / log::tile_path(tile), log::encode_bundle(bundle));
  }

  RecordId append(const std::string& who, Payload draft) {
    SecretKey author = key(who);
    draft.log = kOrigin;
    draft.author = author.id();
    draft.seq = state_.next_seq(draft.author);
    draft.prev = state_.prev(draft.author);
    Result<Bytes> envelope = sign_record(draft, author);
    EXPECT_TRUE(envelope.ok()) << envelope.error().message;
    Result<fold::Outcome> outcome = fold::apply_entry(state_, *envelope);
    EXPECT_TRUE(outcome.ok()) << outcome.error().message;
    const bool inert = draft.kind == "dataset";  // it only names blobs
    EXPECT_EQ(outcome->effect, inert ? fold::Effect::inert : fold::Effect::applied)
        << draft.kind << ": " << outcome->reason;
    entries_.push_back(*envelope);
    return *state_.prev(draft.author);
  }
  void tick() {
    now_ms_ += 100;
    append("hub", fold::write(fold::Tick{now_ms_}));
  }
  BlobRef keep(Bytes bytes, std::string_view type) {
    BlobRef ref{sha256(bytes), bytes.size(), std::string(type)};
    blobs_[ref.digest] = std::move(bytes);
    return ref;
  }

  static fold::Recipe recipe(std::int64_t rounds) {
    fold::Recipe recipe = fold::default_recipe();
    recipe.model.context = 16;
    recipe.model.ffn = 16;
    recipe.model.heads = 2;
    recipe.model.hidden = 8;
    recipe.model.kv_heads = 1;
    recipe.model.layers = 1;
    recipe.rounds = rounds;
    recipe.checkpoint_every = 2;
    recipe.commit_ms = 100;
    recipe.shards_per_member = 1;
    return recipe;
  }

  void begin() {
    fold::Genesis genesis{key("hub").public_key(), "small", 100, vkey()};
    append("hub", fold::write(genesis));
    tick();
    for (const char* who : {"maintainer", "coordinator", "validator", "ann", "bob", "cai"}) {
      append(who, fold::write(fold::Identity{key(who).public_key()}));
    }
    fold::OpenRun open;
    open.name = "small";
    open.coordinator = key("coordinator").id();
    open.validators = {key("validator").id()};
    open.recipe = recipe(options_.rounds);
    format::DataManifest manifest;
    for (char letter : {'a', 'b', 'c'}) {
      BlobRef shard = keep(Bytes(500, static_cast<std::uint8_t>(letter)), "text/plain");
      (letter == 'c' ? manifest.heldout : manifest.train).push_back({shard.digest, shard.size});
    }
    if (options_.stranger) stand_in_the_way(manifest.train.front());
    open.data = keep(format::write_data_manifest(manifest), format::kDataManifestType);
    run_id_ = append("maintainer", fold::write(open));
    Result<format::ModelLayout> layout = format::ModelLayout::make(open.recipe.model);
    ASSERT_TRUE(layout.ok());
    layout_.emplace(*std::move(layout));
    numbers_.weights.resize(layout_->parameters());
    numbers_.residual.assign(layout_->parameters(), 0.0F);
    Rng rng(sha256(view("weights")));
    for (float& weight : numbers_.weights) weight = noise(rng);
    fold::Start start;
    start.run = run_id_;
    start.checkpoint = keep(format::weights_file(*layout_, numbers_.weights), fold::kWeightsType);
    append("maintainer", fold::write(start));
    for (const char* who : {"ann", "bob", "cai"}) {
      append(who, fold::write(fold::Join{run_id_, "exact-1", "test"}));
    }
  }
  static float noise(Rng& rng) {
    return static_cast<float>(static_cast<int>(rng.below(2001)) - 1000) * 1e-4F;
  }

  void one_round(std::int64_t round) {
    for (const char* who : {"ann", "bob", "cai"}) contribute(who, round);
    tick();
    ASSERT_EQ(run().phase, fold::Phase::score);
    fold::Score score;
    score.run = run_id_;
    score.round = round;
    score.base = run().weights;
    score.seed = *run().round.score_seed;
    score.loss_nanos = (round == options_.void_round ? 9'000'000'000 : 3'000'000'000) - round;
    std::vector<Revealed> revealed;
    for (const fold::Committed& one : run().round.contributions) {
      auto blob = blobs_.find(one.act.delta.digest);
      revealed.push_back({one.act.delta, one.author, std::nullopt});
      if (blob != blobs_.end()) revealed.back().bytes = View(blob->second);
    }
    Result<std::vector<Finding>> findings = examine(context(), revealed);
    ASSERT_TRUE(findings.ok()) << findings.error().message;
    for (std::size_t i = 0; i < findings->size(); ++i) {
      const Finding& found = (*findings)[i];
      fold::ScoreEntry entry;
      entry.group = found.group;
      entry.verdict = found.verdict;
      if (found.verdict == fold::kVerdictOk) entry.gain_nanos = 1'000'000;
      if (found.delta) {
        entry.squared_norm = found.delta->squared_norm().digits();
        entry.norm_exponent = found.delta->squared_norm().exponent;
      }
      score.entries.push_back(entry);
    }
    if (options_.lie_score) options_.lie_score(score);
    append("validator", fold::write(score));
    if (round == options_.void_round) {
      numbers_ = before_;
      go_back(round);
      return;
    }
    before_ = numbers_;
    close(round);
  }

  // Of the open round.
  RoundContext context() const {
    return {run().recipe, layout_->parameters(), run().weights, *run().round.score_seed};
  }

  exact::Delta parse(const fold::Committed& one) const {
    Result<exact::Delta> delta =
        exact::Delta::parse(blobs_.at(one.act.delta.digest), layout_->parameters(),
                            *codec_of(run().recipe.codec), {run().weights, one.author});
    EXPECT_TRUE(delta.ok()) << delta.error().message;
    return *std::move(delta);
  }

  void contribute(const std::string& who, std::int64_t round) {
    std::vector<float>& residual = residuals_[who];
    std::vector<float> trained = numbers_.weights;
    Rng rng(sha256(view(who + std::to_string(round))));
    for (float& weight : trained) weight += noise(rng);
    fold::Contribution act;
    act.run = run_id_;
    act.round = round;
    act.base = run().weights;
    act.numeric_class = "exact-1";
    const fold::Member* member = run().member(key(who).id());
    act.error_feedback.before = member->error_feedback;
    act.optimizer.before = member->optimizer;
    Result<Bytes> blob =
        encode_contribution(*codec_of(run().recipe.codec), {act.base, key(who).id()},
                            numbers_.weights, trained, residual);
    ASSERT_TRUE(blob.ok()) << blob.error().message;
    act.error_feedback.after = exact::floats_digest(residual);
    act.optimizer.after = sha256(view("optimizer of " + who + std::to_string(round)));
    act.steps = run().recipe.inner.steps;
    act.tokens = act.steps * run().recipe.inner.batch * run().recipe.model.context;
    act.delta = keep(*std::move(blob), fold::kDeltaType);
    if (who == "cai" && round == options_.withheld_round) {
      withheld_.push_back(act.delta.digest);
      blobs_.erase(act.delta.digest);
    }
    append(who, fold::write(act));
  }

  void sample(std::int64_t round) {
    fold::Sample act;
    act.run = run_id_;
    act.round = round;
    act.weights = run().weights;
    act.numeric_class = "exact-1";
    act.seed = fold::sample_seed(run_id_);
    act.bytes = 32;
    const Bytes file = format::weights_file(*layout_, numbers_.weights);
    const Digest text = sha256({View(file), view(base64(view("a"))), view(act.seed.hex())});
    act.texts = {{to_bytes("a"), Bytes(text.bytes.begin(), text.bytes.end())}};
    if (options_.lie_sample) options_.lie_sample(act);
    append("coordinator", fold::write(act));
  }

  void stand_in_the_way(const format::Shard& shard) {
    append("eve", fold::write(fold::Identity{key("eve").public_key()}));
    const BlobRef nothing{sha256(view("nothing")), 1000, "text/plain"};
    for (const BlobRef& blob : {nothing, BlobRef{shard.digest, shard.size + 1, "text/plain"}}) {
      Payload payload;
      payload.kind = "dataset";
      payload.body = Json(JsonObject{});
      payload.blobs = {blob};
      append("eve", std::move(payload));
    }
    fold::OpenRun open;
    open.name = "empty";
    open.coordinator = key("eve").id();
    open.validators = {key("eve").id()};
    open.recipe = recipe(1);
    open.data = {sha256(view("no manifest")), 100, std::string(format::kDataManifestType)};
    append("eve", fold::write(open));
  }

  void go_back(std::int64_t round) {
    Bytes file = format::weights_file(*layout_, numbers_.weights);
    fold::Void act{run_id_, round, sha256(file), exact::floats_digest(numbers_.residual), {}};
    if (run().recipe.checkpoint_due(round)) {
      act.checkpoint = keep(std::move(file), fold::kWeightsType);
    }
    if (options_.lie_void) options_.lie_void(act);
    append("coordinator", fold::write(act));
  }

  void close(std::int64_t round) {
    fold::Close close;
    close.run = run_id_;
    close.round = round;
    Accepted accepted;
    std::vector<std::size_t> positions;
    std::vector<std::size_t> groups;
    const fold::Judgement judgement = fold::derive(run());
    for (std::size_t i = 0; i < judgement.verdicts.size(); ++i) {
      const fold::Verdict& verdict = judgement.verdicts[i];
      if (!verdict.accepted) continue;
      close.accepted.push_back(verdict.contribution);
      accepted.deltas.push_back(parse(run().round.contributions[i]));
      accepted.standing.push_back(verdict.standing);
      positions.push_back(i);
      groups.push_back(verdict.group);
    }
    accepted.group = fold::as_indices(positions, groups);
    accepted.possible = judgement.possible;
    std::optional<exact::Delta> previous;
    if (const fold::ClosedRound* last = run().last_update(round)) {
      previous = exact::Delta::parse(blobs_.at(last->update->digest), layout_->parameters(),
                                     *codec_of(run().recipe.down), last->base)
                     .value();
    }
    Result<Bytes> update =
        node::close_round(context(), accepted, previous ? &*previous : nullptr, numbers_);
    ASSERT_TRUE(update.ok()) << update.error().message;
    close.update = keep(*std::move(update), fold::kUpdateType);
    Bytes file = format::weights_file(*layout_, numbers_.weights);
    close.weights = sha256(file);
    close.residual = exact::floats_digest(numbers_.residual);
    if (run().recipe.checkpoint_due(round)) {
      close.checkpoint = keep(std::move(file), fold::kWeightsType);
    }
    if (options_.lie) options_.lie(close);
    append("coordinator", fold::write(close));
  }

  SmallRunOptions options_;
  fold::LogState state_;
  std::vector<Bytes> entries_;
  std::map<Digest, Bytes> blobs_;
  std::vector<Digest> withheld_;
  std::int64_t now_ms_ = 1'700'000'000'000;
  RecordId run_id_;
  std::optional<format::ModelLayout> layout_;
  exact::RunNumbers before_;  // the newest close
  exact::RunNumbers numbers_;
  std::map<std::string, std::vector<float>> residuals_;
};

}  // namespace harambee::node::testing
