// Which cells a table has, and the table.
#pragma once

#include <string>
#include <vector>

#include "bench/attacks/experiment.h"

namespace harambee::attack_bench {

struct Options {
  Plan plan;
  bool json = false, quick = false, list = false;
  bool iid = true, skewed = true;
  std::vector<std::string> rules, attacks;  // empty: all
  std::vector<std::uint32_t> fractions{0, 10, 25, 40};
  unsigned threads = 1;
  std::string text = ".";
};

struct Row {
  Cell cell;
  Outcome outcome;
};

// The few cells of --quick: they take less than a minute of one processor.
void choose_quick(Options& options);
// The plain mean without attackers first, of each kind of data; then all others. invalid: an
// unknown name.
[[nodiscard]] Result<std::vector<Cell>> cells_of(const Options& options);

[[nodiscard]] std::string line_of(const Row& row);
[[nodiscard]] std::string markdown_of(const Options& options, const std::vector<Row>& rows);
[[nodiscard]] std::string json_of(const Options& options, const std::vector<Row>& rows);
// 0 if --quick's cells are as promised, else 1 and the reasons on stderr.
[[nodiscard]] int check_quick(const std::vector<Row>& rows);

}  // namespace harambee::attack_bench
