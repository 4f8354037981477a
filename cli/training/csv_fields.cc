#include "cli/training/csv_fields.h"

namespace tidemill::training {

void split_record(std::string_view record, std::vector<CsvField>* fields) {
  size_t count = 0;
  const auto begin_field = [&]() -> CsvField* {
    if (count == fields->size()) fields->emplace_back();
    CsvField* const field = &(*fields)[count++];
    field->text.clear();
    field->quoted = false;
    return field;
  };
  CsvField* field = begin_field();
  bool within = false;
  for (size_t i = 0; i < record.size(); ++i) {
    const char c = record[i];
    const bool doubled = c == '"' && within && i + 1 < record.size() && record[i + 1] == '"';
    if (doubled) ++i;
    if (c == '"' && !doubled) {
      within = !within;
      field->quoted = true;
    } else if (c == ',' && !within) {
      field = begin_field();
    } else {
      field->text += c;
    }
  }
  fields->resize(count);
}

void append_field(std::string_view text, std::string* out) {
  if (!text.empty() && text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out->append(text);
    return;
  }
  out->push_back('"');
  for (const char c : text) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

}  // namespace tidemill::training
