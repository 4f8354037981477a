// FileCursor: the records of one file, in order, from a byte offset. The file is read to the end
// it has; a last line without a newline is a record. Text is read straight into the batch, in which
// the strings of the events then point.
// Failure: a file that is missing, unreadable, or shorter than the offset fails loudly.
#pragma once

#include <memory>
#include <string>

#include "shared/source/record_parser.h"
#include "shared/source/source_cursor.h"

namespace tidemill {

class FileCursor : public SourceCursor {
 public:
  static Result<std::unique_ptr<SourceCursor>> open(const proto::Source& source,
                                                    const std::string& path, uint64_t offset);
  ~FileCursor() override;
  FileCursor(const FileCursor&) = delete;
  FileCursor& operator=(const FileCursor&) = delete;

  Status read(size_t max_records, size_t max_bytes, EventBatch* batch) override;

 private:
  FileCursor(const proto::Source& source, std::string path, int fd)
      : source_(source), path_(std::move(path)), fd_(fd) {}

  Status start(uint64_t offset);
  Status start_csv(uint64_t size);
  // The file's size now; an error if it is shorter than the offset.
  Result<uint64_t> current_size() const;
  // Exactly `bytes` at `offset` into `to`.
  Status read_at(uint64_t offset, char* to, size_t bytes) const;
  // Reads and parses a window of up to `window` bytes at the offset; adds what was consumed.
  Result<size_t> read_window(size_t window, uint64_t size, size_t max_records, BatchWriter* writer,
                             std::string* text);
  // The record at the offset is too large: makes it a bad one and goes behind its newline.
  Status skip_record(uint64_t size, BatchWriter* writer, std::string* text);

  proto::Source source_;
  std::string path_;
  int fd_;
  uint64_t offset_ = 0;        // of the next record
  uint64_t header_bytes_ = 0;  // of a CSV file: its first record is behind them
  std::unique_ptr<RecordParser> parser_;
  size_t record_bytes_ = 160;  // of a typical record, to read no more than is asked for
};

}  // namespace tidemill
