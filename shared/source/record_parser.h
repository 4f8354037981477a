// RecordParser: from the text of a file to events. Splits a window of the file into records and
// gives each to the format. Where a record ends depends on the file's bytes alone, never on how
// the file was read: so any read size gives the same events at the same offsets.
//
// A record ends at a newline ("\n" or "\r\n"), or at the end of the file; empty lines are none.
// A record above kMaxRecordBytes is bad and ends at its first newline.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/source/batch_writer.h"
#include "shared/source/message_parser.h"

namespace tidemill {

// So many bytes of a record decide whether it is too large.
inline constexpr size_t kDecidingBytes = kMaxRecordBytes + 2;
inline constexpr char kTooLarge[] =
    "the record is larger than 1 MB; end each record with a newline";

class RecordParser : public MessageParser {
 public:
  // Adds the records of `window` to `writer` until that is full. Returns the bytes consumed: whole
  // records only.
  size_t parse(const Window& window, BatchWriter* writer);
  // Whatever newlines the message holds. A record it is as in a file, but for a newline at its end,
  // which may be missing or there.
  void parse_message(const Window& message, BatchWriter* writer) override;

 protected:
  // A record's text: without its newline, and the position behind it.
  struct Extent {
    enum class Kind { kRecord, kPartial, kOpenQuote };
    Kind kind = Kind::kRecord;
    size_t end = 0;
    size_t next = 0;
  };

  // Called before the records of a window are parsed.
  virtual void begin_window(const Window& window) = 0;
  // The extent of the record at `begin`, whose first line is `line`. Only a format whose newlines
  // may be inside a value changes it.
  virtual Extent extent(const Window& window, size_t begin, Extent line) { return line; }
  // Adds the event of a record, or a bad record.
  virtual void parse_record(char* begin, size_t size, uint64_t offset, BatchWriter* writer) = 0;
};

// A parser for a CSV file whose first record is the header; the header's bytes go to
// `*header_bytes`. `head` holds the start of the file: kDecidingBytes of it, or all.
Result<std::unique_ptr<RecordParser>> make_csv_parser(const proto::Source& source,
                                                      std::string_view head,
                                                      uint64_t* header_bytes);
Result<std::unique_ptr<RecordParser>> make_ndjson_parser(const proto::Source& source);
// A parser for messages that are one CSV record each, without a header: their fields are the
// columns `fields` of the schema, in this order; all of them if it is empty.
Result<std::unique_ptr<RecordParser>> make_csv_message_parser(
    const proto::Source& source, const google::protobuf::RepeatedField<uint32_t>& fields);

// "" or why the event whose time is `time`, which may be `latest` at most, is no event of `source`.
std::string refuse_event_time(const proto::Source& source, TimeUs time, TimeUs latest);

}  // namespace tidemill
