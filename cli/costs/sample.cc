#include "cli/costs/sample.h"

#include <algorithm>
#include <filesystem>

#include "cli/costs/sample_keys.h"
#include "cli/costs/sample_rows.h"
#include "shared/dead_letter/dead_letter.h"
#include "shared/plan/file_format.h"
#include "shared/plan/source_partitions.h"
#include "shared/source/avro_container.h"
#include "shared/source/file_identity.h"

namespace tidemill::costs {
namespace {

constexpr LoadLimits kLoadLimits{32 << 10, 4 << 20};

std::string names_of(const proto::JobPlan& job) {
  std::string out;
  for (const proto::Source& source : job.sources()) {
    out += (out.empty() ? "" : ", ") + source.name();
  }
  return out;
}

Result<int> find_source(const proto::JobPlan& job, const std::string& name) {
  if (name.empty() && job.sources_size() == 1) return 0;
  for (int s = 0; s < job.sources_size(); ++s) {
    if (job.sources(s).name() == name) return s;
  }
  if (name.empty()) {
    return user_error(
        "the job has several sources; say whose events the sample is of by --source: " +
        names_of(job));
  }
  return user_error("--source: the job has no source '" + name + "'; its sources are " +
                    names_of(job));
}

// The job with the file in place of what the source reads.
Result<proto::JobPlan> job_over(const proto::JobPlan& job, int number,
                                const SampleOptions& options) {
  proto::JobPlan out = job;
  proto::Source* source = out.mutable_sources(number);
  proto::FilesInput* files = source->mutable_files();
  files->Clear();
  files->set_format(file_format(options.file));
  if (files->format() == proto::FilesInput::FORMAT_UNSPECIFIED) {
    return user_error("--sample: cannot tell the format of '" + options.file +
                      "'; name a file that ends with .csv, .ndjson or .jsonl, or with .gz after "
                      "that, or with .avro or .parquet");
  }
  std::error_code ec;
  files->add_paths(std::filesystem::absolute(options.file, ec).string());
  source->set_max_future_us(0);  // the file's records have no timestamps
  if (source->not_after_us() == 0) source->set_not_after_us(options.now + kMicrosPerDay);
  if (Status bound = bind_files_source(source); !bound) return bound.error().within("--sample");
  out.set_key_partitions(1);
  out.clear_source_partitions();
  number_source_partitions(&out);
  return out;
}

uint32_t partition_of(const Plan& plan, int source) {
  for (uint32_t s = 0; s < plan.source_partitions(); ++s) {
    uint32_t index = 0;
    if (&plan.source_of(s, &index) == &plan.proto().sources(source)) return s;
  }
  ASSERT(false);
}

// Counts what could not be used, and keeps the first of it. Lines are not known yet: `line` is the
// record's offset.
class BadEvents : public DeadLetterWriter {
 public:
  explicit BadEvents(size_t most) : most_(most) {}

  Status append(std::span<const DeadLetter> letters) override {
    for (const DeadLetter& letter : letters) {
      ++counts_[{letter.reason, letter.view}];
      ++count_;
      if (first_.size() < most_) {
        first_.push_back({letter.offset, letter.reason, letter.view, letter.message});
      }
    }
    return {};
  }
  const DeadLetterCounts& counts() const override { return counts_; }
  uint64_t count() const { return count_; }
  std::vector<BadEvent> take() { return std::move(first_); }

