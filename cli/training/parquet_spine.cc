#include "cli/training/csv_fields.h"
#include "cli/training/row_source.h"
#include "shared/source/parquet_file_cursor.h"

namespace tidemill::training {
namespace {

constexpr size_t kBatchRows = 16 << 10;
constexpr size_t kBatchBytes = 4 << 20;

class ParquetSpine : public RowSource {
 public:
  explicit ParquetSpine(proto::Source source)
      : source_(std::move(source)), asked_(source_.schema().begin(), source_.schema().end()) {}

  Status open(SpineColumns columns);
  Status read(SpineRows* rows) override;
  uint64_t position() const override { return position_; }
  const std::vector<std::string>& columns() const override { return cursor_->reader().columns(); }
  const std::vector<proto::Field>& asked() const override { return asked_; }
  std::string header() const override;
  const ParquetReader* parquet() const override { return &cursor_->reader(); }

 private:
  proto::Source source_;
  std::vector<proto::Field> asked_;
  std::unique_ptr<ParquetFileCursor> cursor_;
  uint64_t position_ = 0;
};

Status ParquetSpine::open(SpineColumns columns) {
  auto cursor = columns == SpineColumns::kAll ? ParquetFileCursor::open_all(source_)
                                              : ParquetFileCursor::open_first(source_);
  if (!cursor) return cursor.error();
  cursor_ = std::move(cursor).value();
  return {};
}

std::string ParquetSpine::header() const {
  std::string out;
  for (const std::string& name : columns()) {
    if (!out.empty()) out.push_back(',');
    append_field(name, &out);
  }
  return out;
}

Status ParquetSpine::read(SpineRows* rows) {
  if (Status read = cursor_->read(kBatchRows, kBatchBytes, &rows->events); !read) return read;
  if (!rows->events.bad.empty()) {
    const BadRecord& bad = rows->events.bad.front();
    return user_error(source_.files().paths(0) + ": row " + std::to_string(bad.offset) + ": " +
                      bad.message);
  }
  rows->whole = cursor_->whole();
  position_ = cursor_->bytes_before(rows->events.end_offset);
  return {};
}

}  // namespace

Result<std::unique_ptr<RowSource>> open_parquet_spine(proto::Source source, SpineColumns columns) {
  auto spine = std::make_unique<ParquetSpine>(std::move(source));
  if (Status opened = spine->open(columns); !opened) return opened.error();
  return std::unique_ptr<RowSource>(std::move(spine));
}

}  // namespace tidemill::training
