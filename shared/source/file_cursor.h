// FileCursor: the records of one file, in order, from an offset of its text. Text is read straight
// into the batch, in which the strings of the events then point.
//
// A file is read to the end it has; a last line without a newline is a record. One that is followed
// may grow: its last line is no record before its newline is there, and it is finished once it was
// renamed away, or removed, and nothing was done to it for the source's idle_after. It is looked at
// after that as well, if it is asked for, and goes on if it grew. One found compressed is complete.
//
// Failure: a file that is missing or cannot be read is kUser; one that shrank, was written anew, or
// is another one than before is kSourceChanged.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "shared/source/file_identity.h"
#include "shared/source/record_parser.h"
#include "shared/source/source_cursor.h"

namespace tidemill {

class FileCursor : public SourceCursor {
 public:
  static Result<std::unique_ptr<SourceCursor>> open(const proto::Source& source, uint32_t index,
                                                    uint64_t offset, const RecordIdentity& last);

  Status read(size_t max_records, size_t max_bytes, EventBatch* batch) override;
  std::string record_bytes(const EventBatch& batch, size_t row, uint64_t* size) override;
  LogInfo info() const override;
  void set_wall_time(TimeUs now) override { now_ = now; }

 private:
  FileCursor(const proto::Source& source, std::string path, FoundFile file)
      : source_(source),
        path_(std::move(path)),
        text_(std::move(file.text)),
        moved_(file.moved),
        grows_(source.files().follow() && !is_complete()) {}

  // What is compressed is not written any more.
  bool is_complete() const;
  Status start(uint64_t offset, const RecordIdentity& last);
  Status check_last(const RecordIdentity& last);
  // Leaves parser_ empty if the header of a CSV file that grows is not complete, or it never had
  // any.
  Status make_parser();
  // Looks at the file anew; an error if it is not the one that was read so far.
  Status look();
  Status check_growth();
  // Whether a file that grows has been rotated away and left alone.
  bool is_settled() const;
  // No whole record is behind the offset now.
  bool at_end() const;
  // Behind which a read at the offset takes no text.
  uint64_t read_end() const { return std::min(text_->end(), limit_); }

  Status read_batch(size_t max_records, size_t max_bytes, EventBatch* batch);
  // Exactly `bytes` at `offset`.
  Status read_at(uint64_t offset, char* to, size_t bytes);
  Status read_records(size_t max_records, size_t max_bytes, BatchWriter* writer, std::string* text);
  // Reads and parses a window of up to `window` bytes at the offset; adds what was consumed.
  Result<size_t> read_window(size_t window, size_t max_records, BatchWriter* writer,
                             std::string* text);
  // The record at the offset is too large: makes it a bad one and goes behind its newline.
  Status skip_record(BatchWriter* writer, std::string* text);
  // Keeps how the last record of the batch begins.
  Status note_last(EventBatch* batch);

  Error changed(const std::string& what) const;
  Error shrank(uint64_t size) const;

  proto::Source source_;
  std::string path_;  // in the plan
  std::unique_ptr<FileText> text_;
  bool moved_;  // when it was opened, it was not at its path
  bool grows_;
  TimeUs now_ = kMinTime;      // not known
  bool final_ = false;         // the text gets no longer, as of the read
  uint64_t offset_ = 0;        // of the next record
  uint64_t limit_ = kNoEnd;    // of the read under way
  uint64_t header_bytes_ = 0;  // of a CSV file: its first record is behind them
  uint64_t end_seen_ = 0;      // of the text when it was last looked at
  uint64_t stalled_end_ = 0;   // up to here there is no whole record behind the offset
  uint64_t searched_ = 0;      // nor, if the record is too large, a newline before this
  std::unique_ptr<RecordParser> parser_;
  size_t record_bytes_ = 160;  // of a typical record, to read no more than is asked for
  // The last record before the offset: where it begins, and how. Empty: not known, or none.
  uint64_t last_begin_ = 0;
  std::string last_head_;
};

}  // namespace tidemill
