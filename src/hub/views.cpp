#include "hub/views.h"

#include <algorithm>

#include "fold/explain.h"
#include "fold/recipe.h"
#include "fold/status.h"
#include "hub/view_parts.h"

namespace harambee::hub {

namespace {

// The smallest picture of a run that still says what it is and how it goes.
Json run_card(const Folded& folded, const RecordId& id) {
  const fold::RunState& run = *folded.state.run(id);
  const RunNotes& notes = folded.runs.at(id);
  std::int64_t active = 0;
  for (const fold::Member& member : run.members) active += member.active() ? 1 : 0;
  JsonArray spark;
  for (const std::size_t round : sampled(run.history.size(), kSparkPointsMax)) {
    spark.push_back(number_or_null(run.history[round].loss_nanos));
  }
  return JsonObject{{"active", active},
                    {"changed_ms", notes.changed_ms},
                    {"changed_size", notes.changed_size},
                    {"data", run.data.digest.hex()},
                    {"distributed_micros", run.distributed.micros()},
                    {"id", id.hex()},
                    {"index", run.opened.index},
                    {"loss", losses_json(notes)},
                    {"members", run.members.size()},
                    {"name", run.name},
                    {"opened_ms", notes.opened_ms},
                    {"parameters", notes.parameters},
                    {"parent", parent_json(folded, notes.parent)},
                    {"phase", fold::name(run.phase)},
                    {"round", run.history.size()},
                    {"rounds", run.recipe.rounds},
                    {"spark_nanos", std::move(spark)},
                    {"tokens", notes.sums.empty() ? 0 : notes.sums.back().tokens},
                    {"weights", run.start ? Json(run.weights.hex()) : Json(nullptr)}};
}

// Loss of the weights before each round, over the tokens that had gone into them.
Json series_json(const fold::RunState& run, const RunNotes& notes) {
  JsonArray rounds, losses, tokens, accepted, contributions;
  for (const std::size_t i : sampled(run.history.size(), kSeriesPointsMax)) {
    const fold::ClosedRound& round = run.history[i];
    rounds.push_back(round.number);
    losses.push_back(number_or_null(round.loss_nanos));
    tokens.push_back(i == 0 ? 0 : notes.sums[i - 1].tokens);
    accepted.push_back(accepted_count(round));
    contributions.push_back(round.contributions.size());
  }
  return JsonObject{{"accepted", std::move(accepted)},
                    {"contributions", std::move(contributions)},
                    {"loss_nanos", std::move(losses)},
                    {"round", std::move(rounds)},
                    {"tokens", std::move(tokens)}};
}

Json open_json(const fold::RunState& run) {
  if (run.phase == fold::Phase::waiting_start || run.phase == fold::Phase::finished) return nullptr;
  Json open = fold::open_round_json(run);
  JsonArray awaited;
  for (const fold::Member& member : run.members) {
    if (run.phase != fold::Phase::commit || awaited.size() >= kViewRowsMax) break;
    if (run.expects(member) && !run.has_contributed(member)) awaited.push_back(member.key.hex());
  }
  open.object()->emplace("awaited", std::move(awaited));
  const auto drawn = [](const std::vector<KeyId>& keys) {
    return keys.empty() ? Json(nullptr) : Json(keys.size());
  };
  open.object()->emplace("cohort", drawn(run.round.cohort));
  open.object()->emplace("committee", drawn(run.round.committee));
  open.object()->emplace("scorers", run.scorers().size());
  open.object()->emplace("deadline_ms", number_or_null(run.deadline_ms()));
  open.object()->emplace("number", run.round.number);
  open.object()->emplace("phase_ms", run.round.phase_ms);
  return open;
}

Json start_json(const fold::RunState& run) {
  if (!run.start) return nullptr;
  return JsonObject{{"id", run.start_place.id.hex()},
                    {"index", run.start_place.index},
                    {"loss_first_nanos", run.start->loss_first_nanos},
                    {"loss_last_nanos", run.start->loss_last_nanos},
                    {"tokens", run.start->tokens},
                    {"weights", run.start->checkpoint.digest.hex()}};
}

// The newest contributions that were not accepted, newest first.
Json rejected_json(const fold::RunState& run) {
  JsonArray out;
  std::size_t looked = 0;
  for (auto round = run.history.rbegin(); round != run.history.rend(); ++round) {
    for (const fold::ClosedContribution& one : round->contributions) {
      if (!one.accepted && out.size() < 20) out.push_back(contribution_json(one, round->number));
    }
    if (out.size() >= 20 || ++looked >= 200) break;
  }
  return out;
}

Json excluded_json(const fold::RunState& run) {
  JsonArray out;
  for (const fold::Member& member : run.members) {
    if (!member.excluded || out.size() >= kViewRowsMax) continue;
    out.push_back(JsonObject{{"by", place_json(member.excluded_by)},
                             {"key", member.key.hex()},
                             {"reason", *member.excluded}});
  }
  return out;
}

Json run_activity(const Folded& folded, const RecordId& id) {
  JsonArray out;
  for (auto it = folded.activity.rbegin(); it != folded.activity.rend() && out.size() < 20; ++it) {
    if (it->run == id || it->place.id == id) out.push_back(activity_json(folded, *it));
  }
  return out;
}

Result<const fold::RunState*> find_run(const Folded& folded, std::string_view name) {
  const fold::RunState* run = folded.state.run_named(name);
  if (!run) return fail(ErrorCode::not_found, "no run of that name is on this log");
  return run;
}

Json member_row(const Folded& folded, const fold::RunState& run, const fold::Member& member) {
  Json row = fold::member_json(run, member);
  const auto& sent = folded.runs.at(run.id).bytes_sent;
  const auto it = sent.find(member.key);
  row.object()->emplace("bytes_sent", it == sent.end() ? 0 : it->second);
  const auto credit = run.credits.find(member.key);
  row.object()->emplace("all_credit_micros",
                        credit == run.credits.end() ? 0 : credit->second.micros());
  return row;
}

Json members_page(const Folded& folded, const fold::RunState& run, const ViewPage& page) {
  std::vector<const fold::Member*> order;
  order.reserve(run.members.size());
  for (const fold::Member& member : run.members) order.push_back(&member);
  const std::uint64_t from = std::min<std::uint64_t>(page.from, order.size());
  const std::uint64_t to = std::min<std::uint64_t>(order.size(), from + page.count);
  if (page.by_credit) {
    const auto richer = [](const fold::Member* a, const fold::Member* b) {
      return a->credit != b->credit ? a->credit > b->credit : a->ordinal < b->ordinal;
    };
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(to), order.end(),
                      richer);
  }
  JsonArray rows;
  for (std::uint64_t i = from; i < to; ++i) rows.push_back(member_row(folded, run, *order[i]));
  return page_json(std::move(rows), from, order.size());
}

// What people's roles earned that are no trainers.
Json officials_json(const fold::RunState& run) {
  JsonArray out;
  const auto add = [&](const KeyId& key, const char* role) {
    const auto credit = run.credits.find(key);
    out.push_back(
        JsonObject{{"credit_micros", credit == run.credits.end() ? 0 : credit->second.micros()},
                   {"key", key.hex()},
                   {"role", role}});
  };
  add(run.maintainer, "maintainer");
  add(run.coordinator, "coordinator");
  for (const KeyId& validator : run.validators) add(validator, "validator");
  return out;
}

}  // namespace

