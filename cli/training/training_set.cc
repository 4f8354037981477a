#include "cli/training/training_set.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "cli/training/partition_join.h"
#include "cli/training/spine_reader.h"
#include "shared/plan/source_partitions.h"
#include "shared/source/file_identity.h"

namespace tidemill::training {
namespace {

// Does `count` jobs on so many threads, each job once; the first error ends it.
Status run_parallel(size_t count, unsigned threads, const std::function<Status(size_t)>& job) {
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  Status failed;
  const auto work = [&] {
    for (size_t i = next++; i < count; i = next++) {
      const Status status = job(i);
      if (status) continue;
      const std::lock_guard lock(mutex);
      if (failed) failed = status;
      next = count;
    }
  };
  std::vector<std::thread> others;
  for (size_t t = 1; t < std::min<size_t>(threads, count); ++t) others.emplace_back(work);
  work();
  for (std::thread& thread : others) thread.join();
  return failed;
}

// Sources as they are when a job is submitted, and key partitions of our own.
Status bind_plan(TimeUs now, proto::JobPlan* plan) {
  plan->set_key_partitions(kKeyPartitions);
  for (proto::Source& source : *plan->mutable_sources()) {
    if (source.has_kafka()) continue;
    if (source.not_after_us() == 0) source.set_not_after_us(now + kMicrosPerDay);
    if (!source.has_files()) continue;
    if (Status bound = bind_files_source(&source); !bound) return bound;
    if (!source.files().follow()) continue;
    if (Status found = discover_files(&source); !found) return found;
    source.mutable_files()->set_follow(false);  // as they are now
  }
  plan->clear_source_partitions();
  number_source_partitions(plan);
  return {};
}

// Of a file's text, to show progress by; 0: not known. Of a compressed one as its last four bytes
// say, which is wrong beyond 4 GB or if it has several members (RFC 1952).
uint64_t text_bytes(const std::string& path) {
  std::error_code ec;
  const auto size = std::filesystem::file_size(path, ec);
  if (ec || !path.ends_with(".gz")) return ec ? 0 : size;
  std::array<unsigned char, 4> last{};
  std::ifstream in(path, std::ios::binary);
  in.seekg(-static_cast<std::streamoff>(last.size()), std::ios::end);
  if (!in.read(reinterpret_cast<char*>(last.data()), last.size())) return 0;
  uint64_t bytes = 0;
  for (size_t i = last.size(); i-- > 0;) bytes = bytes << 8 | last[i];
  return bytes;
}

// What there is to read of a source partition, in its own units; 0: not known.
uint64_t length_of(const proto::Source& source, uint32_t index) {
  if (source.has_generator()) return source.generator().events();
  return text_bytes(source.files().paths(static_cast<int>(index)));
}

// Adds up what threads have done of a phase.
class PhaseProgress {
 public:
  PhaseProgress(const TrainingSetOptions& options, Phase phase, uint64_t total)
      : options_(options), phase_(phase), total_(total) {
    set(0);
  }
  void set(uint64_t done) { options_.progress(phase_, done, total_); }
  void add(uint64_t more) { options_.progress(phase_, done_ += more, total_); }

 private:
  const TrainingSetOptions& options_;
  Phase phase_;
  uint64_t total_;
  std::atomic<uint64_t> done_ = 0;
};

class TrainingSet {
 public:
  TrainingSet(FeatureChoice choice, const TrainingSetOptions& options)
      : choice_(std::move(choice)),
        options_(options),
        rows_(2 * choice_.tables.size() * kKeyPartitions, options.memory_budget / 2,
              options.spill_dir),
        spine_(&choice_, &rows_) {}

  Result<TrainingSetReport> make();

 private:
  Status open();
  Status read_spine();
  Status read_history();
  Status join();
  Status join_partition(size_t number, PhaseProgress* progress);
  Status write();
  Result<std::unique_ptr<RowSource>> open_spine(SpineColumns columns) const {
    // What a CSV spine has beside keys and time is of type STRING in Parquet.
    const SpineText text = is_parquet(options_.out) ? SpineText::kUtf8 : SpineText::kAny;
    return training::open_spine(options_.spine, columns, text, choice_.keys, options_.time_column);
  }
  std::vector<FeatureColumn> feature_columns() const;

