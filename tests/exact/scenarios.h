// Runs through the whole exact room with fixed inputs, each with the digest of all it produced.
// tests/exact/golden_test.cpp compares them with constants, tests/exactness/exact_hashes.cpp prints
// them so that compilers and optimisation levels can be compared.
#pragma once

#include <string>
#include <vector>

#include "exact/aggregate.h"
#include "exact/outer_step.h"
#include "exact/robust.h"
#include "tests/exact/numbers.h"

namespace harambee::exact {

struct Scenario {
  std::string name;
  Digest digest;
};

inline View bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), 4 * values.size()};
}

// A parameter count that is no multiple of a chunk or of a vector.
inline constexpr std::size_t kScenarioParameters = 30'011;

inline std::string name_of(const Codec& codec) {
  return *to_json(codec).find("name")->string() + "-" + std::to_string(codec.keep);
}

// Three rounds of error feedback with one codec: blobs, residuals and norms.
inline Scenario encode_scenario(const Codec& codec) {
  Rng rng = rng_of("encode scenario");
  std::vector<float> residual(kScenarioParameters);
  Sha256 hash;
  for (int round = 0; round < 3; ++round) {
    const std::vector<float> base = bell(rng, kScenarioParameters, 0.02F);
    std::vector<float> trained = heavy(rng, kScenarioParameters, 0.001F);
    for (std::size_t i = 0; i < trained.size(); ++i) trained[i] += base[i];
    accumulate(residual, codec.feedback, base, trained);
    hash.update(bytes_of(residual));
    const Bytes blob = encode(codec, {test_base(), test_author()}, residual).value();
    const Delta delta =
        Delta::parse(blob, residual.size(), codec, {test_base(), test_author()}).value();
    hash.update(blob);
    hash.update(bytes_of(residual));
    hash.update(bytes_of(decode(delta)));
    hash.update(view(delta.squared_norm().digits() + "," + std::to_string(delta.exponent())));
  }
  return {"encode-" + name_of(codec), hash.finish()};
}

// Four rounds with `count` contributions of very different norms, and a follower beside.
inline Scenario round_scenario(const Codec& up, const Codec& down, std::size_t count) {
  Rng rng = rng_of("round scenario");
  RunNumbers state{bell(rng, kScenarioParameters, 0.02F), std::vector<float>(kScenarioParameters)};
  Sha256 hash;
  for (int round = 0; round < 4; ++round) {
    std::vector<Bytes> blobs;
    std::vector<Delta> deltas;
    for (std::size_t i = 0; i < count; ++i) {
      const float scale = 0.0003F * static_cast<float>(1 + 5 * (i % 3));
      std::vector<float> residual = heavy(rng, kScenarioParameters, scale);
      blobs.push_back(encode(up, test_base(), residual).value());
    }
    for (const Bytes& blob : blobs) {
      deltas.push_back(Delta::parse(blob, kScenarioParameters, up, test_base()).value());
    }
    std::vector<float> u(kScenarioParameters);
    HARAMBEE_CHECK(aggregate(deltas, u).ok());
    hash.update(bytes_of(u));
    const Decimal rate{2'700'000'000};
    hash.update(close_round(down, rate, test_base(), deltas, state).value());
    hash.update(bytes_of(state.weights));
    hash.update(bytes_of(state.residual));
  }
  return {"round-" + name_of(up) + "-" + name_of(down) + "-of-" + std::to_string(count),
          hash.finish()};
}

// Three rounds of a rule with everything it can be given: standing, a copy, a huge contribution,
// the update before, and a sample of the chunks.
inline Scenario robust_scenario(RobustRule::Kind kind, std::int64_t step_max = 0) {
  constexpr std::size_t kParameters = 300 * kChunk - 77;
  Rng rng = rng_of("robust scenario");
  const Codec up = codec_of(Codec::Kind::sign, 16);
  const Codec down{Codec::Kind::sign, 64, Decimal{1'000'000'000}};
  RunNumbers state{std::vector<float>(kParameters, 0.02F), std::vector<float>(kParameters)};
  RobustRule rule;
  rule.kind = kind, rule.sample = Decimal{900'000'000};
  rule.step_max = Decimal{step_max * 1'000'000'000};
  const std::vector<std::uint32_t> standing{kFullVote, kFullVote, kFullVote / 3,
                                            kFullVote, kFullVote, kFullVote / 7};
  Sha256 hash;
  Bytes update;
  for (int round = 0; round < 3; ++round) {
    std::vector<Bytes> blobs;
    for (std::size_t i = 0; i < 5; ++i) {
      std::vector<float> residual(kParameters);  // few values: most of the time goes into these
      for (const float value : heavy(rng, kParameters / 128, i == 4 ? 0.1F : 0.0003F)) {
        residual[rng.below(kParameters)] = value;
      }
      blobs.push_back(encode(up, test_base(), residual).value());
    }
    blobs.push_back(blobs[1]);
    std::vector<Delta> deltas;
    for (const Bytes& blob : blobs) {
      deltas.push_back(Delta::parse(blob, kParameters, up, test_base()).value());
    }
    std::vector<Delta> before;
    if (round > 0) before = {Delta::parse(update, kParameters, down, test_base()).value()};
    const Delta* previous = before.empty() ? nullptr : &before[0];
    const RobustRound given{.deltas = deltas,
                            .standing = standing,
                            .previous = previous,
                            .seed = sha256(view(std::to_string(round)))};
    const Weights weights = robust_weights(rule, given).value();
    std::string text = std::to_string(weights.exponent) + " " + std::to_string(weights.previous);
    for (const std::uint32_t weight : weights.weight) text += " " + std::to_string(weight);
    hash.update(view(text));
    const Decimal rate{2'700'000'000};
    Bytes made = close_round(down, rate, test_base(), deltas, weights, previous, state).value();
    update = std::move(made);
    hash.update(update);
    hash.update(bytes_of(state.weights));
  }
  const std::string bounded = step_max > 0 ? "-step" : "";
  return {"robust-" + std::string(name(kind)) + bounded, hash.finish()};
}

[[nodiscard]] inline std::vector<Scenario> run_scenarios() {
  std::vector<Scenario> out;
  for (const Codec& codec : all_codecs()) out.push_back(encode_scenario(codec));
  using Kind = Codec::Kind;
  const Codec down{Kind::sign, 256, Decimal{1'000'000'000}};
  out.push_back(round_scenario(codec_of(Kind::sign, 32), down, 4));
  out.push_back(round_scenario(codec_of(Kind::sign, 32), down, 7));
  out.push_back(round_scenario(codec_of(Kind::two_level, 48), codec_of(Kind::int4, 0), 5));
  out.push_back(round_scenario(codec_of(Kind::ternary, 0), codec_of(Kind::dense, 0), 3));
  out.push_back(round_scenario(codec_of(Kind::dense, 0), codec_of(Kind::two_level, 48), 16));
  using Rule = RobustRule::Kind;
  for (const Rule rule : {Rule::mean, Rule::clip, Rule::centered, Rule::neighbours, Rule::krum}) {
    out.push_back(robust_scenario(rule));
  }
  out.push_back(robust_scenario(Rule::centered, 1));
  return out;
}

}  // namespace harambee::exact
