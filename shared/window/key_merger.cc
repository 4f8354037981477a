#include "shared/window/key_merger.h"

#include <string>

#include "shared/base/assert.h"

namespace tidemill {

struct KeyMerger::Table {
  explicit Table(const TableSchema& schema) : layout(schema), reader(schema) {}

  ChunkLayout layout;
  RowRunReader reader;
};

KeyMerger::KeyMerger(TableSchemas schemas) : schemas_(std::move(schemas)) {
  for (const TableSchema& schema : *schemas_) {
    tables_.push_back(std::make_unique<Table>(schema));
    plans_.emplace_back(schema);
  }
}

KeyMerger::~KeyMerger() {
  if (!tables_.empty()) clear();
}

LogContext KeyMerger::context() const {
  const BasePlan* base = plans_[table_].empty() ? nullptr : &plans_[table_];
  return {tables_[table_]->layout, limit_, &stats_, base, nullptr, plans_[table_].leaves.get()};
}

Status KeyMerger::begin(uint16_t table, TimeUs horizon) {
  if (table >= tables_.size()) {
    return corrupt_error("a key of table " + std::to_string(table) + ", the job has " +
                         std::to_string(tables_.size()));
  }
  clear();
  table_ = table;
  limit_ = kept_since((*schemas_)[table], horizon);
  return {};
}

Status KeyMerger::add_run(std::span<const uint8_t> run) {
  const LogContext context = this->context();
  RowRunReader& reader = tables_[table_]->reader;
  reader.begin(run);
  for (RowInput row; reader.next(&row);) {
    if (row.time >= context.limit || context.base != nullptr) log_.append(context, row);
  }
  log_.settle(context);
  if (!reader.ok()) return corrupt_error("a row run does not fit its table");
  return {};
}

Status KeyMerger::replace(std::span<const uint8_t> body) {
  ByteReader in(body);
  Result<KeyImage> image = KeyImage::decode_body(*schemas_, plans_, table_, &in);
  if (!image) return image.error();
  if (in.remaining() != 0) return corrupt_error("key image: longer than its contents");
  image->fill(context(), &log_);
  return {};
}

// The first time, whatever its unit, is the base or stands in its place. Of folded tiles it is not
// looked at.
bool KeyMerger::keeps_all(std::span<const uint8_t> body) const {
  ByteReader in(body);
  const auto rows = in.get<uint32_t>();
  in.get<uint8_t>();
  const auto first = in.get<int64_t>();
  return in.ok() && rows > 0 && rows != kFoldedMark && first >= limit_;
}

bool KeyMerger::gone() const {
  return plans_[table_].empty() ? !log_.has_row_since(limit_) : log_.empty();
}

void KeyMerger::encode_body(ByteWriter* out) const { encode_image_body(context(), log_, out); }

}  // namespace tidemill