Json map_view(const Folded& folded, const ViewPage& page) {
  // The newest runs first: what a newcomer can still join.
  const std::uint64_t total = folded.run_order.size();
  const std::uint64_t from = std::min<std::uint64_t>(page.from, total);
  const std::uint64_t to = std::min<std::uint64_t>(total, from + page.count);
  JsonArray runs;
  for (std::uint64_t i = from; i < to; ++i) {
    runs.push_back(run_card(folded, folded.run_order[total - 1 - i]));
  }
  JsonArray activity;
  for (auto it = folded.activity.rbegin(); it != folded.activity.rend() && activity.size() < 20;
       ++it) {
    activity.push_back(activity_json(folded, *it));
  }
  return JsonObject{{"activity", std::move(activity)},
                    {"at", at_view(folded)},
                    {"authors", folded.state.authors.size()},
                    {"runs", page_json(std::move(runs), from, total)}};
}

Result<Json> run_view(const Folded& folded, std::string_view name) {
  auto found = find_run(folded, name);
  if (!found) return found.error();
  const fold::RunState& run = **found;
  const RunNotes& notes = folded.runs.at(run.id);
  Json out = run_card(folded, run.id);
  JsonObject& view = *out.object();
  ViewPage first;
  first.by_credit = true;
  const RoundSums sums = notes.sums.empty() ? RoundSums() : notes.sums.back();
  view.erase("spark_nanos");
  view.insert_or_assign("members", members_page(folded, run, first));
  view.emplace("activity", run_activity(folded, run.id));
  view.emplace("at", at_view(folded));
  view.emplace("audits", audits_json(run));
  view.emplace("baselines", fold::baselines_json(run));
  view.emplace("bytes_down", sums.bytes_down);
  view.emplace("bytes_up", sums.bytes_up);
  view.emplace("checkpoint", run.checkpoint ? Json(JsonObject{{"blob", blob_json(*run.checkpoint)},
                                                              {"round", run.checkpoint_round}})
                                            : Json(nullptr));
  view.insert_or_assign("data", blob_json(run.data));
  view.emplace("excluded", excluded_json(run));
  view.emplace("forfeited_micros", run.forfeited.micros());
  view.emplace("liars", liars_json(run));
  view.emplace("officials", officials_json(run));
  view.emplace("open", open_json(run));
  view.emplace("recipe", fold::to_json(run.recipe));
  view.emplace("refusals", refusals_json(run));
  view.emplace("refusals_count", run.refusals_count);
  view.emplace("rejected", rejected_json(run));
  view.emplace("series", series_json(run, notes));
  view.emplace("start", start_json(run));
  return out;
}

