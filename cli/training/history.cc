#include "cli/training/history.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "shared/columns/row_block_writer.h"
#include "shared/source/avro_container.h"

namespace tidemill::training {
namespace {

constexpr LoadLimits kLoadLimits{32 << 10, 4 << 20};
constexpr TimeUs kNeverKnown = kMinTime;  // an event without an arrival

int field_of(const proto::Source& source, const std::string& name) {
  for (int i = 0; i < source.schema_size(); ++i) {
    if (source.schema(i).name() == name) return i;
  }
  return -1;
}

// Where people find a source partition.
std::string place_of(const proto::Source& source, uint32_t index) {
  if (source.has_files()) return source.files().paths(static_cast<int>(index));
  return source.name() + "[" + std::to_string(index) + "]";
}

// How much of `length` is before `offset`, in a log that ends at `end`: offsets may be of other
// units. 0: not known.
uint64_t part_of(uint64_t length, uint64_t offset, uint64_t end) {
  if (length == 0 || end == 0 || length == end) return offset;
  const double part = static_cast<double>(offset) / static_cast<double>(end);
  return static_cast<uint64_t>(static_cast<double>(length) * std::min(part, 1.0));
}

// Counts dead letters instead of writing them.
class LetterTally : public DeadLetterWriter {
 public:
  explicit LetterTally(std::string where) : where_(std::move(where)) {}

  Status append(std::span<const DeadLetter> letters) override {
    for (const DeadLetter& letter : letters) {
      ++counts_[{letter.reason, letter.view}];
      UnusedRecords& kind = kinds_[{letter.reason, letter.view}];
      if (kind.count++ > 0) continue;
      kind = {where_, letter.reason, letter.view, 1, letter.offset, letter.message};
    }
    return {};
  }
  const DeadLetterCounts& counts() const override { return counts_; }
  void report(std::vector<UnusedRecords>* out) const {
    for (const auto& [key, kind] : kinds_) out->push_back(kind);
  }

 private:
  std::string where_;
  DeadLetterCounts counts_;
  std::map<std::pair<BadReason, std::string>, UnusedRecords> kinds_;
};

}  // namespace

// What one source partition has given so far.
struct HistoryReader::Reading {
  explicit Reading(std::string where) : letters(std::move(where)) {}

  LetterTally letters;
  HistoryReport counts;
  int arrival_field = -1;
  std::vector<TimeUs> arrivals;
  std::vector<uint32_t> rows;
  std::vector<TimeUs> times;
};

Status check_history(const FeatureChoice& choice, const KnownAt& known_at) {
  const proto::JobPlan& plan = choice.plan->proto();
  for (int s = 0; s < plan.sources_size(); ++s) {
    if (!choice.needs_source(static_cast<uint32_t>(s))) continue;
    const proto::Source& source = plan.sources(s);
    const std::string where = "source '" + source.name() + "': ";
    if (source.has_kafka()) {
      return user_error(where +
                        "a topic is no history; write the job with 'history: {files: ...}' of what "
                        "was in it, or choose features of other sources by --service");
    }
    if (source.has_generator() && source.generator().events() == 0) {
      return user_error(where + "the generator has no end; give it 'events'");
    }
    if (!known_at.arrival) continue;
    if (known_at.column.empty()) {
      return user_error(where + (source.has_files() ? "files have" : "the generator has") +
                        " no timestamps of records; name the column that says when an event "
                        "arrived with --arrival-column, or use --known-at event");
    }
    const int field = field_of(source, known_at.column);
    if (field < 0 || source.schema(field).type() != proto::TIMESTAMP) {
      return user_error(where + "column '" + known_at.column + "' of --arrival-column is " +
                        (field < 0 ? "not in its schema" : "no timestamp") +
                        "; name a timestamp column that every source has");
    }
  }
  return {};
}

Status HistoryReader::read(uint32_t source_partition, uint64_t length) {
  uint32_t index = 0;
  const proto::Source& source = choice_->plan->source_of(source_partition, &index);
  auto loader = BatchLoader::open(choice_->plan, source_partition, {});
  if (!loader) return loader.error();
  Reading reading(place_of(source, index));
  if (known_at_->arrival) reading.arrival_field = field_of(source, known_at_->column);
  const LoadClock clock{0, [] { return int64_t{0}; }};
  LoadedBatch batch;
  uint64_t told = 0;
  do {
    if (Status loaded = (*loader)->load(clock, kLoadLimits, &reading.letters, &batch); !loaded) {
      return loaded;
    }
    if (Status added = add_batch(batch, &reading); !added) return added;
    const uint64_t end = (*loader)->log_info().end_offset;
    const uint64_t read = std::max(told, part_of(length, batch.end.offset, end));
    progress_(read - told);
    told = read;
  } while (!batch.end.finished && batch.end.offset > batch.begin.offset);
  const std::lock_guard lock(mutex_);
  report_.records += reading.counts.records;
  report_.no_key += reading.counts.no_key;
  report_.no_arrival += reading.counts.no_arrival;
  reading.letters.report(&report_.unused);
  return {};
}

Status HistoryReader::add_batch(const LoadedBatch& batch, Reading* reading) {
  reading->counts.records += batch.records;
  reading->counts.no_key += batch.null_keys;
  const std::vector<TimeUs>* known = &batch.event_times();
  if (reading->arrival_field >= 0) {
    const Column& column = batch.events.columns[static_cast<size_t>(reading->arrival_field)];
    reading->arrivals = column.ints;
    for (size_t i = 0; i < column.size(); ++i) {
      if (column.nulls[i] == 0) continue;
      reading->arrivals[i] = kNeverKnown;
      ++reading->counts.no_arrival;
    }
    known = &reading->arrivals;
  }
  for (const TableRows& rows : batch.tables) {
    if (choice_->chosen(rows.table) == SIZE_MAX) continue;
    if (Status added = add_table(batch, rows, *known, reading); !added) return added;
  }
  return {};
}

Status HistoryReader::add_table(const LoadedBatch& batch, const TableRows& rows,
                                const std::vector<TimeUs>& known, Reading* reading) {
  const size_t chosen = choice_->chosen(rows.table);
  const KeyFilter& filter = (*filters_)[chosen];
  for (uint32_t k = 0; k < kKeyPartitions; ++k) {
    reading->rows.clear();
    reading->times.clear();
    for (uint32_t i = rows.group_begin[k]; i < rows.group_begin[k + 1]; ++i) {
      const uint32_t row = rows.order[i];
      if (!filter.may_have(rows.key_hashes[row])) continue;
      if (reading->arrival_field >= 0 && known[row] == kNeverKnown) continue;
      reading->rows.push_back(row);
      reading->times.push_back(known[row]);
    }
    if (reading->rows.empty()) continue;
    ByteWriter out;
    begin_timed_block(reading->times, &out);
    write_row_block(rows.table,
                    {reading->rows, rows.key_hashes, batch.event_times(), rows.keys, rows.columns,
                     rows.filters},
                    &out);
    TimedBlock block(finish_timed_block(&out));
    if (Status added = spool_->add(history_stream(chosen, k), std::move(block)); !added) {
      return added;
    }
  }
  return {};
}

HistoryReport HistoryReader::report() const {
  const std::lock_guard lock(mutex_);
  HistoryReport out = report_;
  std::sort(out.unused.begin(), out.unused.end(),
            [](const UnusedRecords& a, const UnusedRecords& b) {
              return std::tie(a.where, a.first_offset) < std::tie(b.where, b.first_offset);
            });
  return out;
}

}  // namespace tidemill::training
