// TransactionWriter: the records of a generator as text. A file of them, read by a source, gives
// the events that the generator's own cursor gives; a malformed record is text that is refused.
#pragma once

#include <string>

#include "shared/source/transaction_generator.h"

namespace tidemill {

// format_timestamp with a short cut for times of the day seen last.
class TimestampWriter {
 public:
  void append(TimeUs time, std::string* out);

 private:
  std::string date_ = "1970-01-01T";
  TimeUs midnight_ = 0;
};

class TransactionWriter {
 public:
  // The generator must outlive the writer.
  explicit TransactionWriter(const TransactionGenerator& generator) : generator_(generator) {}

  // The first line of a CSV file.
  static std::string csv_header();

  // Each appends the record at `offset` and a newline.
  void append_csv(uint64_t offset, std::string* out);
  void append_json(uint64_t offset, std::string* out);

 private:
  const TransactionGenerator& generator_;
  TimestampWriter times_;
};

}  // namespace tidemill