  FeatureChoice choice_;
  const TrainingSetOptions& options_;
  RowSpool rows_;
  SpineReader spine_;
  std::unique_ptr<RowSink> sink_;
  std::unique_ptr<ResultSpool> results_;
  TrainingSetReport report_;
  std::atomic<uint64_t> approximate_ = 0;
};

Result<TrainingSetReport> TrainingSet::make() {
  for (const auto step : {&TrainingSet::open, &TrainingSet::read_spine, &TrainingSet::read_history,
                          &TrainingSet::join, &TrainingSet::write}) {
    if (Status status = (this->*step)(); !status) return status.error();
  }
  report_.rows = spine_.rows();
  report_.features = choice_.columns.size();
  report_.approximate_values = approximate_;
  report_.spilled_bytes = rows_.spilled_bytes() + results_->spilled_bytes();
  return report_;
}

// In the order in which their values are handed to the sink.
std::vector<FeatureColumn> TrainingSet::feature_columns() const {
  std::vector<FeatureColumn> out;
  for (const ColumnGroup& group : choice_.groups) {
    const ChosenTable& table = choice_.tables[choice_.chosen(group.table)];
    for (size_t i = group.begin; i < group.end; ++i) {
      out.push_back({choice_.columns[out.size()], table.definitions[i]});
    }
  }
  return out;
}

// What can be known to be wrong before anything is read.
Status TrainingSet::open() {
  if (Status checked = check_history(choice_, options_.known_at); !checked) return checked;
  auto spine = open_spine(SpineColumns::kAll);
  if (!spine) return spine.error().within("--spine");
  for (const std::string& column : choice_.columns) {
    const auto& taken = (*spine)->columns();
    if (std::find(taken.begin(), taken.end(), column) == taken.end()) continue;
    return user_error("--spine: " + options_.spine + " has a column '" + column +
                      "', which is the name of a feature's; rename it");
  }
  auto sink = open_sink(options_.out);
  if (!sink) return sink.error().within("--out");
  sink_ = std::move(sink).value();
  return sink_->begin(**spine, feature_columns());
}

Status TrainingSet::read_spine() {
  auto spine = open_spine(SpineColumns::kAsked);
  if (!spine) return spine.error();
  PhaseProgress progress(options_, Phase::kSpine, text_bytes(options_.spine));
  return spine_.read(spine->get(), [&](uint64_t position) { progress.set(position); });
}

Status TrainingSet::read_history() {
  std::vector<uint32_t> partitions;
  std::vector<uint64_t> lengths;
  uint64_t total = 0;
  bool known = true;
  for (uint32_t s = 0; s < choice_.plan->source_partitions(); ++s) {
    uint32_t index = 0;
    const proto::Source& source = choice_.plan->source_of(s, &index);
    if (!choice_.needs_source(choice_.plan->source_index(s))) continue;
    partitions.push_back(s);
    const uint64_t length = length_of(source, index);
    lengths.push_back(length);
    total += length;
    known &= length > 0;
  }
  PhaseProgress progress(options_, Phase::kHistory, known ? total : 0);
  HistoryReader reader(&choice_, &spine_.filters(), &options_.known_at, &rows_,
                       [&](uint64_t more) { progress.add(more); });
  const Status read = run_parallel(partitions.size(), options_.threads, [&](size_t i) {
    return reader.read(partitions[i], lengths[i]);
  });
  report_.history = reader.report();
  return read;
}

Status TrainingSet::join() {
  size_t row_bytes = 0;
  for (const ChosenTable& table : choice_.tables) {
    for (const FeatureSpec* feature : table.features) row_bytes += feature->list ? 64 : 12;
  }
  results_ = std::make_unique<ResultSpool>(spine_.rows(), choice_.groups.size(), row_bytes,
                                           options_.memory_budget / 4, options_.spill_dir);
  PhaseProgress progress(options_, Phase::kFeatures, spine_.rows() * choice_.tables.size());
  return run_parallel(choice_.tables.size() * kKeyPartitions, options_.threads,
                      [&](size_t number) { return join_partition(number, &progress); });
}

Status TrainingSet::join_partition(size_t number, PhaseProgress* progress) {
  const size_t table = number / kKeyPartitions;
  const auto k = static_cast<uint32_t>(number % kKeyPartitions);
  auto history = rows_.open(history_stream(table, k));
  if (!history) return history.error();
  auto spine = rows_.open(spine_stream(choice_.tables.size(), table, k));
  if (!spine) return spine.error();
  PartitionJoin join(&choice_, table, options_.known_at.arrival, sink_.get(), results_.get());
  const Status status =
      join.run(history->get(), spine->get(), [&](uint64_t more) { progress->add(more); });
  approximate_ += join.approximate();
  return status;
}

Status TrainingSet::write() {
  auto spine = open_spine(SpineColumns::kAll);
  if (!spine) return spine.error();
  PhaseProgress progress(options_, Phase::kOutput, spine_.rows());
  const size_t groups = choice_.groups.size();
  ResultSpool::Bucket bucket;
  size_t next_bucket = 0;
  uint64_t row = 0;
  SpineRows rows;
  for (;;) {
    if (Status read = (*spine)->read(&rows); !read) return read;
    const size_t count = rows.events.rows();
    if (count == 0 || row + count > spine_.rows()) break;
    for (size_t i = 0; i < count; ++i) {
      if (row == next_bucket * results_->bucket_rows()) {
        if (Status read = results_->read(next_bucket++, &bucket); !read) return read;
      }
      const auto values =
          std::span(bucket.values).subspan((row - bucket.first_row) * groups, groups);
      if (Status written = sink_->write(rows, i, values); !written) return written;
      ++row;
    }
    progress.set(row);
  }
  if (row == spine_.rows() && rows.events.rows() == 0) return sink_->finish();
  return source_changed_error(options_.spine + ": the file changed while it was read");
}

}  // namespace

Result<TrainingSetReport> make_training_set(proto::JobPlan plan,
                                            const TrainingSetOptions& options) {
  if (Status bound = bind_plan(options.now, &plan); !bound) return bound.error();
  auto compiled = Plan::from_proto(std::move(plan));
  if (!compiled) return compiled.error();
  auto choice = choose_features(std::move(compiled).value(), options.service);
  if (!choice) return choice.error();
  return TrainingSet(std::move(choice).value(), options).make();
}

}  // namespace tidemill::training
