#include "coordinator/savepoint_plan.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <utility>

#include "shared/base/utf8.h"
#include "shared/evolution/evolution.h"
#include "shared/plan/source_partitions.h"
#include "shared/plan/table_layout.h"
#include "shared/state/partition_disk.h"

namespace tidemill {
namespace {

using google::protobuf::util::MessageDifferencer;

constexpr size_t kMostDifferenceBytes = 500;

// The messages' first differences, for people; empty: there are none.
template <typename Message>
std::string differences(const Message& saved, const Message& now) {
  std::string out;
  MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&out);
  if (differencer.Compare(saved, now)) return {};
  std::replace(out.begin(), out.end(), '\n', ' ');
  return printable(out, kMostDifferenceBytes);
}

// Without what may differ: where a source is reached and how fast, and what is taken over from the
// savepoint.
proto::Source essence(proto::Source source) {
  source.clear_max_out_of_orderness_us();
  source.clear_idle_after_us();
  source.clear_not_after_us();
  if (source.has_files()) {
    auto* files = source.mutable_files();
    files->clear_paths();
    files->clear_identities();
    files->clear_patterns();
    files->clear_patterns_hash();
    files->clear_follow();
    files->clear_replay_speed();
  } else if (source.has_kafka()) {
    auto* kafka = source.mutable_kafka();
    kafka->clear_brokers();
    kafka->clear_start();
    kafka->clear_start_time_us();
    kafka->clear_start_offsets();
    kafka->clear_group();
    kafka->clear_client();
  } else if (source.has_generator()) {
    source.mutable_generator()->clear_partitions();
    source.mutable_generator()->clear_partitions_at_most();
    source.mutable_generator()->clear_replay_speed();
  }
  return source;
}

// A table's own: how long it keeps rows is compared apart, and with it for how long a row makes
// duplicates of others, which is found out when they are read.
proto::Table essence(proto::Table table) {
  table.clear_retention_us();
  if (table.has_deduplication()) table.mutable_deduplication()->clear_within_us();
  return table;
}

std::string names_of(const proto::JobPlan& plan) {
  std::string out;
  for (const auto& source : plan.sources()) out += (out.empty() ? "" : ", ") + source.name();
  return out;
}

class Comparison {
 public:
  Comparison(const Savepoint& savepoint, const proto::JobPlan& plan)
      : saved_(savepoint.plan->proto()), plan_(plan), name_(savepoint.name) {}

  std::vector<JobError> run() {
    if (plan_.key_partitions() != saved_.key_partitions()) {
      add("key_partitions", "savepoint '" + name_ + "' has " +
                                std::to_string(saved_.key_partitions()) +
                                " key partitions, and so must the job; this one has " +
                                std::to_string(plan_.key_partitions()));
    }
    compare_sources();
    return std::move(errors_);
  }

  // Whether the job's own tables are those of the savepoint, which has all that is needed of them.
  bool same_tables() const {
    if (plan_.tables_size() != saved_.tables_size()) return false;
    for (int t = 0; t < saved_.tables_size(); ++t) {
      if (!same_table(t)) return false;
    }
    return true;
  }

 private:
  void add(const std::string& path, const std::string& message) {
    errors_.push_back({0, 0, path, message});
  }

  void compare_sources() {
    if (plan_.sources_size() != saved_.sources_size()) {
      add("sources", "the job must have the sources of savepoint '" + name_ +
                         "', in their order: " + names_of(saved_) + "; it has " + names_of(plan_));
      return;
    }
    for (int i = 0; i < saved_.sources_size(); ++i) {
      const auto what = differences(essence(saved_.sources(i)), essence(plan_.sources(i)));
      if (what.empty()) continue;
      add("sources." + plan_.sources(i).name(),
          "differs from the source of savepoint '" + name_ + "' (saved -> job): " + what);
    }
  }

  bool same_table(int t) const {
    const proto::Table& saved = saved_.tables(t);
    const proto::Table& now = plan_.tables(t);
    const auto number = static_cast<uint32_t>(t);
    return MessageDifferencer::Equals(essence(saved), essence(now)) &&
           now.retention_us() <= saved.retention_us() &&
           lifetime_of(plan_, t) == lifetime_of(saved_, t) &&
           rows_kept(saved_, number) >= rows_kept(plan_, number);
  }

  // Of the features over a table that have a lifetime window, what their summaries depend on.
  static std::vector<std::string> lifetime_of(const proto::JobPlan& plan, int table) {
    std::vector<std::string> out;
    for (const auto& view : plan.views()) {
      if (static_cast<int>(view.table()) != table) continue;
      std::string order;
      for (const uint32_t column : view.order()) order += std::to_string(column) + ",";
      for (const auto& feature : view.features()) {
        if (feature.lifetime()) out.push_back(order + feature.SerializeAsString());
      }
    }
    return out;
  }

