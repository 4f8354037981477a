#include "shared/source/generator_cursor.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "shared/source/transaction_writer.h"

namespace tidemill {
namespace {

constexpr size_t kRecordBytes = 128;  // of an event as text, about
constexpr size_t kIdBytes = 10;       // of an id as text, at most: 2^32 has so many digits

enum TransactionColumn : size_t {
  kTransactionId,
  kEventTime,
  kCustomerId,
  kTerminalId,
  kAmount,
  kIsFraud,
};

std::string_view append_id(uint64_t id, char** text) {
  char* begin = *text;
  *text = std::to_chars(begin, begin + kIdBytes, id).ptr;
  return {begin, static_cast<size_t>(*text - begin)};
}

}  // namespace

Result<std::unique_ptr<SourceCursor>> GeneratorCursor::open(const proto::Source& source,
                                                            uint32_t partition, uint64_t offset) {
  auto generator = TransactionGenerator::create(source.generator(), partition);
  if (!generator.ok()) return generator.error();
  if (offset > generator->end()) {
    return user_error("generator partition " + std::to_string(partition) + " has only " +
                      std::to_string(generator->end()) + " events, but was read up to offset " +
                      std::to_string(offset));
  }
  std::unique_ptr<GeneratorCursor> cursor(
      new GeneratorCursor(source, std::move(*generator), offset));
  Status assigned = cursor->assign_columns();
  if (!assigned.ok()) return assigned.error();
  return std::unique_ptr<SourceCursor>(std::move(cursor));
}

Status GeneratorCursor::assign_columns() {
  columns_.fill(-1);
  for (int i = 0; i < source_.schema_size(); ++i) {
    const proto::Field& field = source_.schema(i);
    bool found = false;
    std::string known;
    for (size_t c = 0; c < columns_.size(); ++c) {
      const proto::Field& column = transaction_schema()[c];
      known +=
          (known.empty() ? "" : ", ") + column.name() + " " + proto::ColumnType_Name(column.type());
      if (column.name() != field.name() || column.type() != field.type()) continue;
      columns_[c] = i;
      found = true;
    }
    if (!found) {
      return user_error("the generator has no column '" + field.name() + "' of type " +
                        proto::ColumnType_Name(field.type()) + "; it has: " + known);
    }
  }
  if (columns_[kEventTime] == static_cast<int>(source_.event_time_field())) return {};
  return user_error("the generator's event time is its column 'event_time'");
}

void GeneratorCursor::add(const Transaction& t, char** text, BatchWriter* writer) const {
  const auto column = [&](TransactionColumn c) { return static_cast<size_t>(columns_[c]); };
  const auto has = [&](TransactionColumn c) { return columns_[c] >= 0; };
  if (has(kTransactionId)) writer->set_int(column(kTransactionId), t.transaction_id);
  writer->set_int(column(kEventTime), t.event_time);
  if (has(kCustomerId)) writer->set_string(column(kCustomerId), append_id(t.customer, text));
  if (has(kTerminalId)) writer->set_string(column(kTerminalId), append_id(t.terminal, text));
  if (has(kAmount)) {
    writer->set_double(column(kAmount), static_cast<double>(t.amount_cents) / 100);
  }
  if (has(kIsFraud)) writer->set_bool(column(kIsFraud), t.is_fraud);
}

std::string GeneratorCursor::record_bytes(const EventBatch& batch, size_t row, uint64_t* size) {
  std::string record = record_at(batch.offsets[row]);
  *size = record.size();
  return record;
}

std::string GeneratorCursor::record_at(uint64_t offset) const {
  std::string record;
  TransactionWriter(generator_).append_json(offset, &record);
  record.pop_back();
  return record;
}

Status GeneratorCursor::read(size_t max_records, size_t max_bytes, EventBatch* batch) {
  const size_t most = std::min(max_records, std::max<size_t>(1, max_bytes / kRecordBytes));
  const uint64_t last = std::min(generator_.end(), limit_at(offset_));
  const auto records = static_cast<size_t>(std::min<uint64_t>(most, last - offset_));
  BatchWriter writer(source_.schema(), offset_, records, batch);
  if (batch->text.size() < 2 * kIdBytes * records) batch->text.resize(2 * kIdBytes * records);
  char* text = batch->text.data();
  for (const uint64_t end = offset_ + records; offset_ < end; ++offset_) {
    if (generator_.malformed(offset_)) {
      writer.bad(offset_, BadReason::kUnparsable, "the generator was asked for malformed records",
                 record_at(offset_));
      continue;
    }
    add(generator_.at(offset_), &text, &writer);
    writer.commit(offset_);
  }
  writer.finish(offset_, offset_ == generator_.end());
  return {};
}

}  // namespace tidemill
