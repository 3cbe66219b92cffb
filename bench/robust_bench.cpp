// Gram matrix and aggregation of 256 contributions to a model of 100 million parameters, one
// thread.
//
// `of_bandwidth`: what reading the contributions once (and, for the aggregate, writing the step)
// costs at this machine's memory speed, as a part of the time it took. `extra_MiB`: the most that
// was allocated meanwhile, besides the contributions and the result.
#include <benchmark/benchmark.h>

#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>

#include "base/rng.h"
#include "exact/container.h"
#include "exact/robust.h"

namespace {

std::size_t live_bytes = 0, peak_bytes = 0;

void* counted(std::size_t size) {
  void* const block = std::malloc(size + 16);
  if (block == nullptr) throw std::bad_alloc();
  std::memcpy(block, &size, sizeof size);
  live_bytes += size;
  peak_bytes = std::max(peak_bytes, live_bytes);
  return static_cast<char*>(block) + 16;
}

void uncounted(void* at) {
  if (at == nullptr) return;
  void* const block = static_cast<char*>(at) - 16;
  std::size_t size = 0;
  std::memcpy(&size, block, sizeof size);
  live_bytes -= size;
  std::free(block);
}

}  // namespace
[[gnu::noinline]] void* operator new(std::size_t size) { return counted(size); }
[[gnu::noinline]] void operator delete(void* at) noexcept { uncounted(at); }
[[gnu::noinline]] void operator delete(void* at, std::size_t) noexcept { uncounted(at); }

namespace harambee::exact {
namespace {

constexpr std::uint32_t kKeep = 32;
const Codec kUp{Codec::Kind::sign, kKeep, Decimal{950'000'000}};

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Bytes a second: reading, and writing.
struct Bandwidth {
  double read = 0, write = 0;
};
const Bandwidth& bandwidth() {
  static Bandwidth best;
  if (best.read > 0) return best;
  std::vector<std::uint64_t> words(std::size_t{1} << 24, 1);
  const double bytes = 8.0 * static_cast<double>(words.size());
  for (int i = 0; i < 7; ++i) {
    const double start = cpu_seconds();
    std::uint64_t sum[4] = {};
    for (std::size_t j = 0; j < words.size(); j += 4) {
      for (std::size_t k = 0; k < 4; ++k) sum[k] += words[j + k];
    }
    benchmark::DoNotOptimize(sum);
    const double middle = cpu_seconds();
    std::memset(words.data(), i, static_cast<std::size_t>(bytes));
    benchmark::DoNotOptimize(words.data());
    best.read = std::max(best.read, bytes / (middle - start));
    best.write = std::max(best.write, bytes / (cpu_seconds() - middle));
  }
  return best;
}

// A contribution as encode() would write it, straight into bits: 32 places of each chunk, half of
// them from the eighth of the chunk that everybody likes, as supports of honest peers overlap.
Bytes written(std::uint64_t seed, std::uint64_t parameters) {
  Rng rng(sha256(view("robust bench " + std::to_string(seed))));
  Bytes out;
  std::vector<float> first(1, 1.0F);
  const Bytes header = encode(kUp, Digest{}, first).value();
  out.assign(header.begin(), header.begin() + container::kHeaderBytes);
  std::memcpy(&out[container::kParametersAt], &parameters, 8);
  container::BitWriter bits(out);
  const unsigned rice = container::rice_parameter(kKeep);
  const std::uint64_t chunks = (parameters + kChunk - 1) / kChunk;
  for (std::uint64_t c = 0; c < chunks; ++c) {
    const std::uint32_t length = container::chunk_length(parameters, c);
    bool chosen[kChunk] = {};
    for (std::uint32_t left = std::min(kKeep, length); left > 0;) {
      const std::uint64_t range = left % 2 == 0 && length == kChunk ? kChunk / 8 : length;
      bool& place = chosen[(rng.next() >> 20) % range];
      left -= !place;
      place = true;
    }
    bits.put(0x8000 + (rng.next() & 0x7FFF), container::kMantissaBits);
    bits.put(1, 1);
    std::uint32_t next = 0;
    for (std::uint32_t i = 0; i < length; ++i) {
      if (!chosen[i]) continue;
      const std::uint32_t gap = i - next;
      const std::uint64_t sign = (rng.next() >> 40) & 1;
      bits.put_rice(gap >> rice, (gap & ((1u << rice) - 1)) | sign << rice, rice + 1);
      next = i + 1;
    }
  }
  bits.finish();
  return out;
}

struct Round {
  std::vector<Bytes> blobs;
  std::vector<Delta> deltas;
  std::size_t bytes = 0;
};
const Round& round_of(std::size_t count, std::uint64_t parameters) {
  static std::map<std::uint64_t, Round> known;
  auto [at, fresh] = known.try_emplace(parameters);
  Round& round = at->second;
  for (std::size_t i = round.blobs.size(); i < count; ++i) {
    round.blobs.push_back(written(i, parameters));
  }
  round.deltas.clear();
  round.bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    round.deltas.push_back(Delta::parse(round.blobs[i], parameters, kUp, Digest{}).value());
    round.bytes += round.blobs[i].size();
  }
  return round;
}

template <typename Work>
void measure(benchmark::State& state, double seconds_possible, const Work& work) {
  const std::size_t before = live_bytes;
  peak_bytes = live_bytes;
  for (auto _ : state) work();
  state.counters["extra_MiB"] = static_cast<double>(peak_bytes - before) / 1'048'576;
  state.counters["of_bandwidth"] = benchmark::Counter(
      seconds_possible * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

// Arguments: contributions, parameters, percent of the chunks.
void GramMatrix(benchmark::State& state) {
  const auto parameters = static_cast<std::uint64_t>(state.range(1));
  const Round& round = round_of(static_cast<std::size_t>(state.range(0)), parameters);
  const Decimal share{state.range(2) * 10'000'000};
  measure(state, static_cast<double>(round.bytes) / bandwidth().read, [&] {
    benchmark::DoNotOptimize(Gram::make(round.deltas, nullptr, share, Digest{}).value());
  });
}

// Groups, votes and centered clipping with the matrix, then the sum: a whole close but for the
// re-compression.
void GramAndAggregate(benchmark::State& state) {
  const auto parameters = static_cast<std::uint64_t>(state.range(1));
  const Round& round = round_of(static_cast<std::size_t>(state.range(0)), parameters);
  RobustRule rule;
  rule.sample = Decimal{state.range(2) * 10'000'000};
  std::vector<float> u(parameters);
  const double possible = 2.0 * static_cast<double>(round.bytes) / bandwidth().read +
                          4.0 * static_cast<double>(parameters) / bandwidth().write;
  measure(state, possible, [&] {
    const Weights weights = robust_weights(rule, {.deltas = round.deltas}).value();
    HARAMBEE_CHECK(aggregate(round.deltas, weights, nullptr, u).ok());
    benchmark::DoNotOptimize(u.data());
  });
}

constexpr std::int64_t kDemo = 1'246'848, kLarge = 100'000'000;
BENCHMARK(GramMatrix)
    ->Args({16, kDemo, 100})
    ->Args({256, kDemo, 100})
    ->Args({16, kLarge, 100})
    ->Args({256, kLarge, 100})
    ->Args({256, kLarge, 5})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(GramAndAggregate)
    ->Args({16, kLarge, 100})
    ->Args({256, kLarge, 100})
    ->Args({256, kLarge, 5})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace harambee::exact
