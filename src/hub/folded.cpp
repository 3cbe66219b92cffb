#include "hub/folded.h"

#include <algorithm>

#include "format/model.h"

namespace harambee::hub {

namespace {

// What a tick or a record can move in a run.
struct Stage {
  fold::Phase phase = fold::Phase::waiting_start;
  std::size_t rounds = 0;
  bool operator==(const Stage&) const = default;
};

Stage stage(const fold::RunState& run) { return {run.phase, run.history.size()}; }

void touch(Folded& folded, const RecordId& id) {
  RunNotes& notes = folded.runs[id];
  notes.changed_size = folded.size();
  notes.changed_ms = folded.state.now_ms();
}

void note_opened(Folded& folded, const RecordId& id) {
  folded.run_order.push_back(id);
  RunNotes& notes = folded.runs[id];
  notes.opened_ms = folded.state.now_ms();
  const auto layout = format::ModelLayout::make(folded.state.run(id)->recipe.model);
  if (layout) notes.parameters = layout->parameters();
  touch(folded, id);
}

void note_closed(Folded& folded, const fold::RunState& run) {
  RunNotes& notes = folded.runs[run.id];
  const fold::ClosedRound& round = run.history.back();
  RoundSums sums = notes.sums.empty() ? RoundSums() : notes.sums.back();
  for (const fold::ClosedContribution& one : round.contributions) {
    if (one.accepted) sums.tokens += one.tokens;
    sums.bytes_up += static_cast<std::int64_t>(one.delta.size);
    notes.bytes_sent[one.author] += static_cast<std::int64_t>(one.delta.size);
  }
  if (round.update) sums.bytes_down += static_cast<std::int64_t>(round.update->size);
  notes.sums.push_back(sums);
  if (round.loss_nanos) {
    if (!notes.loss_first) notes.loss_first = round.loss_nanos;
    notes.loss_best = std::min(notes.loss_best.value_or(*round.loss_nanos), *round.loss_nanos);
    if (!round.voided) notes.loss_last = round.loss_nanos;
  }
}

void note_sample(RunNotes& notes, const SampleNote& note) {
  const auto at = std::ranges::lower_bound(notes.samples, note.round, {}, &SampleNote::round);
  if (at != notes.samples.end() && at->round == note.round) return;
  notes.samples.insert(at, note);
}

void note_run_record(Folded& folded, const RecordId& id, const Stage& before) {
  const fold::RunState& run = *folded.state.run(id);
  if (before.phase == fold::Phase::waiting_start && run.phase != fold::Phase::waiting_start) {
    folded.runs[id].parent = fold::parent_of(folded.state, run);
  }
  if (run.history.size() > before.rounds) note_closed(folded, run);
  touch(folded, id);
}

void remember(Folded& folded, const Record& record, const std::string& reason) {
  const Payload& payload = record.payload();
  folded.activity.push_back({{folded.size() - 1, record.id()},
                             payload.kind,
                             payload.author,
                             payload.run,
                             payload.round,
                             folded.state.now_ms(),
                             reason});
  if (folded.activity.size() > kActivityKept) folded.activity.pop_front();
}

fold::Outcome fold_tick(Folded& folded, const Record& record) {
  std::vector<Stage> before;
  before.reserve(folded.run_order.size());
  for (const RecordId& id : folded.run_order) before.push_back(stage(*folded.state.run(id)));
  fold::Outcome outcome = fold::apply(folded.state, folded.size(), record);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const RecordId& id = folded.run_order[i];
    if (stage(*folded.state.run(id)) != before[i]) touch(folded, id);
  }
  return outcome;
}

}  // namespace

fold::Outcome fold_entry(Folded& folded, const Record& record) {
  const Payload& payload = record.payload();
  if (payload.kind == "tick") return fold_tick(folded, record);
  const fold::RunState* run = payload.run ? folded.state.run(*payload.run) : nullptr;
  const Stage before = run ? stage(*run) : Stage();
  fold::Outcome outcome = fold::apply(folded.state, folded.size(), record);
  if (outcome.effect == fold::Effect::corrupt) return outcome;
  if (fold::is_repo_kind(payload.kind)) {
    outcome =
        fold::apply(folded.repos, {folded.size() - 1, record.id()}, folded.state.now_ms(), payload);
  }
  if (run) note_run_record(folded, *payload.run, before);
  if (run && payload.kind == "sample" && outcome.effect == fold::Effect::applied) {
    note_sample(folded.runs[*payload.run],
                {*payload.round, {folded.size() - 1, record.id()}, payload.author});
  }
  if (payload.kind == "run" && folded.state.run(record.id())) note_opened(folded, record.id());
  remember(folded, record, outcome.reason);
  return outcome;
}

}  // namespace harambee::hub