Result<Json> members_view(const Folded& folded, std::string_view name, const ViewPage& page) {
  auto run = find_run(folded, name);
  if (!run) return run.error();
  return Json(JsonObject{{"at", at_view(folded)}, {"members", members_page(folded, **run, page)}});
}

Result<Json> rounds_view(const Folded& folded, std::string_view name, const ViewPage& page) {
  auto run = find_run(folded, name);
  if (!run) return run.error();
  const auto& history = (*run)->history;
  const std::uint64_t from = std::min<std::uint64_t>(page.from, history.size());
  const std::uint64_t to = std::min<std::uint64_t>(history.size(), from + page.count);
  JsonArray rows;  // the newest first
  for (std::uint64_t i = from; i < to; ++i) {
    rows.push_back(fold::closed_json(**run, history[history.size() - 1 - i]));
  }
  return Json(JsonObject{{"at", at_view(folded)},
                         {"rounds", page_json(std::move(rows), from, history.size())}});
}

Result<Json> round_view(const Folded& folded, std::string_view name, std::int64_t number) {
  auto found = find_run(folded, name);
  if (!found) return found.error();
  const fold::RunState& run = **found;
  auto explanation = fold::explain_round(run, number);
  if (!explanation) return explanation.error();
  Json closed = nullptr;
  JsonArray contributions;
  if (number < static_cast<std::int64_t>(run.history.size())) {
    const fold::ClosedRound& round = run.history[static_cast<std::size_t>(number)];
    closed = fold::closed_json(run, round);
    for (const auto& one : round.contributions) {
      contributions.push_back(contribution_json(one, number));
    }
  }
  return Json(JsonObject{{"at", at_view(folded)},
                         {"closed", std::move(closed)},
                         {"contributions", std::move(contributions)},
                         {"domains", JsonArray(run.guarded().begin(), run.guarded().end())},
                         {"explanation", explanation_json(*std::move(explanation))},
                         {"name", run.name},
                         {"open", closed.is_null() ? open_json(run) : Json(nullptr)},
                         {"round", number}});
}

Result<Json> member_view(const Folded& folded, std::string_view name, const KeyId& key) {
  auto found = find_run(folded, name);
  if (!found) return found.error();
  const fold::RunState& run = **found;
  auto explanation = fold::explain_peer(run, key);
  if (!explanation) return explanation.error();
  const fold::Member* member = run.member(key);
  return Json(JsonObject{{"at", at_view(folded)},
                         {"audits", audits_of_json(run, key)},
                         {"explanation", explanation_json(*std::move(explanation))},
                         {"key", key.hex()},
                         {"member", member ? member_row(folded, run, *member) : Json(nullptr)},
                         {"name", run.name}});
}

Result<Json> peer_view(const Folded& folded, const KeyId& key) {
  const fold::Author* author = folded.state.author(key);
  if (!author) return fail(ErrorCode::not_found, "nobody with that key has written to this log");
  JsonArray runs;
  for (auto id = folded.run_order.rbegin(); id != folded.run_order.rend(); ++id) {
    const fold::RunState& run = *folded.state.run(*id);
    const auto credit = run.credits.find(key);
    const fold::Member* member = run.member(key);
    const bool official = key == run.maintainer || key == run.coordinator || run.is_validator(key);
    if (!member && !official) continue;
    runs.push_back(
        JsonObject{{"coordinator", key == run.coordinator},
                   {"credit_micros", credit == run.credits.end() ? 0 : credit->second.micros()},
                   {"maintainer", key == run.maintainer},
                   {"member", member ? member_row(folded, run, *member) : Json(nullptr)},
                   {"name", run.name},
                   {"validator", run.is_validator(key)}});
    if (runs.size() >= kViewRowsMax) break;
  }
  JsonArray activity;
  for (auto it = folded.activity.rbegin(); it != folded.activity.rend() && activity.size() < 20;
       ++it) {
    if (it->author == key) activity.push_back(activity_json(folded, *it));
  }
  return Json(JsonObject{{"activity", std::move(activity)},
                         {"at", at_view(folded)},
                         {"hub", key == folded.state.hub},
                         {"key", key.hex()},
                         {"public_key", hex(author->key.bytes)},
                         {"records", author->next_seq},
                         {"runs", std::move(runs)}});
}

}  // namespace harambee::hub
