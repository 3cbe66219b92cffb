#include "node/conformance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <utility>

#include "base/rng.h"
#include "node/trainer_process.h"
#include "store/file.h"

namespace harambee::node {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kStallMs = 120'000;
constexpr std::int64_t kUniformNanos = 5'545'177'444;  // ln 256
constexpr std::int64_t kToleranceNanos = 10'000;       // of float32 over 256 equal logits
constexpr std::uint64_t kShardBytes = 6'000;

format::ModelConfig small_model() {
  format::ModelConfig model;
  model.hidden = 32;
  model.layers = 2;
  model.heads = 4;
  model.kv_heads = 2;
  model.ffn = 64;
  model.vocab = 256;
  model.context = 32;
  model.rope_theta = {10'000'000'000'000};
  model.norm_eps = {10'000};
  return model;
}

fold::InnerRule small_rule() {
  fold::InnerRule inner = fold::default_recipe().inner;
  inner.batch = 4;
  inner.steps = 12;
  inner.warmup = 2;
  return inner;
}

// What every check works on.
struct Bench {
  fs::path dir;
  format::ModelConfig model = small_model();
  std::optional<format::ModelLayout> layout;
  std::unique_ptr<TrainerProcess> trainer;
  TrainerHello hello;
  fs::path base, uniform;
  std::vector<fs::path> shards;
  Digest trained;  // of the first training
  TrainRequest first;

  [[nodiscard]] std::string name(const char* file) const { return (dir / file).string(); }
};

ConformanceCheck pass(std::string detail) { return {"", true, false, std::move(detail)}; }
ConformanceCheck failed(std::string detail) { return {"", false, false, std::move(detail)}; }
ConformanceCheck failed(const Error& error) { return failed(error.message); }
ConformanceCheck skip(std::string detail) { return {"", true, true, std::move(detail)}; }

// Text with structure, so that a few steps are enough to learn something.
Bytes sample_text(std::uint64_t which, std::uint64_t bytes) {
  static constexpr std::string_view kWords[] = {"all ",  "pull ", "together ", "the ",
                                                "boat ", "home ", "and ",      "sing\n"};
  Bytes out;
  for (std::uint64_t i = 0; out.size() < bytes; ++i) {
    const std::string_view word = kWords[draw(sha256(view("conformance text")), which, i) % 8];
    out.insert(out.end(), word.begin(), word.end());
  }
  out.resize(bytes);
  return out;
}

// Small random weights; a zero output layer gives every byte the same probability.
Status write_base(const Bench& bench, const fs::path& file, bool uniform) {
  std::vector<float> parameters(bench.layout->parameters());
  Rng rng(sha256(view("conformance weights")));
  for (const format::TensorPlace& tensor : bench.layout->tensors()) {
    const bool zero = uniform && tensor.name == "lm_head.weight";
    for (std::uint64_t i = 0; i < tensor.size; ++i) {
      const double random = static_cast<double>(rng.next() >> 11) * 0x1p-53 - 0.5;
      parameters[tensor.offset + i] =
          tensor.shape.size() == 1 ? 1.0F : (zero ? 0.0F : static_cast<float>(0.07 * random));
    }
  }
  return store::write_file_atomic(file.string(), format::weights_file(*bench.layout, parameters));
}

Status prepare(Bench& bench) {
  if (Status made = store::make_folders(bench.dir.string()); !made) return made;
  auto layout = format::ModelLayout::make(bench.model);
  if (!layout) return layout.error();
  bench.layout.emplace(std::move(*layout));
  bench.base = bench.name("base.safetensors");
  bench.uniform = bench.name("uniform.safetensors");
  if (Status made = write_base(bench, bench.base, false); !made) return made;
  if (Status made = write_base(bench, bench.uniform, true); !made) return made;
  for (std::uint64_t i = 0; i < 2; ++i) {
    bench.shards.emplace_back(bench.dir / fmt::format("shard{}.txt", i));
    if (Status made =
            store::write_file_atomic(bench.shards.back().string(), sample_text(i, kShardBytes + i));
        !made) {
      return made;
    }
  }
  return ok();
}

ConformanceCheck check_hello(Bench& bench) {
  const auto hello = bench.trainer->hello();
  if (!hello) return failed(hello.error());
  bench.hello = *hello;
  const auto expected = static_cast<std::int64_t>(bench.layout->parameters());
  if (hello->parameters != expected) {
    return failed(
        fmt::format("\"parameters\" is {}, and this model has {}", hello->parameters, expected));
  }
  return pass(fmt::format("{} {}, class {}, on {}", hello->name, hello->version,
                          hello->numeric_class, hello->device));
}

ConformanceCheck check_init(Bench& bench) {
  const fs::path out = bench.dir / "init.safetensors";
  const Status made = bench.trainer->init(sha256(view("conformance init")), out);
  if (!made && made.error().code == ErrorCode::refused) return skip(made.error().message);
  if (!made) return failed(made.error());
  return pass("weights of the right shapes");
}

TrainRequest request(const Bench& bench, const char* out) {
  TrainRequest request;
  request.base = bench.base;
  request.shards = bench.shards;
  request.seed = sha256(view("conformance seed"));
  request.total_steps = 40;
  request.inner = small_rule();
  request.out = bench.dir / fmt::format("{}.safetensors", out);
  request.state_out = bench.dir / fmt::format("{}.state", out);
  return request;
}

ConformanceCheck check_train(Bench& bench) {
  bench.first = request(bench, "first");
  std::int64_t lines = 0;
  const auto done = bench.trainer->train(bench.first, [&lines](const TrainProgress&) {
    ++lines;
    return true;
  });
  if (!done) return failed(done.error());
  const auto& inner = bench.first.inner;
  const std::int64_t tokens = inner.steps * inner.batch * bench.model.context;
  if (done->tokens != tokens) {
    return failed(fmt::format("\"tokens\" is {} instead of {}", done->tokens, tokens));
  }
  if (lines == 0) return failed("no progress line");
  const auto trained = canonicalize_weights(bench.first.out, bench.model);
  const auto base = canonicalize_weights(bench.base, bench.model);
  if (!trained) return failed(trained.error());
  if (!base) return failed(base.error());
  if (*trained == *base) return failed("the weights did not change");
  bench.trained = *trained;
  const double first = static_cast<double>(done->loss_first_nanos) * 1e-9;
  const double last = static_cast<double>(done->loss_last_nanos) * 1e-9;
  if (!(last < first))
    return failed(fmt::format("the loss went from {:.4f} to {:.4f}", first, last));
  return pass(fmt::format("{} progress lines, loss {:.4f} to {:.4f}", lines, first, last));
}

ConformanceCheck check_repeat(Bench& bench) {
  if (bench.hello.numeric_class != "exact-1") {
    return skip("class " + bench.hello.numeric_class + " promises no identical bits");
  }
  const auto again = request(bench, "again");
  const auto done = bench.trainer->train(again, {});
  if (!done) return failed(done.error());
  const auto digest = canonicalize_weights(again.out, bench.model);
  if (!digest) return failed(digest.error());
  if (*digest != bench.trained) return failed("the same request gave other weights");
  return pass("the same request gave the same bytes");
}

ConformanceCheck check_resume(Bench& bench) {
  auto next = request(bench, "next");
  next.base = bench.first.out;
  next.state = bench.first.state_out;
  next.first_step = next.inner.steps;
  const auto with = bench.trainer->train(next, {});
  if (!with) return failed(with.error());
  const auto resumed = canonicalize_weights(next.out, bench.model);
  if (!resumed) return failed(resumed.error());
  auto fresh = request(bench, "fresh");
  fresh.base = bench.first.out;
  fresh.first_step = fresh.inner.steps;
  const auto without = bench.trainer->train(fresh, {});
  if (!without) return failed(without.error());
  const auto anew = canonicalize_weights(fresh.out, bench.model);
  if (!anew) return failed(anew.error());
  if (*anew == *resumed) return failed("the optimizer's state made no difference");
  return pass("the optimizer's state is taken up again");
}

ConformanceCheck check_evaluate(Bench& bench) {
  const std::vector<std::uint64_t> offsets{0, 1, kShardBytes - 10, 2 * kShardBytes - 32};
  const auto losses = bench.trainer->evaluate(bench.uniform, bench.shards, offsets);
  if (!losses) return failed(losses.error());
  for (const std::int64_t loss : *losses) {
    if (std::abs(loss - kUniformNanos) > kToleranceNanos) {
      return failed(
          fmt::format("a row's loss is {} nano-nats; with a zero output layer every loss "
                      "is ln 256 = {}",
                      loss, kUniformNanos));
    }
  }
  const auto before = bench.trainer->evaluate(bench.base, bench.shards, offsets);
  const auto after = bench.trainer->evaluate(bench.first.out, bench.shards, offsets);
  if (!before) return failed(before.error());
  if (!after) return failed(after.error());
  if (!((*after)[0] < (*before)[0])) return failed("training did not lower a row's loss");
  return pass(fmt::format("{} rows, ln 256 to {} nano-nats", losses->size(),
                          std::abs(losses->front() - kUniformNanos)));
}

// An error answer, after which the same process goes on.
ConformanceCheck check_errors(Bench& bench) {
  const int pid = bench.trainer->pid();
  const auto missing =
      bench.trainer->evaluate(bench.dir / "nothing.safetensors", bench.shards, {0});
  if (missing) return failed("weights that do not exist were evaluated");
  if (missing.error().code != ErrorCode::refused) return failed(missing.error());
  const auto beyond = bench.trainer->evaluate(bench.base, bench.shards, {1u << 30});
  if (beyond) return failed("a row beyond the end of the text was evaluated");
  if (beyond.error().code != ErrorCode::refused) return failed(beyond.error());
  const auto strange = bench.trainer->exchange_line(R"({"id":900,"op":"conformance-unknown"})");
  if (!strange) return failed(strange.error());
  if (strange->find("error") == std::string::npos) return failed("an unknown op: " + *strange);
  const auto alive = bench.trainer->evaluate(bench.base, bench.shards, {0});
  if (!alive) return failed(alive.error());
  if (bench.trainer->pid() != pid) return failed("it had to be started again after an error");
  return pass("a missing file, a row beyond the end, an unknown op: refused, and it lives on");
}

ConformanceCheck check_generate(Bench& bench) {
  const auto made = bench.trainer->generate(bench.first.out, view("all "), 8, Decimal{800'000'000},
                                            sha256(view("conformance generate")));
  if (!made && made.error().code == ErrorCode::refused) return skip(made.error().message);
  if (!made) return failed(made.error());
  if (made->size() != 8) return failed(fmt::format("{} bytes instead of 8", made->size()));
  return pass("8 bytes");
}

ConformanceCheck check_bye(Bench& bench) {
  if (!bench.trainer->running()) return failed("it is not running any more");
  const Status ended = bench.trainer->bye();
  return ended ? pass("exit code 0") : failed(ended.error());
}

}  // namespace

std::vector<ConformanceCheck> run_conformance(const std::vector<std::string>& argv,
                                              const fs::path& dir) {
  static const std::pair<const char*, ConformanceCheck (*)(Bench&)> kChecks[] = {
      {"hello", check_hello},   {"init", check_init},         {"train", check_train},
      {"repeat", check_repeat}, {"state", check_resume},      {"evaluate", check_evaluate},
      {"errors", check_errors}, {"generate", check_generate}, {"bye", check_bye},
  };
  std::vector<ConformanceCheck> checks;
  Bench bench;
  bench.dir = dir;
  if (Status prepared = prepare(bench); !prepared) {
    checks.push_back({"prepare", false, false, prepared.error().message});
    return checks;
  }
  TrainerOptions options;
  options.argv = argv;
  options.dir = dir / "work";
  options.stall_ms = kStallMs;
  bench.trainer = std::make_unique<TrainerProcess>(std::move(options), bench.model);
  for (const auto& [name, check] : kChecks) {
    checks.push_back(check(bench));
    checks.back().name = name;
  }
  return checks;
}

bool passed(const std::vector<ConformanceCheck>& checks) {
  return !checks.empty() && std::all_of(checks.begin(), checks.end(),
                                        [](const ConformanceCheck& check) { return check.passed; });
}

}  // namespace harambee::node
