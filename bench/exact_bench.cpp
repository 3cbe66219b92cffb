// How close the exact arithmetic comes to the speed of memory.
//
// Each benchmark reports the bytes that any implementation must touch per second, and
// `of_bandwidth`: that rate as a part of what this machine's memory gives one thread to a plain
// read-modify-write or copy loop of the same shape, measured in this program just before.
#include <benchmark/benchmark.h>

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "base/rng.h"
#include "exact/aggregate.h"
#include "exact/codec.h"
#include "exact/outer_step.h"

namespace harambee::exact {
namespace {

constexpr std::size_t kContributions = 16;
const Codec kUp{Codec::Kind::sign, 32, Decimal{950'000'000}};
const Codec kDown{Codec::Kind::sign, 256, Decimal{1'000'000'000}};
const Decimal kRate{3'000'000'000};

// This thread's processor time: the machine may be shared, and the benchmarks are single-threaded.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Bytes per second of the best of several runs.
template <typename Loop>
double best_rate(std::size_t bytes, Loop loop) {
  double best = 0;
  for (int i = 0; i < 9; ++i) {
    const double start = cpu_seconds();
    loop();
    best = std::max(best, static_cast<double>(bytes) / (cpu_seconds() - start));
  }
  return best;
}

struct Bandwidth {
  double read = 0;   // bytes read per second
  double write = 0;  // bytes written per second (memset)
  double copy = 0;   // bytes read plus bytes written per second (memcpy)
};

const Bandwidth& bandwidth(std::size_t floats) {
  static std::map<std::size_t, Bandwidth> known;
  auto [at, fresh] = known.try_emplace(floats);
  if (fresh) {
    std::vector<float> a(floats, 1.0F), b(floats, 2.0F);
    const std::size_t bytes = 4 * floats;
    at->second.read = best_rate(bytes, [&] {
      std::uint64_t sum[4] = {};
      for (std::size_t i = 0; i + 8 <= floats; i += 8) {
        for (std::size_t j = 0; j < 4; ++j) {
          std::uint64_t word;
          std::memcpy(&word, &a[i + 2 * j], 8);
          sum[j] += word;
        }
      }
      benchmark::DoNotOptimize(sum);
    });
    at->second.write = best_rate(bytes, [&] {
      std::memset(a.data(), 1, bytes);
      benchmark::DoNotOptimize(a.data());
    });
    at->second.copy = best_rate(2 * bytes, [&] {
      std::memcpy(b.data(), a.data(), bytes);
      benchmark::DoNotOptimize(b.data());
    });
  }
  return at->second;
}

// Normal by Box and Muller, heavier for every third chunk, as layers differ.
std::vector<float> gradient(std::uint64_t seed, std::size_t n) {
  Rng rng(sha256(view("bench " + std::to_string(seed))));
  std::vector<float> out(n);
  for (std::size_t i = 0; i < n; i += 2) {
    const double u = (static_cast<double>(rng.next() >> 11) + 0.5) * 0x1p-53;
    const double v = static_cast<double>(rng.next() >> 11) * 0x1p-53;
    const double radius = 1e-3 * std::sqrt(-2 * std::log(u)) * (i / kChunk % 3 == 0 ? 1.7 : 1.0);
    out[i] = static_cast<float>(radius * std::cos(6.283185307179586 * v));
    if (i + 1 < n) out[i + 1] = static_cast<float>(radius * std::sin(6.283185307179586 * v));
  }
  return out;
}

struct Round {
  std::vector<Bytes> blobs;
  std::vector<Delta> deltas;
  std::size_t blob_bytes = 0;
};

const Round& round_of(std::size_t n) {
  static std::map<std::size_t, Round> known;
  auto [at, fresh] = known.try_emplace(n);
  Round& round = at->second;
  if (fresh) {
    for (std::size_t i = 0; i < kContributions; ++i) {
      std::vector<float> residual = gradient(i, n);
      round.blobs.push_back(encode(kUp, Digest{}, residual).value());
      round.blob_bytes += round.blobs.back().size();
    }
    for (const Bytes& blob : round.blobs) {
      round.deltas.push_back(Delta::parse(blob, n, kUp, Digest{}).value());
    }
  }
  return round;
}

// `seconds_possible`: what one pass needs at memory's speed.
void report(benchmark::State& state, std::size_t bytes, double seconds_possible) {
  const auto passes = static_cast<double>(state.iterations());
  state.counters["bytes_per_second"] =
      benchmark::Counter(static_cast<double>(bytes) * passes, benchmark::Counter::kIsRate,
                         benchmark::Counter::kIs1024);
  state.counters["of_bandwidth"] =
      benchmark::Counter(seconds_possible * passes, benchmark::Counter::kIsRate);
}

// Reads three vectors, writes one: e ← β·e + (θ − θ').
void Accumulate(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const Bandwidth& memory = bandwidth(n);
  std::vector<float> e = gradient(1, n);
  const std::vector<float> base = gradient(2, n), trained = gradient(3, n);
  for (auto _ : state) accumulate(e, kUp.feedback, base, trained);
  report(state, 16 * n,
         static_cast<double>(8 * n) / memory.copy + static_cast<double>(8 * n) / memory.read);
}

// Reads the residual once, then reads and writes the cache lines of what is sent (one in eight).
void Encode(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const Bandwidth& memory = bandwidth(n);
  std::vector<float> residual = gradient(1, n);
  const std::vector<float> fresh = gradient(2, n);
  for (auto _ : state) {
    // The residual must not drain over the repetitions.
    state.PauseTiming();
    residual = fresh;
    state.ResumeTiming();
    benchmark::DoNotOptimize(encode(kUp, Digest{}, residual).value());
  }
  const std::size_t lines = 64 * (n / kChunk) * kUp.keep;
  report(state, 4 * n + 2 * lines,
         static_cast<double>(4 * n) / memory.read + static_cast<double>(2 * lines) / memory.copy);
}

// Checks sixteen blobs to their last bit.
void Parse(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const Round& round = round_of(n);
  for (auto _ : state) {
    for (const Bytes& blob : round.blobs) {
      benchmark::DoNotOptimize(Delta::parse(blob, n, kUp, Digest{}).value());
    }
  }
  report(state, round.blob_bytes, static_cast<double>(round.blob_bytes) / bandwidth(n).read);
}

// One delta added to the weights, as a follower or a validator does: the sparse places touch one
// cache line in eight for reading and writing.
void Decode(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const Round& round = round_of(n);
  std::vector<float> weights = gradient(2, n);
  for (auto _ : state) add_scaled(round.deltas[0], -0.25F, weights);
  const std::size_t lines = 64 * round.deltas[0].nonzero();
  report(state, round.blobs[0].size() + 2 * lines,
         static_cast<double>(2 * lines) / bandwidth(n).copy);
}

// Reads sixteen blobs, writes one vector.
void Aggregate16(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const Bandwidth& memory = bandwidth(n);
  const Round& round = round_of(n);
  std::vector<float> u(n);
  for (auto _ : state) {
    HARAMBEE_CHECK(aggregate(round.deltas, u).ok());
    benchmark::DoNotOptimize(u.data());
  }
  report(state, 4 * n + round.blob_bytes,
         static_cast<double>(4 * n) / memory.write +
             static_cast<double>(round.blob_bytes) / memory.read);
}

// The whole close: reads sixteen blobs, reads and writes residual and weights.
void OuterStep16(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const Bandwidth& memory = bandwidth(n);
  const Round& round = round_of(n);
  RunNumbers numbers{gradient(100, n), std::vector<float>(n)};
  for (auto _ : state) {
    benchmark::DoNotOptimize(close_round(kDown, kRate, Digest{}, round.deltas, numbers).value());
  }
  report(state, 16 * n + round.blob_bytes,
         static_cast<double>(16 * n) / memory.copy +
             static_cast<double>(round.blob_bytes) / memory.read);
}

constexpr std::int64_t kSmall = 1'246'848;  // the demo's model
constexpr std::int64_t kLarge = 16'777'216;
BENCHMARK(Accumulate)->Arg(kSmall)->Arg(kLarge)->Unit(benchmark::kMillisecond);
BENCHMARK(Encode)->Arg(kSmall)->Arg(kLarge)->Unit(benchmark::kMillisecond);
BENCHMARK(Parse)->Arg(kSmall)->Arg(kLarge)->Unit(benchmark::kMillisecond);
BENCHMARK(Decode)->Arg(kSmall)->Arg(kLarge)->Unit(benchmark::kMillisecond);
BENCHMARK(Aggregate16)->Arg(kSmall)->Arg(kLarge)->Unit(benchmark::kMillisecond);
BENCHMARK(OuterStep16)->Arg(kSmall)->Arg(kLarge)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace harambee::exact
