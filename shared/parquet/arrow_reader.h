// ParquetReader on Arrow: row groups are streamed a batch at a time, so that memory follows the
// file's pages and the rows asked for, not its row groups. Part of libtidemill_parquet.so.
#pragma once

#include <arrow/record_batch.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>

#include <memory>
#include <string>
#include <vector>

#include "shared/parquet/arrow_io.h"

namespace tidemill {

class ArrowRows : public ParquetRows {
 public:
  ArrowRows(std::shared_ptr<arrow::RecordBatch> batch, std::shared_ptr<LimitedPool> pool)
      : pool_(std::move(pool)), batch_(std::move(batch)) {}

  void append_json(size_t row, std::string* out) const override;
  bool append_text(size_t column, size_t row, std::string* out) const override;
  const arrow::RecordBatch& batch() const { return *batch_; }

 private:
  std::shared_ptr<LimitedPool> pool_;  // outlives the batch
  std::shared_ptr<arrow::RecordBatch> batch_;
};

class ArrowReader : public ParquetReader {
 public:
  static Result<std::unique_ptr<ParquetReader>> open(std::unique_ptr<ParquetInput> file);

  const std::vector<std::string>& columns() const override { return columns_; }
  uint64_t rows() const override { return group_begin_.back(); }
  Status select(const std::vector<ParquetWanted>& wanted, bool all) override;
  Status read(uint64_t row, size_t max_rows, size_t max_bytes, ParquetBatch* batch) override;

  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }

 private:
  explicit ArrowReader(std::unique_ptr<ParquetInput> file)
      : pool_(std::make_shared<LimitedPool>(kMaxParquetBytes)),
        file_(std::make_shared<ArrowInput>(std::move(file))) {}

  arrow::Status open_file();
  arrow::Status count_rows();
  void add_leaves(const parquet::arrow::SchemaField& field);
  size_t group_of(uint64_t row) const;
  // Has held_ hold the row.
  Status go_to(uint64_t row, size_t max_bytes);
  arrow::Status open_group(size_t group, int64_t rows_at_once);
  arrow::Status next_batch();
  // How many rows are decoded at a time: of that, reads are slices.
  int64_t rows_at_once(size_t group, size_t max_bytes) const;
  Error failed(size_t group, const arrow::Status& status);

  std::shared_ptr<LimitedPool> pool_;
  std::shared_ptr<ArrowInput> file_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<std::string> columns_;
  std::vector<uint64_t> group_begin_{0};  // and the end of the last one
  std::vector<ParquetWanted> wanted_;
  std::vector<int> leaves_;  // that are read
  std::unique_ptr<arrow::RecordBatchReader> stream_;
  size_t stream_group_ = 0;
  uint64_t stream_at_ = 0;  // the row that it gives next
  std::shared_ptr<arrow::RecordBatch> held_;
  uint64_t held_begin_ = 0;
};

}  // namespace tidemill
