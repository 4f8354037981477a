// Parquet files: reading them row by row number into columns, and writing them. What the library
// that does it needs is confined to libtidemill_parquet.so, which is loaded when the first file is
// opened: a process that sees none pays nothing, and the names that the library exports (a TLS
// library and a JSON parser among them) stay its own.
//
// Types of a file's columns, and which of ours each can be read as: docs/formats/parquet.md.
//
// Blocking; an object is used by one thread at a time. Failure: a file that is no Parquet file, is
// cut off or lacks what is wanted is kUser; bytes that do not verify are kCorrupt; a library that
// cannot be loaded is kFatal. Messages do not name the file.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/columns/column.h"
#include "shared/nested/nested_type.h"

namespace tidemill {

// Rows that decoding takes at a time, in bytes of memory, at most.
inline constexpr int64_t kMaxParquetBytes = int64_t{512} << 20;
// JSON text of a row's values is not made beyond this.
inline constexpr size_t kMaxParquetJson = 1 << 20;

class ParquetInput {
 public:
  virtual ~ParquetInput() = default;
  virtual uint64_t size() const = 0;
  // Exactly `bytes` at `offset`, which are there.
  virtual Status read(uint64_t offset, char* to, size_t bytes) = 0;
};

class ParquetOutput {
 public:
  virtual ~ParquetOutput() = default;
  virtual Status write(std::string_view bytes) = 0;
};

// What is wanted of a file: its column of this name, as values of this type.
struct ParquetWanted {
  std::string name;
  ColumnType type{};
};

// A value that does not fit the column it is wanted for, as text.
struct ParquetFault {
  uint32_t row = 0;
  uint32_t column = 0;
  std::string value;
};

// Rows as they are in the file, with all columns that were read. Immutable.
class ParquetRows {
 public:
  virtual ~ParquetRows() = default;
  // A row as a JSON object; what is behind kMaxParquetJson of it may be left out.
  virtual void append_json(size_t row, std::string* out) const = 0;
  // A value as text, strings as they are; false, and nothing appended, for null.
  virtual bool append_text(size_t column, size_t row, std::string* out) const = 0;
};

struct ParquetBatch {
  size_t rows = 0;
  // As wanted, but for text that is wanted as timestamp, date or JSON, for decimals, which are
  // digits, and for lists, structs and maps, which are JSON text: that is of type kString, for the
  // caller to parse. Strings are not checked to be UTF-8. Valid until the next read.
  std::vector<Column> columns;
  std::vector<ParquetFault> faults;  // by column, then row; the value's place holds nothing
  std::shared_ptr<const ParquetRows> whole;
  Arena made;  // strings that are not in the file as they are
};

class ParquetReader {
 public:
  virtual ~ParquetReader() = default;

  virtual const std::vector<std::string>& columns() const = 0;  // of the first level, in order
  virtual uint64_t rows() const = 0;
  // What read() gives. `all`: every column is read, for ParquetBatch::whole; else only these are.
  // An error names the column and says what it can be read as.
  virtual Status select(const std::vector<ParquetWanted>& wanted, bool all) = 0;
  // Replaces `batch` by rows from `row`, which is before rows(), on: at most `max_rows`, and about
  // `max_bytes` of them, but one at least. None across the end of a row group. Going back, and
  // into the middle of a row group, costs decoding what is before in that group.
  virtual Status read(uint64_t row, size_t max_rows, size_t max_bytes, ParquetBatch* batch) = 0;
};

// A column to be written: of values, of lists of them, or of maps to them.
struct ParquetField {
  enum class Shape { kValues, kLists, kMaps };
  std::string name;
  ColumnType type{};
  Shape shape = Shape::kValues;
  ColumnType key_type{};  // of maps
  // Of a `type` or `key_type` that is kDecimal, kList, kStruct or kMap: the whole of it.
  NestedType details{};
  NestedType key_details{};
};

// Its values in some rows, as rows keep them: decimals, lists, structs and maps as their bytes.
struct ParquetValues {
  Column items;                // one for each row; of lists and maps those of all rows
  Column keys;                 // of maps: as many as items
  std::vector<uint8_t> nulls;  // of lists and maps, for each row
  std::vector<uint32_t> ends;  // of lists and maps, for each row: where its items end
};

class ParquetWriter {
 public:
  virtual ~ParquetWriter() = default;
  // Appends `rows` rows: those of `kept`, as many, if the writer was opened for some, and beside
  // them these.
  virtual Status write(size_t rows, const ParquetRows* kept,
                       std::span<const ParquetValues* const> values) = 0;
  virtual Status finish() = 0;  // the file is whole then
};

// Whether all is there that a Parquet file begins and ends with, and its footer can be decoded
// within bounds (parquet_footer.h). A hash of its footer, which has the places, sizes and
// statistics of all that it holds, and so tells it from others.
Result<uint64_t> check_parquet(ParquetInput* file);

// Of a file that check_parquet() finds nothing wrong with.
Result<std::unique_ptr<ParquetReader>> open_parquet_reader(std::unique_ptr<ParquetInput> file);
// Of the columns of `kept`, if it is not null: a reader that reads all columns; and of `fields`.
// `out` outlives the writer.
Result<std::unique_ptr<ParquetWriter>> open_parquet_writer(ParquetOutput* out,
                                                           const ParquetReader* kept,
                                                           const std::vector<ParquetField>& fields);

}  // namespace tidemill
