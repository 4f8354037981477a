#include "shared/source/record_parser.h"

#include "shared/source/values.h"

namespace tidemill {

size_t RecordParser::parse(const Window& window, BatchWriter* writer) {
  begin_window(window);
  size_t at = 0;
  while (at < window.size && !writer->full()) {
    const void* newline = std::memchr(window.data + at, '\n', window.size - at);
    if (newline == nullptr && !window.at_end) break;
    Extent line;
    line.end = newline == nullptr
                   ? window.size
                   : static_cast<size_t>(static_cast<const char*>(newline) - window.data);
    line.next = newline == nullptr ? window.size : line.end + 1;
    const Extent record = extent(window, at, line);
    if (record.kind == Extent::Kind::kPartial) break;
    const uint64_t offset = window.offset + at;
    size_t size = record.end - at;
    if (size > 0 && window.data[record.end - 1] == '\r') --size;
    const std::string_view text{window.data + at, size};
    if (record.kind == Extent::Kind::kOpenQuote) {
      writer->bad(offset, BadReason::kUnparsable,
                  "a quote is opened and not closed within 1 MB; write a quote inside a quoted "
                  "field twice",
                  text);
    } else if (size > kMaxRecordBytes) {
      writer->bad(offset, BadReason::kOversized, kTooLarge, text);
    } else if (size > 0) {
      parse_record(window.data + at, size, offset, writer);
    }
    at = record.next;
  }
  return at;
}

void RecordParser::parse_message(const Window& message, BatchWriter* writer) {
  begin_window(message);
  parse_record(message.data, message.size, message.offset, writer);
}

std::string refuse_event_time(const proto::Source& source, TimeUs time, TimeUs latest) {
  if (time <= latest) return {};
  return too_new(source.schema(static_cast<int>(source.event_time_field())), time, latest);
}

}  // namespace tidemill