  const proto::JobPlan& saved_;
  const proto::JobPlan& plan_;
  const std::string& name_;
  std::vector<JobError> errors_;
};

// What of the views the savepoint's rows cannot answer.
std::vector<JobError> refusals(const std::vector<Difference>& differences,
                               const std::string& savepoint) {
  std::vector<JobError> out;
  for (const Difference& difference : differences) {
    if (difference.effect != Effect::kRefused) continue;
    out.push_back({0, 0, difference.path,
                   "the state of savepoint '" + savepoint + "' does not give it (" +
                       difference.change + "): " + difference.reason});
  }
  return out;
}

// Files that a source without `follow` names now and did not before, behind those of the savepoint.
Status add_named_files(SourceCatalog* catalog, const proto::Source& now, proto::Source* out) {
  auto* files = out->mutable_files();
  proto::Source fresh = now;
  fresh.mutable_files()->clear_paths();
  for (const auto& path : now.files().paths()) {
    const auto& known = files->paths();
    if (std::find(known.begin(), known.end(), path) == known.end()) {
      fresh.mutable_files()->add_paths(path);
    }
  }
  if (fresh.files().paths_size() == 0) return {};
  if (auto bound = catalog->bind(&fresh); !bound) return bound;
  for (const auto& path : fresh.files().paths()) files->add_paths(path);
  for (const auto& identity : fresh.files().identities()) *files->add_identities() = identity;
  return {};
}

Status add_topic_partitions(SourceCatalog* catalog, const proto::Source& saved,
                            proto::Source* source) {
  if (auto bound = catalog->bind(source); !bound) return bound;
  auto* kafka = source->mutable_kafka();
  const int now = kafka->start_offsets_size();
  const int before = saved.kafka().start_offsets_size();
  if (now < before) {
    return user_error("topic '" + kafka->topic() + "' has " + std::to_string(now) +
                      " partitions; the savepoint has read " + std::to_string(before));
  }
  *kafka->mutable_start_offsets() = saved.kafka().start_offsets();
  for (int i = before; i < now; ++i) kafka->add_start_offsets(0);
  return {};
}

Status bind_source(SourceCatalog* catalog, const proto::Source& saved, proto::Source* source) {
  source->set_not_after_us(saved.not_after_us());
  if (source->has_kafka()) return add_topic_partitions(catalog, saved, source);
  if (source->has_generator()) {
    auto* generator = source->mutable_generator();
    generator->set_partitions(std::max(generator->partitions(), saved.generator().partitions()));
    generator->set_partitions_at_most(saved.generator().partitions_at_most());
    return {};
  }
  const proto::Source now = *source;
  *source->mutable_files()->mutable_paths() = saved.files().paths();
  *source->mutable_files()->mutable_identities() = saved.files().identities();
  return source->files().follow() ? catalog->discover(source)
                                  : add_named_files(catalog, now, source);
}

}  // namespace

std::vector<JobError> bind_from_savepoint(SourceCatalog* catalog, TimeUs not_after,
                                          const Savepoint& savepoint, proto::JobPlan* plan) {
  Comparison comparison(savepoint, *plan);
  auto errors = comparison.run();
  if (!errors.empty()) return errors;
  // With tables of its own, or over those of the savepoint.
  if (!comparison.same_tables()) {
    const LaidOver laid = lay_over(*savepoint.plan, *plan);
    if (laid.plan == nullptr) return refusals(laid.differences, savepoint.name);
    *plan = *laid.plan;
  }
  const proto::JobPlan& saved = savepoint.plan->proto();
  for (int i = 0; i < plan->sources_size(); ++i) {
    proto::Source* source = plan->mutable_sources(i);
    if (auto bound = bind_source(catalog, saved.sources(i), source); !bound) {
      const std::string& message = bound.error().message();
      errors.push_back({0, 0, "sources." + source->name(), printable(message, message.size())});
    }
    if (!source->has_kafka() && source->not_after_us() == 0) source->set_not_after_us(not_after);
  }
  if (!errors.empty()) return errors;
  *plan->mutable_source_partitions() = saved.source_partitions();
  number_source_partitions(plan);
  return errors;
}

bool reads_state_of(const Plan& plan, const Savepoint& savepoint) {
  return reads_states_of(*plan.tables(), schema_hash(*savepoint.plan->tables()));
}

}  // namespace tidemill
