#include "shared/plan/source_partitions.h"

#include <vector>

#include "shared/plan/limits.h"

namespace tidemill {
namespace {

// By source, how many of its partitions are numbered.
std::vector<uint32_t> numbered(const proto::JobPlan& plan) {
  std::vector<uint32_t> out(static_cast<size_t>(plan.sources_size()));
  for (const proto::SourcePartition& each : plan.source_partitions()) ++out[each.source()];
  return out;
}

}  // namespace

uint32_t partition_count(const proto::Source& source) {
  if (source.has_files()) return static_cast<uint32_t>(source.files().paths_size());
  if (source.has_kafka()) return static_cast<uint32_t>(source.kafka().start_offsets_size());
  return source.generator().partitions();
}

bool may_grow(const proto::Source& source) {
  if (source.has_generator()) {
    return source.generator().partitions() < source.generator().partitions_at_most();
  }
  return source.has_kafka() || source.files().follow();
}

void number_source_partitions(proto::JobPlan* plan) {
  const std::vector<uint32_t> known = numbered(*plan);
  for (uint32_t s = 0; s < known.size(); ++s) {
    const uint32_t count = partition_count(plan->sources(static_cast<int>(s)));
    for (uint32_t index = known[s]; index < count; ++index) {
      proto::SourcePartition* added = plan->add_source_partitions();
      added->set_source(s);
      added->set_index(index);
    }
  }
}

Status check_source_partitions(const proto::JobPlan& plan) {
  if (plan.source_partitions_size() > static_cast<int>(limits::kSourcePartitions)) {
    return user_error("the plan has " + std::to_string(plan.source_partitions_size()) +
                      " source partitions; at most " + std::to_string(limits::kSourcePartitions) +
                      " are allowed");
  }
  std::vector<uint32_t> next(static_cast<size_t>(plan.sources_size()));
  for (const proto::SourcePartition& each : plan.source_partitions()) {
    if (each.source() >= next.size() || each.index() != next[each.source()]) {
      return user_error("the plan's source partitions are not numbered in order");
    }
    ++next[each.source()];
  }
  for (size_t s = 0; s < next.size(); ++s) {
    if (next[s] == partition_count(plan.sources(static_cast<int>(s)))) continue;
    return user_error("source '" + plan.sources(static_cast<int>(s)).name() +
                      "' has partitions without a number, or numbers without a partition");
  }
  return {};
}

}  // namespace tidemill
