#include "cli/training/spine_reader.h"

#include <numeric>

#include "shared/base/hash.h"
#include "shared/columns/row_block_writer.h"
#include "shared/load/key_builder.h"

namespace tidemill::training {

Status SpineReader::read(RowSource* spine, const std::function<void(uint64_t)>& progress) {
  SpineRows rows;
  for (;;) {
    if (Status read = spine->read(&rows); !read) return read;
    if (rows.events.rows() == 0) return {};
    for (size_t table = 0; table < choice_->tables.size(); ++table) {
      if (Status added = add_table(rows.events, table); !added) return added;
    }
    rows_ += rows.events.rows();
    progress(spine->position());
  }
}

Status SpineReader::add_table(const EventBatch& events, size_t table) {
  const ChosenTable& chosen = choice_->tables[table];
  const TableSchema& schema = (*choice_->plan->tables())[chosen.table];
  const size_t n = events.rows();
  std::vector<std::string_view> keys;
  std::string key_bytes;
  Column has_key;
  has_key.type = ColumnType::kBool;
  has_key.nulls.assign(n, 0);
  has_key.bools.assign(n, 1);
  std::vector<const Column*> parts;
  for (const uint32_t column : chosen.key_columns) parts.push_back(&events.columns[column]);
  build_keys(parts, schema.key_types, &keys, &key_bytes, &has_key.bools);
  Column number;
  number.type = ColumnType::kInt64;
  number.nulls.assign(n, 0);
  number.ints.resize(n);
  std::iota(number.ints.begin(), number.ints.end(), static_cast<int64_t>(rows_));

  const std::vector<TimeUs>& times = events.columns[choice_->keys.size()].ints;
  std::vector<uint64_t> hashes(n);
  std::vector<std::vector<uint32_t>> of_partition(kKeyPartitions);
  for (uint32_t i = 0; i < n; ++i) {
    if (has_key.bools[i] == 0) keys[i] = {};
    hashes[i] = hash_entity_key(keys[i], schema.entity_seed);
    if (has_key.bools[i] != 0) filters_[table].add(hashes[i]);
    of_partition[key_partition_of(hashes[i], kKeyPartitions)].push_back(i);
  }
  std::vector<TimeUs> chosen_times;
  const Column* const columns[] = {&number};
  const Column* const filters[] = {&has_key};
  for (uint32_t k = 0; k < kKeyPartitions; ++k) {
    if (of_partition[k].empty()) continue;
    chosen_times.clear();
    for (const uint32_t row : of_partition[k]) chosen_times.push_back(times[row]);
    ByteWriter out;
    begin_timed_block(chosen_times, &out);
    write_row_block(chosen.table, {of_partition[k], hashes, times, keys, columns, filters}, &out);
    TimedBlock block(finish_timed_block(&out));
    const size_t stream = spine_stream(choice_->tables.size(), table, k);
    if (Status added = spool_->add(stream, std::move(block)); !added) return added;
  }
  return {};
}

}  // namespace tidemill::training
