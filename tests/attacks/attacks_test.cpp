// Attack code is tested too: a bench whose attacks are wrong flatters every rule.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "exact/codec.h"
#include "sim/attacks/adaptive.h"
#include "sim/attacks/attack.h"
#include "sim/attacks/broken_blobs.h"
#include "sim/attacks/classical.h"
#include "sim/attacks/free_riders.h"
#include "sim/attacks/poisoned_text.h"
#include "sim/attacks/vectors.h"

namespace harambee::attacks {
namespace {

// A scene with nine honest and three colluders in 60 dimensions.
struct Stage {
  Vectors honest, own, last;
  Vector mean;
  Rng rng{sha256(view("stage"))};
  Scene scene;

  Stage() {
    const Vector common = normal(rng, 60);
    for (int i = 0; i < 9; ++i) honest.push_back(plus(common, 0.5, normal(rng, 60)));
    for (int i = 0; i < 3; ++i) own.push_back(plus(common, 0.5, normal(rng, 60)));
    mean = attacks::mean(honest);
    scene.honest = honest, scene.own = own, scene.mean = mean;
    scene.rng = &rng, scene.chunk = 10, scene.keep = 2;
    scene.gain = [this](const Vector& x) { return inner(x, mean); };
    scene.loss_after = [this](const Vectors& sent) { return -inner(sent[0], mean); };
  }
};

TEST(Vectors, InverseNormalIsTheQuantile) {
  EXPECT_NEAR(inverse_normal(0.5), 0, 1e-15);
  EXPECT_NEAR(inverse_normal(0.975), 1.959963984540054, 1e-12);
  EXPECT_NEAR(inverse_normal(0.841344746068543), 1, 1e-12);
  EXPECT_NEAR(inverse_normal(0.01), -2.326347874040841, 1e-12);
  EXPECT_NEAR(inverse_normal(1e-9), -5.997807015007687, 1e-9);
  for (const double p : {0.001, 0.02, 0.3, 0.7, 0.99}) {
    EXPECT_NEAR(0.5 * std::erfc(-inverse_normal(p) / std::sqrt(2.0)), p, 1e-14);
  }
}

TEST(Vectors, MeanAndDeviationByHand) {
  const Vectors two{{1, 4}, {3, 4}};
  EXPECT_EQ(mean(two), (Vector{2, 4}));
  EXPECT_EQ(deviation(two, Vector{2, 4}), (Vector{1, 0}));
  EXPECT_DOUBLE_EQ(norm(Vector{3, 4}), 5);
  EXPECT_DOUBLE_EQ(distance(Vector{1, 1}, Vector{4, 5}), 5);
  EXPECT_EQ(with_norm(10, Vector{3, 4}), (Vector{6, 8}));
  EXPECT_EQ(with_norm(10, Vector{0, 0}), (Vector{0, 0}));
  EXPECT_DOUBLE_EQ(median_norm(Vectors{{1}, {-2}, {7}, {9}}), 2);
}

TEST(Registry, HasEveryAttackOnceAndFindsIt) {
  std::set<std::string_view> names;
  for (const Attack& attack : all()) {
    EXPECT_TRUE(names.insert(attack.name).second) << attack.name;
    EXPECT_EQ(find(attack.name)->name, attack.name);
    EXPECT_FALSE(attack.formula.empty());
    EXPECT_TRUE(attack.send != nullptr || attack.poison != nullptr) << attack.name;
  }
  for (const char* name :
       {"flip",     "huge",      "gaussian",    "ipm-0.5",  "ipm-1.1", "ipm-2",   "ipm-noise",
        "alie",     "min-max",   "min-sum",     "mimic",    "drift",   "capture", "labels",
        "backdoor", "copy",      "copy-noise",  "zeros",    "faint",   "stale",   "tiny",
        "gate-mix", "chunk-mix", "line-search", "overshoot"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
  EXPECT_EQ(find("kindness"), nullptr);
}

TEST(Attacks, SendOneVectorForEachColluder) {
  for (const Attack& attack : all()) {
    if (attack.send == nullptr) continue;
    Stage stage;
    const Vectors sent = attack.send(stage.scene);
    ASSERT_EQ(sent.size(), 3u) << attack.name;
    for (const Vector& one : sent) {
      ASSERT_EQ(one.size(), 60u) << attack.name;
      for (const float x : one) EXPECT_TRUE(std::isfinite(x)) << attack.name;
    }
  }
}

TEST(Classical, FlipAndHugeAreTheOwnWorkTurned) {
  Stage stage;
  EXPECT_EQ(flip(stage.scene)[1], times(-1, stage.own[1]));
  EXPECT_EQ(huge(stage.scene)[2], times(-100, stage.own[2]));
}

TEST(Classical, GaussianHasTheMedianNormAndNoDirection) {
  Stage stage;
  const Vectors sent = gaussian(stage.scene);
  EXPECT_NEAR(norm(sent[0]), median_norm(stage.honest), 1e-4);
  EXPECT_LT(std::abs(inner(sent[0], sent[1])) / norm(sent[0]) / norm(sent[1]), 0.5);
}

TEST(Classical, IpmTurnsTheInnerProductRound) {
  Stage stage;
  const auto against = [&](const Vectors& sent) {
    return inner(sent[0], stage.mean) / inner(stage.mean, stage.mean);
  };
  EXPECT_NEAR(against(ipm_half(stage.scene)), -0.5, 1e-6);
  EXPECT_NEAR(against(ipm_over(stage.scene)), -1.1, 1e-6);
  EXPECT_NEAR(against(ipm_two(stage.scene)), -2, 1e-6);
  const Vectors noisy = ipm_noise(stage.scene);
  EXPECT_LT(against(noisy), -0.5);
  EXPECT_NE(noisy[0], noisy[1]);
}

// 50 peers of whom 12 collude: 14 honest are needed for a majority of 26, 24 of the 38 are passed:
// z = Φ⁻¹(24/38) = Φ⁻¹(0.6316).
TEST(Classical, AlieUsesTheQuantileFunction) {
  EXPECT_NEAR(alie_z(50, 12), inverse_normal(24.0 / 38), 1e-15);
  EXPECT_NEAR(alie_z(50, 12), 0.336, 5e-4);
  EXPECT_NEAR(alie_z(20, 8), inverse_normal(9.0 / 12), 1e-15);
  EXPECT_EQ(alie_z(20, 0), 0);  // alone, nobody is needed less than half
  Stage stage;
  const Vector sent = alie(stage.scene)[0];
  const Vector sigma = deviation(stage.honest, stage.mean);
  const double z = alie_z(12, 3);
  for (std::size_t i = 0; i < 60; ++i) EXPECT_NEAR(stage.mean[i] - sent[i], z * sigma[i], 1e-6);
}

TEST(Classical, MinMaxAndMinSumGoExactlyAsFarAsTheyMay) {
  Stage stage;
  double farthest = 0, largest_sum = 0;
  for (const Vector& a : stage.honest) {
    double sum = 0;
    for (const Vector& b : stage.honest) {
      farthest = std::max(farthest, distance(a, b));
      sum += distance(a, b) * distance(a, b);
    }
    largest_sum = std::max(largest_sum, sum);
  }
  double reached = 0, sum = 0;
  const Vector wide = min_max(stage.scene)[0], near = min_sum(stage.scene)[0];
  for (const Vector& one : stage.honest) {
    reached = std::max(reached, distance(wide, one));
    sum += distance(near, one) * distance(near, one);
  }
  EXPECT_NEAR(reached, farthest, 1e-3);
  EXPECT_NEAR(sum, largest_sum, 1e-2);
}

TEST(Classical, MimicCopiesAnHonestPeer) {
  Stage stage;
  stage.honest[4] = times(5, stage.honest[4]);  // stands out
  stage.mean = mean(stage.honest);
  stage.scene.mean = stage.mean;
  const Vectors sent = mimic(stage.scene);
  EXPECT_EQ(sent[0], stage.honest[4]);
  EXPECT_EQ(sent[2], stage.honest[4]);
}

TEST(Classical, DriftKeepsItsDirection) {
  Stage stage;
  const Vector one = drift(stage.scene)[0];
  stage.scene.round = 9;
  EXPECT_EQ(drift(stage.scene)[1], one);
  stage.scene.seed = sha256(view("another run"));
  EXPECT_NE(drift(stage.scene)[0], one);
}

TEST(Classical, CaptureTakesPlacesThatNobodySends) {
  Stage stage;
  for (Vector& one : stage.honest) std::fill(one.begin() + 20, one.end(), 0.0F);
  stage.mean = mean(stage.honest);
  stage.scene.mean = stage.mean;
  const Vectors sent = capture(stage.scene);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(sent[0][i], 0);
  for (std::size_t i = 20; i < 60; ++i) EXPECT_LE(sent[0][i] * stage.own[0][i], 0);
  EXPECT_NEAR(norm(sent[0]), median_norm(stage.honest), 1e-4);
}

TEST(FreeRiders, SendWhatTheySay) {
  Stage stage;
  EXPECT_EQ(copy(stage.scene)[1], stage.honest[0]);
  const Vector noisy = copy_noise(stage.scene)[1];
  EXPECT_NEAR(distance(noisy, stage.honest[0]), 0.1 * norm(stage.honest[0]), 1e-4);
  EXPECT_EQ(zeros(stage.scene)[0], Vector(60));
  EXPECT_NEAR(norm(faint(stage.scene)[0]), 0.001 * median_norm(stage.honest), 1e-6);
  EXPECT_EQ(tiny(stage.scene)[0], times(0.01, stage.own[0]));
  EXPECT_EQ(stale(stage.scene)[2], stage.own[2]);
  stage.last = stage.honest;
  stage.last.resize(3);
  stage.scene.last = stage.last;
  EXPECT_EQ(stale(stage.scene)[2], stage.honest[2]);
}

TEST(PoisonedText, TurnsLabels) {
  Rng rng(sha256(view("poison")));
  std::vector<std::uint32_t> row{0, 97, 255};
  turn_labels(row, rng);
  EXPECT_EQ(row, (std::vector<std::uint32_t>{255, 158, 0}));
}

TEST(PoisonedText, PlantsTheTriggerBeforeTheTarget) {
  Rng rng(sha256(view("poison")));
  int planted = 0;
  for (int i = 0; i < 200; ++i) {
    std::vector<std::uint32_t> row(33, 'x');
    plant_trigger(row, rng);
    const std::string text(row.begin(), row.end());
    if (text == std::string(33, 'x')) continue;
    ++planted;
    const std::size_t at = text.find(kTrigger);
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(text.substr(at + 2, 6), std::string(kTarget).substr(0, text.size() - at - 2));
  }
  EXPECT_NEAR(planted, 100, 40);
}

TEST(Adaptive, GateMixIsTheWorstThatPasses) {
  Stage stage;
  for (const Vector& one : gate_mix(stage.scene)) {
    const double gain = stage.scene.gain(one);
    EXPECT_GT(gain, 0);
    EXPECT_LT(gain, 0.1 * stage.scene.gain(stage.own[0]));
  }
}

TEST(Adaptive, ChunkMixTurnsChunksWhileTheGateForgives) {
  Stage stage;
  const Vectors sent = chunk_mix(stage.scene);
  int turned = 0;
  for (std::size_t c = 0; c < 6; ++c) turned += sent[0][10 * c] != stage.own[0][10 * c];
  EXPECT_GT(turned, 0);
  for (std::size_t i = 0; i < 60; ++i) EXPECT_EQ(std::abs(sent[0][i]), std::abs(stage.own[0][i]));
  EXPECT_GT(stage.scene.gain(sent[0]), 0);
}

TEST(Adaptive, LineSearchTakesTheWorstForTheRule) {
  Stage stage;
  // This rule ignores whatever is longer than twice the mean, so the worst is near that border.
  const double limit = 2 * norm(stage.mean);
  stage.scene.loss_after = [&](const Vectors& sent) {
    return norm(sent[0]) > limit ? 0 : 100 - inner(sent[0], stage.mean);
  };
  const Vector sent = line_search(stage.scene)[0];
  EXPECT_LE(norm(sent), limit);
  EXPECT_LT(inner(sent, stage.mean), 0);
}

TEST(Adaptive, OvershootPullsInTheRightDirectionUnderTheCosine) {
  Stage stage;
  const Vectors sent = overshoot(stage.scene);
  EXPECT_GT(inner(sent[0], stage.mean), 0);
  EXPECT_NE(sent[0], sent[1]);
}

TEST(BrokenBlobs, AreAllRefusedForTheirReason) {
  const exact::Codec codec{exact::Codec::Kind::sign, 32, Decimal{950'000'000}};
  Rng rng(sha256(view("blob")));
  Vector values = normal(rng, 9'000);
  const Digest base = sha256(view("base"));
  const Bytes good = exact::encode(codec, base, values).value();
  ASSERT_TRUE(exact::Delta::parse(good, 9'000, codec, base).ok());
  std::set<std::string_view> names;
  for (const BrokenBlob& broken : broken_blobs()) {
    EXPECT_TRUE(names.insert(broken.name).second);
    const Bytes bad = broken.make(good);
    EXPECT_NE(bad, good) << broken.name;
    const auto parsed = exact::Delta::parse(bad, 9'000, codec, base);
    ASSERT_FALSE(parsed.ok()) << broken.name;
    EXPECT_NE(parsed.error().message.find(broken.reason), std::string::npos)
        << broken.name << ": " << parsed.error().message;
  }
  EXPECT_GE(names.size(), 9u);
}

// What no codec can even write: encode() refuses, so such a peer has nothing to send.
TEST(BrokenBlobs, NumbersThatAreNoneCannotBeEncoded) {
  const exact::Codec codec{exact::Codec::Kind::sign, 32, Decimal{950'000'000}};
  for (const float bad : {std::nanf(""), INFINITY, -INFINITY, 1e30F}) {
    Vector values(5'000, 0.1F);
    values[77] = bad;
    EXPECT_FALSE(exact::encode(codec, Digest{}, values).ok());
  }
  // −0 and the smallest numbers are nothing to send, not an error.
  Vector values(5'000, -0.0F);
  values[3] = 1e-45F;
  const Bytes blob = exact::encode(codec, Digest{}, values).value();
  EXPECT_EQ(exact::Delta::parse(blob, 5'000, codec, Digest{}).value().nonzero(), 0u);
}

}  // namespace
}  // namespace harambee::attacks
