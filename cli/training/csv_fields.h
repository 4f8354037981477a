// Fields of a CSV record (RFC 4180), as spines and training sets have them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tidemill::training {

struct CsvField {
  std::string text;
  bool quoted = false;  // "" is the empty string, nothing at all null

  bool is_null() const { return text.empty() && !quoted; }
};

// Of a record without its line end. The vector is kept for its memory.
void split_record(std::string_view record, std::vector<CsvField>* fields);

// In quotes where it has to be, and if it is empty.
void append_field(std::string_view text, std::string* out);

}  // namespace tidemill::training
