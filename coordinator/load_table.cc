#include "coordinator/load_table.h"

#include "shared/base/time.h"

namespace tidemill {
namespace {

// Long enough that a batch more or less makes no difference.
constexpr int64_t kDifferenceUs = 2 * kMicrosPerSecond;
constexpr double kNewest = 0.3;  // weight of the newest difference

}  // namespace

void LoadTable::count(const proto::KeyPartitionLoad& load, Epoch epoch, int64_t now_us,
                      Counted* of) {
  of->disk_bytes = load.disk_bytes();
  const bool goes_on = of->epoch == epoch && load.rows() >= of->rows && load.cpu_ns() >= of->cpu_ns;
  if (goes_on && now_us - of->at_us < kDifferenceUs) return;
  if (goes_on) {
    const double seconds =
        static_cast<double>(now_us - of->at_us) / static_cast<double>(kMicrosPerSecond);
    const double rows = static_cast<double>(load.rows() - of->rows) / seconds;
    const double cpu_ns = static_cast<double>(load.cpu_ns() - of->cpu_ns) / seconds;
    const double weight = of->measured ? kNewest : 1;
    of->rows_per_s += weight * (rows - of->rows_per_s);
    of->cpu_ns_per_s += weight * (cpu_ns - of->cpu_ns_per_s);
    of->measured = true;
  }
  of->epoch = epoch;
  of->at_us = now_us;
  of->rows = load.rows();
  of->cpu_ns = load.cpu_ns();
}

void LoadTable::take(const proto::Heartbeat& report, const CoordinatorState& state,
                     int64_t now_us) {
  for (const proto::JobReport& job : report.jobs()) {
    const auto entry = state.jobs.find(JobId{job.job()});
    if (entry == state.jobs.end() || !entry->second.job->live()) continue;
    const auto& grants = entry->second.grants->key_partitions;
    for (const proto::KeyPartitionLoad& load : job.loads()) {
      const uint32_t k = load.key_partition();
      if (k >= grants.size() || grants[k].node.value != report.node()) continue;
      count(load, grants[k].epoch, now_us, &jobs_[entry->first][k]);
    }
  }
}

void LoadTable::keep(const CoordinatorState& state) {
  std::erase_if(jobs_, [&](const auto& job) {
    const auto entry = state.jobs.find(job.first);
    return entry == state.jobs.end() || !entry->second.job->live();
  });
}

std::optional<MeasuredLoad> LoadTable::of(JobId job, uint32_t key_partition) const {
  const auto of_job = jobs_.find(job);
  if (of_job == jobs_.end()) return std::nullopt;
  const auto it = of_job->second.find(key_partition);
  if (it == of_job->second.end() || !it->second.measured) return std::nullopt;
  return MeasuredLoad{it->second.cpu_ns_per_s, it->second.rows_per_s, it->second.disk_bytes};
}

}  // namespace tidemill
