#include "tests/fuzz/records.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <string>

#include "shared/source/source_cursor.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/sources.h"

namespace tidemill::fuzz {
namespace {

// A file in memory that is used again and again.
class MemoryFile {
 public:
  MemoryFile() : fd_(::memfd_create("records", MFD_CLOEXEC)) { ASSERT(fd_ >= 0); }

  void write(std::string_view content) {
    ASSERT(::ftruncate(fd_, 0) == 0);
    ASSERT(::pwrite(fd_, content.data(), content.size(), 0) ==
           static_cast<ssize_t>(content.size()));
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

proto::Source source_of(proto::FilesInput::Format format, const std::string& path) {
  // Files of the other formats must have every column.
  const bool any_columns = format == proto::FilesInput::NDJSON || format == proto::FilesInput::AVRO;
  proto::Source source =
      any_columns ? every_type_source({"p"}, {{"tags", "list<string>"},
                                              {"payload", "struct<a: int32, b: list<double>>"},
                                              {"counts", "map<string, int64>"},
                                              {"price", "decimal(12, 2)"}})
                  : every_type_source({"p"});
  source.mutable_files()->set_format(format);
  source.mutable_files()->add_paths(path);
  return source;
}

void add_value(const Column& column, size_t row, std::string* out) {
  *out += column.nulls[row] != 0 ? " null" : " ";
  if (!column.bools.empty()) *out += column.bools[row] != 0 ? "t" : "f";
  if (!column.ints.empty()) *out += std::to_string(column.ints[row]);
  if (!column.doubles.empty()) {
    out->append(reinterpret_cast<const char*>(&column.doubles[row]), sizeof(double));
  }
  if (!column.strings.empty()) *out += column.strings[row];
}

void add_batch(const EventBatch& batch, std::string* rows, std::string* bad) {
  for (size_t row = 0; row < batch.rows(); ++row) {
    ASSERT(batch.offsets[row] >= batch.begin_offset && batch.offsets[row] < batch.end_offset);
    *rows += "\n" + std::to_string(batch.offsets[row]);
    for (const Column& column : batch.columns) {
      ASSERT(column.size() == batch.rows());
      add_value(column, row, rows);
    }
  }
  for (const BadRecord& record : batch.bad) {
    ASSERT(record.bytes.size() <= std::min<uint64_t>(record.size, kBadRecordBytes));
    *bad += "\n" + std::to_string(record.offset) + " " + record.message + " " + record.bytes;
  }
}

// What cursors give of records is what the file has there, whatever was made of it.
void check_records(const EventBatch& batch, std::string_view content, SourceCursor* cursor) {
  for (const BadRecord& record : batch.bad) {
    ASSERT(content.substr(record.offset, record.bytes.size()) == record.bytes);
  }
  for (size_t row = 0; row < batch.rows(); ++row) {
    uint64_t size = 0;
    const std::string record = cursor->record_bytes(batch, row, &size);
    ASSERT(!record.empty() && record.size() <= size);
    ASSERT(content.substr(batch.offsets[row], record.size()) == record);
  }
}

// All of the file as text that compares.
std::string read_all(const proto::Source& source, std::string_view content, size_t records,
                     size_t bytes) {
  auto cursor = SourceCursor::open(source, 0, 0, {});
  if (!cursor.ok()) return "refused: " + cursor.error().message();
  std::string rows, bad;
  static EventBatch batch;  // its memory is used again, as readers do
  uint64_t at = 0;
  do {
    const Status status = (*cursor)->read(records, bytes, &batch);
    // One may be cut off, or have a damaged block or row group.
    const bool is_text = source.files().format() == proto::FilesInput::CSV ||
                         source.files().format() == proto::FilesInput::NDJSON;
    const bool is_parquet = source.files().format() == proto::FilesInput::PARQUET;
    ASSERT(status.ok() || !is_text);
    // Where in a damaged row group it is noticed depends on how it is read.
    if (!status.ok() && is_parquet) return "stopped";
    if (!status.ok()) return rows + "\nbad" + bad + "\nstopped: " + status.error().message();
    ASSERT(batch.begin_offset == at && (batch.finished || batch.end_offset > at));
    at = batch.end_offset;
    if (is_text) check_records(batch, content, cursor->get());
    add_batch(batch, &rows, &bad);
  } while (!batch.finished);
  return rows + "\nbad" + bad + "\nend " + std::to_string(at);
}

}  // namespace

void read_both_ways(proto::FilesInput::Format format, std::string_view content) {
  static MemoryFile file;
  file.write(content);
  static const std::string path = file.path();
  const proto::Source source = source_of(format, path);
  const std::string at_once = read_all(source, content, 1 << 12, 1 << 14);
  const std::string in_pieces = read_all(source, content, 3, 40);
  if (at_once != in_pieces) {
    std::cerr << "at once: " << at_once << "\n\nin pieces: " << in_pieces << std::endl;
  }
  ASSERT(at_once == in_pieces);
}

}  // namespace tidemill::fuzz
