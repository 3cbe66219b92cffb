// GET /api/models and /api/datasets: which repositories, in which order, which page. Only for
// hub/hf_*.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hub/hf_catalog.h"

namespace harambee::hub {

struct HfListQuery {
  explicit HfListQuery(std::string_view query);

  std::string search;                // part of the id, in any case
  std::string author;                // the namespace
  std::vector<std::string> filters;  // labels that must all be there
  std::string sort;                  // createdAt, lastModified; others: in log order
  std::uint64_t limit = 0;
  std::uint64_t cursor = 0;  // how many to skip
  bool full = false;         // with files
  std::string rest;          // the query without its cursor, for the next page
};

// Of `all`, those that the query wants, in its order; the page is not cut yet.
[[nodiscard]] std::vector<HfRepo> select(std::vector<HfRepo> all, const HfListQuery& query);

}  // namespace harambee::hub
