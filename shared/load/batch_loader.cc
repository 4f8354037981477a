#include "shared/load/batch_loader.h"

#include "shared/base/hash.h"
#include "shared/base/mutation.h"
#include "shared/columns/row_block_writer.h"
#include "shared/load/key_builder.h"
#include "shared/plan/table_layout.h"

namespace tidemill {
namespace {

constexpr uint32_t kDropped = UINT32_MAX;

template <typename T>
uint64_t room_of(const std::vector<T>& values) {
  return values.capacity() * sizeof(T);
}

// About what a batch takes, but for the columns that evaluators keep from batch to batch.
uint64_t memory_of(const LoadedBatch& batch) {
  const EventBatch& events = batch.events;
  uint64_t bytes = room_of(events.offsets) + room_of(events.record_times) + room_of(events.bad) +
                   events.text.capacity() + events.made.capacity();
  for (const Column& column : events.columns) {
    bytes += room_of(column.nulls) + room_of(column.bools) + room_of(column.ints) +
             room_of(column.doubles) + room_of(column.strings) + room_of(column.intervals);
  }
  for (const auto& block : events.blocks) bytes += block->capacity();
  for (const TableRows& rows : batch.tables) {
    bytes += room_of(rows.order) + room_of(rows.group_begin) + room_of(rows.key_hashes) +
             room_of(rows.keys) + rows.key_bytes.capacity();
  }
  return bytes;
}

std::vector<ColumnType> schema_types(const proto::Source& source) {
  std::vector<ColumnType> types;
  for (const proto::Field& f : source.schema()) types.push_back(static_cast<ColumnType>(f.type()));
  return types;
}

Status compile_all(const google::protobuf::RepeatedPtrField<proto::Expr>& list,
                   const std::vector<ColumnType>& schema, std::vector<Evaluator>* out) {
  for (const proto::Expr& expr : list) {
    auto compiled = Evaluator::compile(expr, schema);
    if (!compiled) return compiled.error();
    out->push_back(std::move(compiled).value());
  }
  return {};
}

Status compile_where(const proto::TableInput& input, const std::vector<ColumnType>& schema,
                     std::optional<Evaluator>* out) {
  if (!input.has_where()) return {};
  auto compiled = Evaluator::compile(input.where(), schema);
  if (!compiled) return compiled.error();
  *out = std::move(compiled).value();
  return {};
}

// Groups the kept rows by key partition: a counting sort, stable in offset.
void group_rows(std::vector<uint32_t>* partition_of, uint32_t key_partitions, TableRows* rows) {
  rows->group_begin.assign(key_partitions + 1, 0);
  size_t kept = 0;
  for (const uint32_t k : *partition_of) {
    if (k == kDropped) continue;
    ++rows->group_begin[k + 1];
    ++kept;
  }
  for (uint32_t k = 0; k < key_partitions; ++k) rows->group_begin[k + 1] += rows->group_begin[k];
  rows->order.resize(kept);
  std::vector<uint32_t> next(rows->group_begin.begin(), rows->group_begin.end() - 1);
  for (uint32_t i = 0; i < partition_of->size(); ++i) {
    const uint32_t k = (*partition_of)[i];
    if (k != kDropped) rows->order[next[k]++] = i;
  }
}

}  // namespace

size_t LoadedBatch::write_blocks(uint32_t key_partition, uint64_t from, ByteWriter* out) const {
  size_t written = 0;
  for (const TableRows& rows : tables) {
    std::span<const uint32_t> group(
        rows.order.data() + rows.group_begin[key_partition],
        rows.group_begin[key_partition + 1] - rows.group_begin[key_partition]);
    const auto rows_before = [&](uint64_t offset) {
      const auto first = std::partition_point(
          group.begin(), group.end(), [&](uint32_t row) { return events.offsets[row] < offset; });
      return static_cast<size_t>(first - group.begin());
    };
    if (end.offset < events.end_offset) group = group.first(rows_before(end.offset));
    // A session that is ahead of this read has the first ones already.
    if (from > begin.offset) group = group.subspan(rows_before(from));
    if (group.empty()) continue;
    written += group.size();
    write_row_block(rows.table,
                    {group, rows.key_hashes, event_times(), rows.keys, rows.columns, rows.filters},
                    out);
  }
  return written;
}

Result<std::unique_ptr<BatchLoader>> BatchLoader::open(std::shared_ptr<const Plan> plan,
                                                       uint32_t source_partition,
                                                       const SourcePosition& from) {
  uint32_t index = 0;
  const proto::Source& source = plan->source_of(source_partition, &index);
  const uint32_t source_index = plan->source_index(source_partition);
  auto cursor = SourceCursor::open(source, index, from.offset, from.last);
  if (!cursor) return cursor.error();
  std::unique_ptr<BatchLoader> loader(new BatchLoader(plan, source_partition, from));
  loader->cursor_ = std::move(cursor).value();
  loader->event_time_field_ = source.event_time_field();
  for (auto& programs : loader->programs_) {
    auto compiled = loader->compile(source_index);
    if (!compiled) return compiled.error();
    programs = std::move(compiled).value();
  }
  return loader;
}

Result<std::vector<BatchLoader::InputProgram>> BatchLoader::compile(uint32_t source_index) const {
  const std::vector<ColumnType> schema =
      schema_types(plan_->proto().sources(static_cast<int>(source_index)));
  std::vector<InputProgram> programs;
  for (int t = 0; t < plan_->proto().tables_size(); ++t) {
    const RowsKept kept = rows_kept(plan_->proto(), static_cast<uint32_t>(t));
    if (kept == RowsKept::kNone) continue;
    for (const proto::TableInput& input : plan_->proto().tables(t).inputs()) {
      if (input.source() != source_index) continue;
      InputProgram program;
      program.table = static_cast<uint16_t>(t);
      program.has_view = std::any_of(
          plan_->views().begin(), plan_->views().end(),
          [&](const ViewSpec& view) { return view.table == program.table; });
      program.filters_needed =
          kept == RowsKept::kAll ? 0 : static_cast<uint32_t>(input.filters_size());
      const Status compiled[] = {compile_where(input, schema, &program.where),
                                 compile_all(input.keys(), schema, &program.keys),
                                 compile_all(input.columns(), schema, &program.columns),
                                 compile_all(input.filters(), schema, &program.filters)};
      for (const Status& s : compiled) {
        if (!s.ok()) return s.error();
      }
      programs.push_back(std::move(program));
    }
  }
  return programs;
}

// Rows on which an expression failed become dead letters, those that are not kept aside. Letters
// are by view: those of a table that has none any more are in none.
void BatchLoader::drop_failed(const InputProgram& program, LoadedBatch* batch,
                              std::vector<uint8_t>* keep) {
  for (const RowError& error : errors_) {
    if ((*keep)[error.row] == 0) continue;
    (*keep)[error.row] = 0;
    if (!program.has_view) continue;
    BadRecord failed{batch->events.offsets[error.row], BadReason::kExpression, error.reason, {}, 0,
                     static_cast<int32_t>(program.table)};
    failed.bytes = cursor_->record_bytes(batch->events, error.row, &failed.size);
    batch->failed.push_back(std::move(failed));
  }
  errors_.clear();
}

// Leaves in `keep` the rows that are the table's and have a key.
void BatchLoader::find_keys(InputProgram* program, LoadedBatch* batch, TableRows* rows,
                            std::vector<uint8_t>* keep) {
  const EventBatch& events = batch->events;
  errors_.clear();
  if (program->where.has_value()) {
    const Column& where = program->where->evaluate(events, &errors_);
    std::vector<uint8_t> kept(keep->size());
    for (size_t i = 0; i < kept.size(); ++i) kept[i] = where.nulls[i] == 0 && where.bools[i] != 0;
    drop_failed(*program, batch, keep);
    for (size_t i = 0; i < kept.size(); ++i) (*keep)[i] &= kept[i];
  }
  std::vector<const Column*> parts;
  for (Evaluator& e : program->keys) parts.push_back(&e.evaluate(events, &errors_));
  drop_failed(*program, batch, keep);
  std::vector<uint8_t> has_key(keep->size(), 1);
  build_keys(parts, (*plan_->tables())[program->table].key_types, &rows->keys, &rows->key_bytes,
             &has_key);
  for (size_t i = 0; i < has_key.size(); ++i) {
    batch->null_keys += (*keep)[i] != 0 && has_key[i] == 0;
    (*keep)[i] &= has_key[i];
  }
}

void BatchLoader::evaluate(InputProgram* program, LoadedBatch* batch, TableRows* rows) {
  const EventBatch& events = batch->events;
  const size_t n = events.rows();
  std::vector<uint8_t> keep(n, 1);
  rows->table = program->table;
  find_keys(program, batch, rows, &keep);

  rows->columns.clear();
  rows->filters.clear();
  for (Evaluator& e : program->columns) rows->columns.push_back(&e.evaluate(events, &errors_));
  for (Evaluator& e : program->filters) rows->filters.push_back(&e.evaluate(events, &errors_));
  drop_failed(*program, batch, &keep);
  if (program->filters_needed > 0) {
    for (size_t i = 0; i < n; ++i) {
      bool any = false;
      for (const Column* f : rows->filters) any |= f->nulls[i] == 0 && f->bools[i] != 0;
      keep[i] &= static_cast<uint8_t>(any);
    }
  }

  const uint64_t seed = (*plan_->tables())[program->table].entity_seed;
  rows->key_hashes.resize(n);
  std::vector<uint32_t> partition_of(n, kDropped);
  for (size_t i = 0; i < n; ++i) {
    if (keep[i] == 0) continue;
    rows->key_hashes[i] = hash_entity_key(rows->keys[i], seed);
    partition_of[i] = key_partition_of(rows->key_hashes[i], plan_->key_partitions());
  }
  group_rows(&partition_of, plan_->key_partitions(), rows);
}

// Moves the position behind the batch.
void BatchLoader::advance(LoadedBatch* batch) {
  const EventBatch& events = batch->events;
  ASSERT(events.begin_offset == position_.offset);
  batch->records = events.rows();
  batch->at_end = events.at_end;
  position_.offset = events.end_offset;
  position_.finished = events.finished;
  if (events.last != RecordIdentity{}) position_.last = events.last;
  const std::vector<TimeUs>& times = batch->event_times();
  const bool has_record_times = !events.record_times.empty();
  for (size_t i = 0; i < times.size(); ++i) {
    const TimeUs time = has_record_times ? std::min(times[i], events.record_times[i]) : times[i];
    position_.max_event_time = std::max(position_.max_event_time, time);
  }
  batch->end = position_;
}

DeadLetter BatchLoader::dead_letter(const BadRecord& bad) const {
  DeadLetter out;
  const proto::Source& source = plan_->source_of(source_partition_, &out.partition);
  out.source = source.name();
  out.source_partition = SourcePartitionId(source_partition_);
  out.offset = bad.offset;
  for (const ViewSpec& view :
       plan_->views()) {  // a table whose expressions can fail is of one view
    if (static_cast<int32_t>(view.table) == bad.table) out.view = view.name;
  }
  out.reason = bad.reason;
  out.message = bad.message;
  out.bytes = bad.bytes;
  out.size = bad.size;
  return out;
}

Status BatchLoader::write_dead_letters(const LoadedBatch& batch, DeadLetterWriter* letters) const {
  std::vector<DeadLetter> out;
  for (const auto* list : {&batch.events.bad, &batch.failed}) {
    for (const BadRecord& bad : *list) out.push_back(dead_letter(bad));
  }
  if (out.empty()) return {};
  const auto place = [](const DeadLetter& letter) { return std::tie(letter.offset, letter.view); };
  std::stable_sort(out.begin(), out.end(),
                   [&](const DeadLetter& a, const DeadLetter& b) { return place(a) < place(b); });
  // A record that fails in two inputs of a view is one letter, about the first of them.
  const auto repeated =
      std::unique(out.begin(), out.end(),
                  [&](const DeadLetter& a, const DeadLetter& b) { return place(a) == place(b); });
  out.erase(repeated, out.end());
  return letters->append(out);
}

Status BatchLoader::load(const LoadClock& clock, const LoadLimits& limits,
                         DeadLetterWriter* letters, LoadedBatch* batch) {
  batch->begin = position_;
  batch->failed.clear();
  batch->null_keys = 0;
  batch->read_cost = {};
  batch->evaluate_cost = {};
  batch->event_time_field = event_time_field_;
  batch->known_tables = static_cast<uint32_t>(plan_->tables()->size());
  {
    const StageTimer timer(clock, &batch->read_cost);
    cursor_->set_wall_time(clock.wall_us);
    cursor_->read_until(limits.until);
    if (auto read = cursor_->read(limits.records, limits.bytes, &batch->events); !read) return read;
  }
  {
    const StageTimer timer(clock, &batch->evaluate_cost);
    advance(batch);
    batch->read_cost.rows = batch->evaluate_cost.rows = batch->records;
    std::vector<InputProgram>& programs = programs_[turn_];
    turn_ ^= 1;
    batch->tables.resize(programs.size());
    for (size_t i = 0; i < programs.size(); ++i) {
      evaluate(&programs[i], batch, &batch->tables[i]);
    }
  }
  batch->memory.resize(memory_of(*batch));
  if (letters == nullptr) return {};
  const Status written = write_dead_letters(*batch, letters);
  return mutated(Mutation::kMarkBeforeDeadLetters) ? Status{} : written;
}

}  // namespace tidemill
