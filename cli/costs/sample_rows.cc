#include "cli/costs/sample_rows.h"

#include <algorithm>

#include "shared/columns/row_block_writer.h"
#include "shared/window/key_table.h"

namespace tidemill::costs {
namespace {

// Of an entry of the map beside its texts and times.
constexpr uint64_t kEntryBytes = 96;

TimeUs before(TimeUs time, DurationUs by) {
  TimeUs out;
  return __builtin_sub_overflow(time, by, &out) ? kMinTime : out;
}

}  // namespace

SampleRows::Table& SampleRows::table(uint16_t number) {
  for (const auto& each : tables_) {
    if (each->number == number) return *each;
  }
  tables_.push_back(std::make_unique<Table>(Table{number, PartitionState(plan_->tables()), {}}));
  return *tables_.back();
}

TimeUs SampleRows::horizon_after(TimeUs event_time) const { return before(event_time, delay_); }

void SampleRows::count_keys(const LoadedBatch& batch, const TableRows& rows, Table* table) {
  for (const uint32_t row : rows.order) {
    const auto [at, is_new] = table->keys.try_emplace(std::string(rows.keys[row]));
    if (is_new) counted_bytes_ += kEntryBytes + rows.keys[row].size();
    at->second.hash = rows.key_hashes[row];
    at->second.times.push_back(batch.event_times()[row]);
    counted_bytes_ += sizeof(TimeUs);
  }
}

Status SampleRows::add(const LoadedBatch& batch) {
  for (const TableRows& rows : batch.tables) {
    Table& of = table(rows.table);
    if (rows.order.empty()) continue;
    ByteWriter out;
    write_row_block(
        rows.table,
        {rows.order, rows.key_hashes, batch.event_times(), rows.keys, rows.columns, rows.filters},
        &out);
    const std::vector<uint8_t> bytes = out.take();
    const auto block = RowBlockView::parse(bytes);
    ASSERT(block.ok());
    late_.count(*block, horizon_after(latest_));
    of.state.append(*block, 1);
    count_keys(batch, rows, &of);
  }
  for (const TimeUs time : batch.event_times()) latest_ = std::max(latest_, time);
  if (bytes() <= most_bytes_) return {};
  return user_error("the sample's rows take more than " + std::to_string(most_bytes_ >> 20) +
                    " MB; name a smaller one");
}

// What a permitted read can see is the same whether rows are freed as the horizon rises or at once.
void SampleRows::free_expired(TimeUs last) {
  horizon_ = horizon_after(last);
  for (const auto& table : tables_) {
    uint64_t freed;
    do {
      freed = table->state.stats().freed_rows;
      const size_t calls = table->state.slot_count() + 1;
      for (size_t i = 0; i < calls; ++i) table->state.raise_horizon(horizon_);
    } while (table->state.stats().freed_rows != freed);
  }
}

TableSample SampleRows::measure(const Table& table) const {
  TableSample out;
  out.table = table.number;
  out.keys = table.keys.size();
  // Without the slots that are there for further keys.
  const size_t spare = table.state.slot_count() % KeyTable::kBlockSlots;
  out.bytes = table.state.stats().bytes -
              (spare == 0 ? 0 : (KeyTable::kBlockSlots - spare) * sizeof(KeyEntry));
  const TimeUs limit = before(horizon_, (*plan_->tables())[table.number].retention);
  for (const auto& [key, rows] : table.keys) {
    const auto kept = static_cast<uint64_t>(std::count_if(
        rows.times.begin(), rows.times.end(), [&](TimeUs time) { return time >= limit; }));
    out.rows += rows.times.size();
    out.most_rows = std::max<uint64_t>(out.most_rows, rows.times.size());
    out.kept_rows += kept;
    out.kept_keys += kept > 0;
    out.most_kept = std::max(out.most_kept, kept);
  }
  return out;
}

uint64_t SampleRows::bytes() const {
  uint64_t out = counted_bytes_;
  for (const auto& table : tables_) out += table->state.stats().bytes;
  return out;
}

}  // namespace tidemill::costs
