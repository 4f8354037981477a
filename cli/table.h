// Table: aligned columns of text for people. Cells may hold any bytes: control characters, which a
// terminal would obey, are shown as '?'. Widths count UTF-8 characters.
#pragma once

#include <string>
#include <vector>

namespace tidemill::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> header);

  void align_right(size_t column);
  // As many cells as the header has.
  void add(std::vector<std::string> row);

  // One line per row, two spaces between columns, no space at the end of a line.
  std::string render() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the first is the header
  std::vector<bool> right_;
};

// 1234567 as "1,234,567".
std::string with_separators(uint64_t number);

}  // namespace tidemill::cli
