#include <algorithm>

#include "cli/training/csv_fields.h"
#include "cli/training/output_file.h"
#include "cli/training/parquet_values.h"
#include "cli/training/row_sink.h"
#include "shared/nested/proto_type.h"

namespace tidemill::training {
namespace {

constexpr size_t kText = SIZE_MAX;

class FileOutput : public ParquetOutput {
 public:
  explicit FileOutput(OutputFile* file) : file_(file) {}
  Status write(std::string_view bytes) override { return file_->write(bytes); }

 private:
  OutputFile* file_;
};

class ParquetSink : public RowSink {
 public:
  explicit ParquetSink(std::string path) : file_(std::move(path)), output_(&file_) {}

  Status open() { return file_.open(); }
  void encode(std::span<const FeatureSpec* const> features, std::span<const FeatureValue> values,
              std::string* out) const override;
  Status begin(const RowSource& spine, const std::vector<FeatureColumn>& columns) override;
  Status write(const SpineRows& rows, size_t row,
               std::span<const std::string_view> values) override;
  Status finish() override;

 private:
  // The columns of a spine that is no Parquet file.
  void add_spine_columns(const RowSource& spine);
  void add_spine_row(const SpineRows& rows, size_t row);
  Status flush(size_t rows, const ParquetRows* kept);

  OutputFile file_;
  FileOutput output_;
  std::unique_ptr<ParquetWriter> writer_;
  std::vector<size_t> origins_;         // of spine columns: of the events, or kText
  std::vector<ParquetColumn> columns_;  // those of a spine that is no Parquet file come first
  std::vector<CsvField> fields_;
};

void ParquetSink::encode(std::span<const FeatureSpec* const> features,
                         std::span<const FeatureValue> values, std::string* out) const {
  for (const FeatureValue& value : values) append_bytes(value, out);
}

void ParquetSink::add_spine_columns(const RowSource& spine) {
  for (const std::string& name : spine.columns()) {
    const auto& asked = spine.asked();
    const auto found = std::find_if(asked.begin(), asked.end(), [&](const proto::Field& field) {
      return field.name() == name;
    });
    const bool typed = found != asked.end();
    origins_.push_back(typed ? static_cast<size_t>(found - asked.begin()) : kText);
    ParquetField field;
    field.name = name;
    field.type = typed ? static_cast<ColumnType>(found->type()) : ColumnType::kString;
    if (typed && found->has_details()) field.details = nested_type(found->details());
    columns_.emplace_back(std::move(field));
  }
}

Status ParquetSink::begin(const RowSource& spine, const std::vector<FeatureColumn>& columns) {
  if (spine.parquet() == nullptr) add_spine_columns(spine);
  for (const FeatureColumn& column : columns) {
    columns_.emplace_back(parquet_field(column.name, *column.feature));
  }
  std::vector<ParquetField> fields;
  for (const ParquetColumn& column : columns_) fields.push_back(column.field());
  auto writer = open_parquet_writer(&output_, spine.parquet(), fields);
  if (!writer) return writer.error();
  writer_ = std::move(writer).value();
  return {};
}

void ParquetSink::add_spine_row(const SpineRows& rows, size_t row) {
  split_record(rows.lines[row], &fields_);
  for (size_t c = 0; c < origins_.size(); ++c) {
    if (origins_[c] != kText) {
      columns_[c].add(rows.events.columns[origins_[c]], row);
    } else if (c < fields_.size()) {
      columns_[c].add_text(fields_[c].text, fields_[c].is_null());
    } else {
      columns_[c].add_text({}, true);
    }
  }
}

Status ParquetSink::write(const SpineRows& rows, size_t row,
                          std::span<const std::string_view> values) {
  if (!origins_.empty()) add_spine_row(rows, row);
  size_t column = origins_.size();
  for (std::string_view piece : values) {
    while (!piece.empty()) columns_[column++].add_bytes(&piece);
  }
  if (row + 1 < rows.events.rows()) return {};
  return flush(rows.events.rows(), rows.whole.get());
}

Status ParquetSink::flush(size_t rows, const ParquetRows* kept) {
  std::vector<const ParquetValues*> values;
  for (const ParquetColumn& column : columns_) values.push_back(&column.values());
  const Status written = writer_->write(rows, kept, values);
  for (ParquetColumn& column : columns_) column.clear();
  return written;
}

Status ParquetSink::finish() {
  if (Status written = writer_->finish(); !written) return written;
  return file_.finish();
}

}  // namespace

Result<std::unique_ptr<RowSink>> open_parquet_sink(const std::string& path) {
  auto sink = std::make_unique<ParquetSink>(path);
  if (Status opened = sink->open(); !opened) return opened.error();
  return std::unique_ptr<RowSink>(std::move(sink));
}

}  // namespace tidemill::training
