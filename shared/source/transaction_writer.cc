#include "shared/source/transaction_writer.h"

#include <charconv>

namespace tidemill {
namespace {

void append_number(int64_t value, std::string* out) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out->append(digits, static_cast<size_t>(end - digits));
}

// `value` in exactly `width` digits.
void append_padded(int64_t value, size_t width, std::string* out) {
  out->resize(out->size() + width);
  for (size_t i = 1; i <= width; ++i) {
    (*out)[out->size() - i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

void append_amount(int64_t cents, std::string* out) {
  append_number(cents / 100, out);
  out->push_back('.');
  append_padded(cents % 100, 2, out);
}

}  // namespace

void TimestampWriter::append(TimeUs time, std::string* out) {
  if (time < midnight_ || time - midnight_ >= kMicrosPerDay) {
    const int64_t into_day = time % kMicrosPerDay;
    midnight_ = time - into_day - (into_day < 0 ? kMicrosPerDay : 0);
    date_ = format_timestamp(midnight_).substr(0, date_.size());
  }
  const int64_t us = time - midnight_;
  const int64_t fraction = us % kMicrosPerSecond;
  const int64_t seconds = us / kMicrosPerSecond;
  out->append(date_);
  append_padded(seconds / 3600, 2, out);
  out->push_back(':');
  append_padded(seconds / 60 % 60, 2, out);
  out->push_back(':');
  append_padded(seconds % 60, 2, out);
  if (fraction != 0) {
    out->push_back('.');
    const bool millis = fraction % 1000 == 0;
    append_padded(millis ? fraction / 1000 : fraction, millis ? 3 : 6, out);
  }
  out->push_back('Z');
}

std::string TransactionWriter::csv_header() {
  std::string line;
  for (const proto::Field& field : transaction_schema()) {
    line += (line.empty() ? "" : ",") + field.name();
  }
  return line + "\n";
}

void TransactionWriter::append_csv(uint64_t offset, std::string* out) {
  const Transaction t = generator_.at(offset);
  append_number(t.transaction_id, out);
  if (generator_.malformed(offset)) {
    // A bad time, a record that was cut off, or one with a field too many.
    constexpr const char* kBad[] = {",2018-02-30T25:00:00Z,1,1,1.00,false\n", ",2018-04\n",
                                    ",2018-04-01T00:00:00Z,1,1,1.00,false,?\n"};
    out->append(kBad[t.transaction_id % 3]);
    return;
  }
  out->push_back(',');
  times_.append(t.event_time, out);
  out->push_back(',');
  append_number(static_cast<int64_t>(t.customer), out);
  out->push_back(',');
  append_number(static_cast<int64_t>(t.terminal), out);
  out->push_back(',');
  append_amount(t.amount_cents, out);
  out->append(t.is_fraud ? ",true\n" : ",false\n");
}

void TransactionWriter::append_json(uint64_t offset, std::string* out) {
  const Transaction t = generator_.at(offset);
  out->append("{\"transaction_id\":");
  append_number(t.transaction_id, out);
  if (generator_.malformed(offset)) {
    // A bad time, a record that was cut off, or one with a brace too many.
    constexpr const char* kBad[] = {",\"event_time\":\"2018-02-30T25:00:00Z\",\"amount\":1}\n",
                                    ",\"event_time\":\"2018-04\n",
                                    ",\"event_time\":\"2018-04-01T00:00:00Z\"}}\n"};
    out->append(kBad[t.transaction_id % 3]);
    return;
  }
  out->append(",\"event_time\":\"");
  times_.append(t.event_time, out);
  out->append("\",\"customer_id\":\"");
  append_number(static_cast<int64_t>(t.customer), out);
  out->append("\",\"terminal_id\":\"");
  append_number(static_cast<int64_t>(t.terminal), out);
  out->append("\",\"amount\":");
  append_amount(t.amount_cents, out);
  out->append(t.is_fraud ? ",\"is_fraud\":true}\n" : ",\"is_fraud\":false}\n");
}

}  // namespace tidemill
