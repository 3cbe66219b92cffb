#include "hub/hf_list.h"

#include <algorithm>

#include "hub/blob_routes.h"
#include "hub/hf_text.h"

namespace harambee::hub {
namespace {

constexpr std::uint64_t kLimitMax = 1000;
constexpr std::uint64_t kFullLimitMax = 50;  // each with a list of its files

bool wanted(const HfRepo& repo, const HfListQuery& query) {
  if (!query.author.empty() && repo.name.space != query.author) return false;
  if (lower(repo.name.id()).find(query.search) == std::string::npos) return false;
  return std::all_of(query.filters.begin(), query.filters.end(), [&](const std::string& filter) {
    return std::find(repo.labels.begin(), repo.labels.end(), filter) != repo.labels.end();
  });
}

std::int64_t modified_ms(const HfRepo& repo) {
  const HfCommit* head = repo.head();
  return head == nullptr ? repo.created_ms : head->ms;
}

}  // namespace

HfListQuery::HfListQuery(std::string_view query) {
  const FormFields fields = parse_form(query);
  search = lower(value_of(fields, "search"));
  author = value_of(fields, "author");
  for (const char* name : {"filter", "tags", "pipeline_tag", "library"}) {
    for (std::string& value : values_of(fields, name)) filters.push_back(std::move(value));
  }
  sort = value_of(fields, "sort");
  const auto expanded = values_of(fields, "expand");
  full = is_true(value_of(fields, "full")) ||
         std::find(expanded.begin(), expanded.end(), "siblings") != expanded.end();
  const std::uint64_t most = full ? kFullLimitMax : kLimitMax;
  limit = std::min(parse_decimal(value_of(fields, "limit")).value_or(most), most);
  cursor = parse_decimal(value_of(fields, "cursor")).value_or(0);
  for (const auto& [name, value] : fields) {
    if (name == "cursor") continue;
    rest += percent_encode(name) + "=" + percent_encode(value) + "&";
  }
}

std::vector<HfRepo> select(std::vector<HfRepo> all, const HfListQuery& query) {
  std::erase_if(all, [&](const HfRepo& repo) { return !wanted(repo, query); });
  const auto by = [&](auto key) {
    std::stable_sort(all.begin(), all.end(),
                     [&](const HfRepo& a, const HfRepo& b) { return key(a) > key(b); });
  };
  if (query.sort == "createdAt") by([](const HfRepo& repo) { return repo.created_ms; });
  if (query.sort == "lastModified" || query.sort == "last_modified") by(modified_ms);
  return all;
}

}  // namespace harambee::hub