 private:
  size_t most_;
  uint64_t count_ = 0;
  DeadLetterCounts counts_;
  std::vector<BadEvent> first_;
};

// Offsets, which rise, become numbers of records.
Status number_records(FileText* text, std::vector<BadEvent>* events) {
  const auto header = read_avro_header(text);
  if (!header) return header.error();
  uint64_t before = 0;  // records
  uint64_t next = header->size;
  for (BadEvent& event : *events) {
    const uint64_t begin = event.line >> kAvroIndexBits;
    while (next < begin) {
      const auto block = read_avro_block(text, *header, next);
      if (!block) return block.error();
      before += block->records;
      next = block->next;
    }
    event.line = before + (event.line & kMaxAvroBlockRecords) + 1;
  }
  return {};
}

// Offsets, which rise, become lines.
Status number_lines(const std::string& path, FileText* text, std::vector<BadEvent>* events) {
  std::vector<char> buffer(1 << 20);
  uint64_t at = 0;
  uint64_t line = 1;
  for (BadEvent& event : *events) {
    const uint64_t offset = event.line;
    while (at < offset) {
      const auto got =
          text->read(at, buffer.data(), std::min<uint64_t>(buffer.size(), offset - at));
      if (!got) return got.error();
      if (*got == 0) return source_changed_error(path + ": the file changed while it was read");
      line += static_cast<uint64_t>(
          std::count(buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(*got), '\n'));
      at += *got;
      text->release(at);
    }
    event.line = line;
  }
  return {};
}

// Of a Parquet file offsets are rows already.
Status number_events(const proto::FilesInput& files, std::vector<BadEvent>* events) {
  if (events->empty() || files.format() == proto::FilesInput::PARQUET) return {};
  const std::string& path = files.paths(0);
  auto file = OpenFile::open(path);
  if (!file) return file.error();
  const std::unique_ptr<FileText> text = make_file_text(std::move(file).value());
  if (Status seen = text->refresh(); !seen) return seen;
  if (files.format() == proto::FilesInput::AVRO) return number_records(text.get(), events);
  return number_lines(path, text.get(), events);
}

Status read_all(BatchLoader* loader, BadEvents* bad, SampleRows* rows, SampleReport* report) {
  const LoadClock clock{0, [] { return int64_t{0}; }};
  LoadedBatch batch;
  do {
    if (Status loaded = loader->load(clock, kLoadLimits, bad, &batch); !loaded) return loaded;
    report->events += batch.records;
    report->null_keys += batch.null_keys;
    for (const TimeUs time : batch.event_times()) {
      report->first = std::min(report->first, time);
      report->last = std::max(report->last, time);
    }
    if (Status added = rows->add(batch); !added) return added;
  } while (!batch.end.finished && batch.end.offset > batch.begin.offset);
  return {};
}

// The features are those of `job`, which outlives what was computed by a copy of it.
void point_into(const proto::JobPlan& job, const Plan& plan, std::vector<KeySample>* keys) {
  std::map<const proto::Feature*, const proto::Feature*> same;
  for (int v = 0; v < job.views_size(); ++v) {
    for (int f = 0; f < job.views(v).features_size(); ++f) {
      same[&plan.proto().views(v).features(f)] = &job.views(v).features(f);
    }
  }
  for (KeySample& key : *keys) {
    for (FeatureSample& feature : key.features) feature.feature = same[feature.feature];
  }
}

}  // namespace

Result<SampleReport> run_sample(const proto::JobPlan& job, const SampleOptions& options) {
  const auto number = find_source(job, options.source);
  if (!number) return number.error();
  auto sampled = job_over(job, *number, options);
  if (!sampled) return sampled.error();
  const auto plan = Plan::from_proto(std::move(sampled).value());
  if (!plan) return plan.error();
  const proto::Source& source = (*plan)->proto().sources(*number);
  auto loader = BatchLoader::open(*plan, partition_of(**plan, *number), {});
  if (!loader) return loader.error().within("--sample");
  SampleRows rows(*plan, source.max_out_of_orderness_us() + job.allowed_lateness_us(),
                  options.most_bytes);
  BadEvents bad(options.bad);
  SampleReport report;
  if (Status read = read_all(loader->get(), &bad, &rows, &report); !read) {
    return read.error().within("--sample");
  }
  rows.free_expired(report.last);
  for (const auto& table : rows.tables()) report.tables.push_back(rows.measure(*table));
  report.too_late = rows.too_late();
  report.bad = bad.count();
  report.first_bad = bad.take();
  if (Status numbered = number_events(source.files(), &report.first_bad); !numbered) {
    return numbered.error().within("--sample");
  }
  report.keys = sample_keys(**plan, rows, options.keys, report.last);
  point_into(job, **plan, &report.keys);
  return report;
}

}  // namespace tidemill::costs
