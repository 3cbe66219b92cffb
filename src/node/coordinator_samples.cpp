#include "node/coordinator_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "store/file.h"

namespace harambee::node {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLookMs = 100;  // between two looks at a text that is waited for
constexpr std::size_t kNumberBytesMax = 20;

TrainerOptions trainer_options(const Session& session) {
  TrainerOptions trainer;
  trainer.argv = session.options().trainer;
  trainer.dir = session.work("sampler");
  trainer.threads = 1;  // whoever trains on this machine too shall hardly feel it
  trainer.stall_ms = session.options().stall_ms;
  return trainer;
}

fs::path marker(const Session& session) { return session.options().dir / "sampled"; }

std::int64_t read_marker(const Session& session) {
  const auto bytes = store::read_file(marker(session).string(), kNumberBytesMax);
  std::int64_t round = -1;
  if (!bytes) return round;
  const std::string_view digits = text(*bytes);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), round);
  return error == std::errc() && end == digits.data() + digits.size() ? round : -1;
}

}  // namespace

CoordinatorSamples::CoordinatorSamples(Session& session, SampleRule rule)
    : session_(session),
      sampler_(std::move(rule), trainer_options(session), session.run().recipe.model),
      newest_(read_marker(session)) {}

// The oldest of those whose weights are here; whoever is slow leaves some out.
std::optional<std::int64_t> CoordinatorSamples::due() const {
  const fold::RunState& run = session_.run();
  if (!run.start || !able_) return std::nullopt;
  const auto now = static_cast<std::int64_t>(run.history.size());
  const auto kept = static_cast<std::int64_t>(ModelCopy::kKept);
  const std::int64_t oldest = std::max({newest_ + 1, now - kept, std::int64_t{0}});
  for (std::int64_t round = oldest; round <= now; ++round) {
    if (!sample_is_due(sampler_.rule(), run.recipe, round)) continue;
    if (round == now || session_.model().has(*fold::weights_after(run, round))) return round;
  }
  return std::nullopt;
}

Status CoordinatorSamples::begin(std::int64_t round) {
  const fold::RunState& run = session_.run();
  const Digest weights = *fold::weights_after(run, round);
  if (!session_.model().has(weights)) {
    const auto there = session_.model().catch_up(run);
    if (!there) return there.error();
  }
  // A name of its own: the model copy deletes what is no longer the newest.
  const fs::path file = session_.work("sample.safetensors");
  if (Status made = store::make_folders(file.parent_path().string()); !made) return made;
  std::error_code error;
  fs::remove(file, error);
  fs::create_hard_link(session_.model().path(weights), file, error);
  if (error) fs::copy_file(session_.model().path(weights), file, error);
  if (error) return fail(ErrorCode::io, file.string() + ": " + error.message());
  sampler_.begin(run.id, round, weights, file);
  return ok();
}

// COMMIT POINT: the record. Whoever dies before the marker is written says it twice, which is
// harmless.
Status CoordinatorSamples::post(const fold::Sample& sample) {
  const auto posted = session_.publisher().post(fold::write(sample));
  if (!posted && posted.error().code != ErrorCode::refused) return posted.error();
  newest_ = std::max(newest_, sample.round);
  if (!posted) {
    session_.tell(Event::Kind::note, posted.error().message);
    return ok();
  }
  session_.tell(Event::Kind::note, fmt::format("what the model writes after {} round{} is logged",
                                               sample.round, sample.round == 1 ? "" : "s"));
  return store::write_file_atomic(marker(session_).string(), view(std::to_string(sample.round)));
}

void CoordinatorSamples::give_up(const std::string& why) {
  able_ = false;
  session_.tell(Event::Kind::note, "no samples of the model's text: " + why);
}

Status CoordinatorSamples::step() {
  if (const auto made = sampler_.take(0)) {
    if (*made) return post(**made);
    if (made->error().code != ErrorCode::cancelled) give_up(made->error().message);
  }
  if (sampler_.busy()) return ok();
  const auto round = due();
  return round ? begin(*round) : ok();
}

Result<bool> CoordinatorSamples::finish() {
  for (;;) {
    if (Status stepped = step(); !stepped) return stepped.error();
    if (!sampler_.busy() && !due()) return true;
    if (!session_.clock().wait_ms(kLookMs)) return false;
  }
}

}  // namespace harambee::node
