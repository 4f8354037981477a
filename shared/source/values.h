// From the text of a value to the value: what CSV fields and JSON strings share, and the words for
// what is wrong with a value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/plan.pb.h"
#include "shared/base/time.h"

namespace tidemill {

class BatchWriter;

// parse_timestamp with a short cut for UTC times of the day seen last: events come in order of
// time, so nearly all share their date with the one before. Gives what parse_timestamp gives.
class TimestampParser {
 public:
  bool parse(std::string_view text, TimeUs* out);

 private:
  char date_[11] = "1970-01-01";  // as it was written
  TimeUs midnight_ = 0;
};

// Each is false unless all of `text` is such a value and it is in range.
bool parse_bool(std::string_view text, bool* out);      // true false t f 1 0, in any case
bool parse_int64(std::string_view text, int64_t* out);  // decimal, '-' allowed
bool parse_double(std::string_view text, double* out);  // decimal or e notation, nan, inf
bool fits_int32(int64_t value);

// The bytes that the text is of, written over it; `scratch` is kept for its memory. False, and the
// text is as it was, if it is of none.
bool set_bytes(size_t column, std::string_view text, std::string* scratch, BatchWriter* writer);

// The number that the text is, to the digits of the column. False, and the text is no number or has
// more digits before the point.
bool set_decimal(size_t column, std::string_view text, BatchWriter* writer);

// The shortest decimal that reads back as the same double; "nan", "inf".
std::string digits_of(double value);

// "a double", "bytes" and so on.
std::string type_noun(proto::ColumnType type);

// "column 'amount': '12,5' is not a double; write a number such as 12.5".
std::string bad_value(const proto::Field& field, std::string_view text);
// "column 'event_time' is empty; every event needs its time".
std::string missing_event_time(const proto::Field& field);
// "column 'event_time': 2031-01-01T00:00:00Z is after 2030-01-01T00:00:00Z, ...".
std::string too_new(const proto::Field& field, TimeUs time, TimeUs not_after);

}  // namespace tidemill
