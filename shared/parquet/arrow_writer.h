// ParquetWriter on Arrow. Part of libtidemill_parquet.so.
#pragma once

#include <parquet/arrow/writer.h>

#include <memory>
#include <vector>

#include "shared/parquet/arrow_io.h"
#include "shared/parquet/arrow_reader.h"

namespace tidemill {

class ArrowWriter : public ParquetWriter {
 public:
  static Result<std::unique_ptr<ParquetWriter>> open(ParquetOutput* out, const ArrowReader* kept,
                                                     const std::vector<ParquetField>& fields);

  Status write(size_t rows, const ParquetRows* kept,
               std::span<const ParquetValues* const> values) override;
  Status finish() override;

 private:
  ArrowWriter(ParquetOutput* out, std::vector<ParquetField> fields)
      : fields_(std::move(fields)), out_(std::make_shared<ArrowOutput>(out)) {}

  arrow::Status open_file(const ArrowReader* kept);
  arrow::Status append(size_t rows, const ArrowRows* kept,
                       std::span<const ParquetValues* const> values);
  Status told(const arrow::Status& status) const;

  const std::vector<ParquetField> fields_;
  std::shared_ptr<ArrowOutput> out_;
  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
};

}  // namespace tidemill
