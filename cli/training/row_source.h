// RowSource: the rows of a spine, in order: what they ask about, and what they are.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/columns/column.h"
#include "shared/parquet/parquet_file.h"

namespace tidemill::training {

// A stretch of the spine. Valid until the next read.
struct SpineRows {
  EventBatch events;  // columns as asked for, then the time; none: the spine is at its end
  // Each row as it is in the spine: of a CSV file its line, of a Parquet file the rows themselves.
  std::vector<std::string_view> lines;
  std::shared_ptr<const ParquetRows> whole;
};

class RowSource {
 public:
  virtual ~RowSource() = default;

  // Replaces `rows` by the next ones. A row that cannot be used is an error that says where it is.
  virtual Status read(SpineRows* rows) = 0;
  // Bytes of the spine that have been read; for showing progress.
  virtual uint64_t position() const = 0;
  // The spine's columns, in order.
  virtual const std::vector<std::string>& columns() const = 0;
  // What the columns of SpineRows::events are.
  virtual const std::vector<proto::Field>& asked() const = 0;
  // The line that names the columns: as it is in a CSV file.
  virtual std::string header() const = 0;
  // Null unless the spine is a Parquet file.
  virtual const ParquetReader* parquet() const { return nullptr; }
};

// Whether spines and training sets of this name are Parquet files. All others are CSV.
inline bool is_parquet(std::string_view path) { return path.ends_with(".parquet"); }

// What is read of a spine in Parquet: the columns that are asked for, or all, SpineRows::whole.
enum class SpineColumns { kAsked, kAll };

// Of a spine in CSV: whether its other columns may be any bytes, or are to be text.
enum class SpineText { kAny, kUtf8 };

// A Parquet file, or a CSV file (RFC 4180, a header; compressed if its name ends with .gz). `keys`
// and `time_column` are among its columns; others may be there, and are not looked at but for
// `text`.
Result<std::unique_ptr<RowSource>> open_spine(const std::string& path, SpineColumns columns,
                                              SpineText text, const std::vector<proto::Field>& keys,
                                              const std::string& time_column);

// Of its two kinds, with the one file as its input; its last column is the time.
Result<std::unique_ptr<RowSource>> open_csv_spine(proto::Source source, SpineText text);
Result<std::unique_ptr<RowSource>> open_parquet_spine(proto::Source source, SpineColumns columns);

}  // namespace tidemill::training
