// ParquetFileCursor: the rows of a Parquet file. The offset of a row is its number in the file,
// from 0. Only the columns of the source's schema are read, found by name; what they are read as is
// in docs/formats/parquet.md.
//
// Failure: as FileCursor. A file that is cut off, or in which a row group is damaged, stands still
// there and is tried again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "shared/parquet/parquet_file.h"
#include "shared/source/batch_writer.h"
#include "shared/source/file_identity.h"
#include "shared/source/nested_columns.h"
#include "shared/source/source_cursor.h"
#include "shared/source/values.h"

namespace tidemill {

class ParquetFileCursor : public SourceCursor {
 public:
  static Result<std::unique_ptr<SourceCursor>> open(const proto::Source& source, uint32_t index,
                                                    uint64_t offset, const RecordIdentity& last);

  // The source's first file, from its start, with all of its columns.
  static Result<std::unique_ptr<ParquetFileCursor>> open_all(const proto::Source& source);
  // The same with the columns of the source's schema alone.
  static Result<std::unique_ptr<ParquetFileCursor>> open_first(const proto::Source& source);

  Status read(size_t max_records, size_t max_bytes, EventBatch* batch) override;
  // The columns that were read, as a JSON object: a row is in no one place of the file.
  std::string record_bytes(const EventBatch& batch, size_t row, uint64_t* size) override;
  LogInfo info() const override;

  const ParquetReader& reader() const { return *reader_; }
  // The rows that were read last, those that are no events among them.
  const std::shared_ptr<const ParquetRows>& whole() const { return rows_.whole; }
  // About so many bytes of the file are those of the rows before `offset`.
  uint64_t bytes_before(uint64_t offset) const;

 private:
  ParquetFileCursor(const proto::Source& source, std::string path, bool all)
      : source_(source), nested_(source), path_(std::move(path)), all_(all) {}
  static Result<std::unique_ptr<ParquetFileCursor>> make(const proto::Source& source,
                                                         uint32_t index, uint64_t offset,
                                                         const RecordIdentity& last, bool all);

  Status start(FoundFile file, uint64_t offset, const RecordIdentity& last);
  Status look();
  // Whether the file that was read is still the one that was opened: another one of its size, in
  // its place, may have been read from some page on.
  Status look_at_footer() const;
  void add_rows(BatchWriter* writer);
  // Sets the cells of a row; why it is no event, if it is not.
  std::string set_row(size_t row, BatchWriter* writer, BadReason* reason);
  // False if the column cannot hold the value.
  bool set_cell(const Column& from, size_t row, size_t column, BatchWriter* writer);
  bool set_text(std::string_view text, size_t column, BatchWriter* writer);
  std::string row_text(size_t row, uint64_t* size) const;
  Error changed(const std::string& what) const;

  const proto::Source source_;
  NestedColumns nested_;
  std::string nested_fault_;  // why a value is none, where set_cell() said so
  const std::string path_;
  const bool all_;  // columns are read, not those of the schema alone
  std::shared_ptr<FileText> text_;
  std::unique_ptr<ParquetReader> reader_;
  uint64_t fingerprint_ = 0;  // of the file
  uint64_t size_ = 0;         // of it, in bytes
  TimeUs latest_event_time_ = kMaxTime;
  uint64_t offset_ = 0;
  uint64_t begin_ = 0;  // of the rows that were read last
  ParquetBatch rows_;
  TimestampParser timestamps_;
};

// The bytes of a file for a ParquetReader, which must be there to its end.
std::unique_ptr<ParquetInput> parquet_input(std::shared_ptr<FileText> text);

}  // namespace tidemill
