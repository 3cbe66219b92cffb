// How fast a log can be audited: records, hashes, Merkle nodes, per core.
#include <benchmark/benchmark.h>

#include "base/encoding.h"
#include "base/json.h"
#include "log/merkle.h"
#include "record/build.h"
#include "record/record.h"

namespace {

using namespace harambee;

SecretKey author() { return SecretKey::from_seed({1}); }

// A contribution as volunteers post it.
Bytes contribution() {
  const SecretKey key = author();
  const std::string digest = sha256(view("some bytes")).hex();
  Payload payload;
  payload.log = "log.example/harambee";
  payload.kind = "contribution";
  payload.author = key.id();
  payload.seq = 17;
  payload.prev = payload.run = sha256(view("other bytes"));
  payload.round = 12;
  payload.body = JsonObject{{"base", digest},
                            {"class", "exact-1"},
                            {"ef", JsonArray{digest, digest}},
                            {"loss", JsonArray{2'345'678'901, 2'245'678'901}},
                            {"opt", JsonArray{digest, digest}},
                            {"steps", 5},
                            {"tokens", 2560}};
  payload.blobs = {{sha256(view("delta")), 123'456, "application/vnd.harambee.delta.v1"}};
  return *sign_record(payload, key);
}

void parse_record(benchmark::State& state) {
  const Bytes bytes = contribution();
  for (auto _ : state) benchmark::DoNotOptimize(parse_envelope(bytes));
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes"] = static_cast<double>(bytes.size());
}
BENCHMARK(parse_record);

// Bytes → Record, as an auditor does it for each entry.
void verify_record(benchmark::State& state) {
  const Bytes bytes = contribution();
  const PublicKey key = author().public_key();
  for (auto _ : state) {
    auto record = parse_envelope(bytes);
    auto verified = (*std::move(record)).verify(key);
    if (!verified) state.SkipWithError("the record does not verify");
    benchmark::DoNotOptimize(verified);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(verify_record);

void sign_contribution(benchmark::State& state) {
  const SecretKey key = author();
  const Payload payload = parse_envelope(contribution())->payload();
  for (auto _ : state) benchmark::DoNotOptimize(sign_record(payload, key));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(sign_contribution);

void ed25519_verify(benchmark::State& state) {
  const SecretKey key = author();
  const Bytes message(1000, 7);
  const Signature signature = key.sign(message);
  for (auto _ : state) benchmark::DoNotOptimize(verify(key.public_key(), message, signature));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(ed25519_verify);

void sha256_bytes(benchmark::State& state) {
  const Bytes bytes(static_cast<std::size_t>(state.range(0)), 7);
  for (auto _ : state) benchmark::DoNotOptimize(sha256(bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(sha256_bytes)->Arg(1 << 10)->Arg(1 << 20);

void merkle_node(benchmark::State& state) {
  Digest left = sha256(view("left"));
  const Digest right = sha256(view("right"));
  for (auto _ : state) left = log::node_hash(left, right);
  benchmark::DoNotOptimize(left);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(merkle_node);

void frontier_append(benchmark::State& state) {
  const Digest leaf = sha256(view("leaf"));
  log::Frontier frontier;
  for (auto _ : state) frontier.append(leaf);
  benchmark::DoNotOptimize(frontier);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(frontier_append);

void base64_decode(benchmark::State& state) {
  const std::string text = base64(Bytes(1 << 14, 0xa5));
  for (auto _ : state) benchmark::DoNotOptimize(from_base64(text));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(base64_decode);

}  // namespace
