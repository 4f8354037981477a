#include "cli/training/csv_fields.h"
#include "cli/training/output_file.h"
#include "cli/training/row_sink.h"
#include "shared/window/feature_value_json.h"

namespace tidemill::training {
namespace {

void append_value(const FeatureValue& value, ColumnType type, std::string* json, std::string* out) {
  if (std::holds_alternative<std::monostate>(value)) return;
  if (const auto* text = std::get_if<std::string>(&value)) return append_field(*text, out);
  json->clear();
  append_feature_value(value, type, json);
  const bool in_quotes = json->front() == '"';  // NaN and the infinities
  append_field(in_quotes ? std::string_view(*json).substr(1, json->size() - 2) : *json, out);
}

class CsvSink : public RowSink {
 public:
  explicit CsvSink(std::string path) : file_(std::move(path)) {}

  Status open() { return file_.open(); }
  void encode(std::span<const FeatureSpec* const> features, std::span<const FeatureValue> values,
              std::string* out) const override;
  Status begin(const RowSource& spine, const std::vector<FeatureColumn>& columns) override;
  Status write(const SpineRows& rows, size_t row,
               std::span<const std::string_view> values) override;
  Status finish() override { return file_.finish(); }

 private:
  void append_row(const ParquetRows& rows, size_t row);

  OutputFile file_;
  size_t spine_columns_ = 0;
  std::string line_;
  std::string text_;
};

void CsvSink::encode(std::span<const FeatureSpec* const> features,
                     std::span<const FeatureValue> values, std::string* out) const {
  thread_local std::string json;
  for (size_t i = 0; i < values.size(); ++i) {
    out->push_back(',');
    append_value(values[i], features[i]->type, &json, out);
  }
}

Status CsvSink::begin(const RowSource& spine, const std::vector<FeatureColumn>& columns) {
  spine_columns_ = spine.columns().size();
  line_ = spine.header();
  for (const FeatureColumn& column : columns) {
    line_.push_back(',');
    append_field(column.name, &line_);
  }
  line_.push_back('\n');
  return file_.write(line_);
}

void CsvSink::append_row(const ParquetRows& rows, size_t row) {
  for (size_t column = 0; column < spine_columns_; ++column) {
    if (column > 0) line_.push_back(',');
    text_.clear();
    if (rows.append_text(column, row, &text_)) append_field(text_, &line_);
  }
}

Status CsvSink::write(const SpineRows& rows, size_t row, std::span<const std::string_view> values) {
  line_.clear();
  if (rows.whole != nullptr) {
    append_row(*rows.whole, row);
  } else {
    line_.append(rows.lines[row]);
  }
  for (const std::string_view piece : values) line_.append(piece);
  line_.push_back('\n');
  return file_.write(line_);
}

}  // namespace

Result<std::unique_ptr<RowSink>> open_csv_sink(const std::string& path) {
  auto sink = std::make_unique<CsvSink>(path);
  if (Status opened = sink->open(); !opened) return opened.error();
  return std::unique_ptr<RowSink>(std::move(sink));
}

Result<std::unique_ptr<RowSink>> open_sink(const std::string& path) {
  return is_parquet(path) ? open_parquet_sink(path) : open_csv_sink(path);
}

}  // namespace tidemill::training
