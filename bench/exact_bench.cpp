// How close the exact arithmetic comes to the speed of memory.
//
// Each benchmark reports the bytes that any implementation must touch per second, and
// `of_bandwidth`: the time that this machine's memory needs for them, as a part of the time it
// took. The two smaller sizes fit the last cache of a large server (there the yardstick is that
// cache), the largest fits none. Memory's speed is measured in this program just before, on vectors
// of the same length, by plain loops of the same kind: reading; writing (the faster of memset and a
// loop of stores); changing in place, where a line is fetched once, and read and written back.
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
  double read = 0;    // bytes read per second
  double write = 0;   // bytes written per second
  double change = 0;  // bytes read plus bytes written per second, the same ones
};

// As wide as the processor can, so that memory is what limits them.
#if defined(__x86_64__) && !defined(__clang__)
#define HARAMBEE_WIDEST __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define HARAMBEE_WIDEST
#endif
using Line [[gnu::vector_size(64), gnu::aligned(4), gnu::may_alias]] = std::uint32_t;

HARAMBEE_WIDEST void read_all(const Line* line, std::size_t lines) {
  Line sum[4] = {};
  for (std::size_t i = 0; i + 4 <= lines; i += 4) {
    for (std::size_t j = 0; j < 4; ++j) sum[j] += line[i + j];
  }
  benchmark::DoNotOptimize(sum);
}
HARAMBEE_WIDEST void write_all(Line* line, std::size_t lines) {
  for (std::size_t i = 0; i < lines; ++i) line[i] = Line{};
}
HARAMBEE_WIDEST void change_all(Line* line, std::size_t lines) {
  for (std::size_t i = 0; i < lines; ++i) line[i] ^= 0x8000'0000u;
}

const Bandwidth& bandwidth(std::size_t floats) {
  static std::map<std::size_t, Bandwidth> known;
  auto [at, fresh] = known.try_emplace(floats);
  if (fresh) {
    std::vector<float> a(floats, 1.0F);
    // From the first whole cache line on: a vector across two lines costs twice.
    const auto address = reinterpret_cast<std::uintptr_t>(a.data());
    auto* const line = reinterpret_cast<Line*>((address + 63) / 64 * 64);
    const std::size_t lines = floats / 16 - 1, bytes = 64 * lines;
    at->second.read = best_rate(bytes, [&] { read_all(line, lines); });
    at->second.write = std::max(best_rate(bytes, [&] { write_all(line, lines); }),
                                best_rate(bytes, [&] { std::memset(line, 1, bytes); }));
    at->second.change = best_rate(2 * bytes, [&] { change_all(line, lines); });
  }
  return at->second;
}

// Normal by Box and Muller, heavier for every third chunk, as layers differ.
constexpr std::size_t kDrawn = std::size_t{1} << 24;

