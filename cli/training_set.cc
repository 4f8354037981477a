#include "cli/training_set.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/job_file.h"
#include "cli/progress.h"
#include "cli/training/training_set.h"

namespace tidemill::cli {
namespace {

using nlohmann::ordered_json;
using training::Phase;

TimeUs now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// A bar for each phase, one after another. thread-safe
class PhaseBars {
 public:
  explicit PhaseBars(bool wanted) : wanted_(wanted) {}

  void update(Phase phase, uint64_t done, uint64_t total) {
    const std::lock_guard lock(mutex_);
    if (!bar_ || phase_ != phase) {
      bar_.reset();  // ends its line
      phase_ = phase;
      bar_ = std::make_unique<Progress>(label(phase), unit(phase), total, wanted_ && total > 0);
    }
    bar_->update(done);
  }

 private:
  static std::string label(Phase phase) {
    constexpr const char* kLabels[] = {"spine   ", "history ", "features", "output  "};
    return kLabels[static_cast<size_t>(phase)];
  }
  static std::string unit(Phase phase) {
    return phase == Phase::kSpine || phase == Phase::kHistory ? "bytes" : "rows";
  }

  std::mutex mutex_;
  bool wanted_;
  Phase phase_{};
  std::unique_ptr<Progress> bar_;
};

std::string directory_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

ordered_json describe(const training::TrainingSetReport& report) {
  ordered_json unused = ordered_json::array();
  for (const training::UnusedRecords& each : report.history.unused) {
    unused.push_back({{"where", each.where},
                      {"reason", reason_name(each.reason)},
                      {"view", each.view},
                      {"count", each.count},
                      {"first_offset", each.first_offset},
                      {"first_message", each.first_message}});
  }
  return {{"rows", report.rows},
          {"features", report.features},
          {"history_events", report.history.records},
          {"rows_without_key", report.history.no_key},
          {"approximate_values", report.approximate_values},
          {"events_without_arrival", report.history.no_arrival},
          {"spilled_bytes", report.spilled_bytes},
          {"unused", std::move(unused)}};
}

// What is not in the features, to stderr: nobody should train on less than they think.
void print_unused(const training::HistoryReport& history) {
  for (const training::UnusedRecords& each : history.unused) {
    std::fprintf(stderr, "tidemill: %s: %llu %s%s%s not used; the first at offset %llu: %s\n",
                 each.where.c_str(), static_cast<unsigned long long>(each.count),
                 each.count == 1 ? "record was" : "records were",
                 each.view.empty() ? "" : " in view ", each.view.c_str(),
                 static_cast<unsigned long long>(each.first_offset), each.first_message.c_str());
  }
  if (history.no_arrival > 0) {
    std::fprintf(stderr, "tidemill: %llu events do not say when they arrived, and were not used\n",
                 static_cast<unsigned long long>(history.no_arrival));
  }
}

void print_summary(const std::string& out, const training::TrainingSetReport& report) {
  std::fprintf(stderr, "%llu rows of %zu features, of %llu events, in %s",
               static_cast<unsigned long long>(report.rows), report.features,
               static_cast<unsigned long long>(report.history.records), out.c_str());
  if (report.spilled_bytes > 0) {
    std::fprintf(stderr, " (%llu MB spilled to disk on the way)",
                 static_cast<unsigned long long>(report.spilled_bytes >> 20));
  }
  std::fputc('\n', stderr);
  if (report.approximate_values > 0) {
    std::fprintf(stderr,
                 "tidemill: %llu values are approximate, of keys with more rows in a tile than "
                 "their view's max_rows\n",
                 static_cast<unsigned long long>(report.approximate_values));
  }
}

}  // namespace

ExitCode TrainingSetCommand::run(const GlobalOptions& global) const {
  CompiledJob compiled;
  if (const ExitCode read = read_job_file(job, &compiled); read != ExitCode::kOk) return read;
  if (!compiled.errors.empty()) return refuse_job(job, compiled);
  auto bars = std::make_unique<PhaseBars>(!quiet && !global.json);
  training::TrainingSetOptions options;
  options.spine = spine;
  options.out = out;
  options.service = service;
  options.time_column = time_column;
  options.known_at = {known_at == "arrival", arrival_column};
  options.memory_budget = memory_budget_bytes;
  options.spill_dir = spill_dir.empty() ? directory_of(out) : spill_dir;
  options.threads = threads > 0 ? threads : std::max(1u, std::thread::hardware_concurrency());
  options.now = now_us();
  options.progress = [&bars](Phase phase, uint64_t done, uint64_t total) {
    bars->update(phase, done, total);
  };
  const auto report = training::make_training_set(std::move(compiled.plan), options);
  bars.reset();
  if (!report) {
    const bool input = report.error().code() == ErrorCode::kUser;
    return fail(input ? ExitCode::kUsage : ExitCode::kFailed, report.error().message());
  }
  print_unused(report->history);
  if (global.json) {
    std::puts(describe(*report).dump().c_str());
  } else if (!quiet) {
    print_summary(out, *report);
  }
  return ExitCode::kOk;
}

}  // namespace tidemill::cli