// Numbers beyond kDrawn are the first ones again: drawing them would take minutes.
std::vector<float> gradient(std::uint64_t seed, std::size_t n) {
  if (n > kDrawn) {
    std::vector<float> out = gradient(seed, kDrawn);
    out.resize(n);
    for (std::size_t at = kDrawn; at < n; at += kDrawn) {
      std::copy_n(out.begin(), std::min(kDrawn, n - at),
                  out.begin() + static_cast<std::ptrdiff_t>(at));
    }
    return out;
  }
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
         static_cast<double>(8 * n) / memory.change + static_cast<double>(8 * n) / memory.read);
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
         static_cast<double>(4 * n) / memory.read + static_cast<double>(2 * lines) / memory.change);
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
// cache line in eight for reading and writing. Memory gives scattered lines more slowly than a
// stream of them: `of_scattered` compares with a loop that changes the same places, known
// beforehand, and does nothing else.
void Decode(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const Round& round = round_of(n);
  std::vector<float> weights = gradient(2, n);
  std::vector<std::uint32_t> places;
  Delta::Chunk chunk;
  std::uint32_t first = 0;
  for (Delta::Cursor cursor(round.deltas[0]); !cursor.done(); first += kChunk) {
    cursor.next(chunk);
    for (std::uint32_t i = 0; i < chunk.size; ++i) places.push_back(first + chunk.place[i]);
  }
  const double scattered = best_rate(places.size(), [&] {
    for (const std::uint32_t place : places) weights[place] += 0.25F;
  });
  for (auto _ : state) add_scaled(round.deltas[0], -0.25F, weights);
  const std::size_t lines = 64 * round.deltas[0].nonzero();
  report(state, round.blobs[0].size() + 2 * lines,
         static_cast<double>(2 * lines) / bandwidth(n).change);
  state.counters["of_scattered"] = benchmark::Counter(
      static_cast<double>(places.size()) / scattered * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
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

// The cache lines of 16 floats that a delta's values lie in, in bytes.
std::size_t lines_of(const Delta& delta) {
  std::size_t lines = 0;
  Delta::Chunk chunk;
  for (Delta::Cursor cursor(delta); !cursor.done();) {
    cursor.next(chunk);
    for (std::uint32_t i = 0; i < chunk.size; ++i) {
      lines += i == 0 || chunk.place[i] / 16 != chunk.place[i - 1] / 16;
    }
  }
  return 64 * lines;
}

// The outer step by itself, as everybody makes it from the update blob: the lines of the weights
// in which the update has a value are read and written.
void OuterStep(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  std::vector<float> residual = gradient(100, n), weights = gradient(101, n);
  const Bytes blob = encode(kDown, Digest{}, residual).value();
  const Delta update = Delta::parse(blob, n, kDown, Digest{}).value();
  for (auto _ : state) apply_update(update, kRate, weights);
  const std::size_t lines = 2 * lines_of(update);
  report(state, lines + blob.size(),
         static_cast<double>(lines) / bandwidth(n).change +
             static_cast<double>(blob.size()) / bandwidth(n).read);
}

// The whole close: reads sixteen blobs, changes the residual, and then (only after its last chunk
// is the update's exponent known) the lines of what is sent, in the residual and in the weights.
void CloseRound16(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const Bandwidth& memory = bandwidth(n);
  const Round& round = round_of(n);
  const std::vector<float> before = gradient(100, n);
  RunNumbers numbers{gradient(101, n), before};
  Bytes update;
  for (auto _ : state) {
    // The same contributions again and again would leave a residual unlike any run's.
    state.PauseTiming();
    numbers.residual = before;
    state.ResumeTiming();
    update = close_round(kDown, kRate, Digest{}, round.deltas, numbers).value();
  }
  const Delta sent = Delta::parse(update, n, kDown, Digest{}).value();
  const std::size_t changed = 2 * (4 * n + 2 * lines_of(sent));
  report(state, changed + round.blob_bytes,
         static_cast<double>(changed) / memory.change +
             static_cast<double>(round.blob_bytes) / memory.read);
}

constexpr std::int64_t kSmall = 1'246'848;  // the demo's model
constexpr std::int64_t kLarge = 16'777'216;
constexpr std::int64_t kHuge = 134'217'728;  // half a gigabyte a vector: beyond any cache
BENCHMARK(Accumulate)->Arg(kSmall)->Arg(kLarge)->Arg(kHuge)->Unit(benchmark::kMillisecond);
BENCHMARK(Encode)->Arg(kSmall)->Arg(kLarge)->Arg(kHuge)->Unit(benchmark::kMillisecond);
BENCHMARK(Parse)->Arg(kSmall)->Arg(kLarge)->Arg(kHuge)->Unit(benchmark::kMillisecond);
BENCHMARK(Decode)->Arg(kSmall)->Arg(kLarge)->Arg(kHuge)->Unit(benchmark::kMillisecond);
BENCHMARK(Aggregate16)->Arg(kSmall)->Arg(kLarge)->Arg(kHuge)->Unit(benchmark::kMillisecond);
BENCHMARK(OuterStep)->Arg(kSmall)->Arg(kLarge)->Arg(kHuge)->Unit(benchmark::kMillisecond);
BENCHMARK(CloseRound16)->Arg(kSmall)->Arg(kLarge)->Arg(kHuge)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace harambee::exact
