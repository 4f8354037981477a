// A job's plan in the form processes use: the Protobuf message, checked, with the window state's
// schemas and feature specs taken from it. immutable
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/window/table_schema.h"

namespace tidemill {

inline constexpr uint32_t kLeastPlanFormat = 3;
inline constexpr uint32_t kPlanFormat = 5;

// The lowest format version whose readers know all that the plan says: 5 with decimals, lists,
// structs or maps, 4 with tables that deduplicate or have a bound.
uint32_t plan_format_of(const proto::JobPlan& plan);

struct ViewSpec {
  std::string name;
  uint32_t number = 0;              // under which it is counted
  std::vector<std::string> entity;  // join keys, in declared order
  uint16_t table = 0;                 // of its first features; others may be over further ones
  std::vector<FeatureSpec> features;  // each says which table it is over
};

class Plan {
 public:
  // Refuses a message that is inconsistent (an index out of range, an unknown enum): a plan from
  // the wire is outside bytes.
  static Result<std::shared_ptr<const Plan>> from_proto(proto::JobPlan message);

  const proto::JobPlan& proto() const { return proto_; }
  const TableSchemas& tables() const { return tables_; }
  const std::vector<ViewSpec>& views() const { return views_; }
  const ViewSpec* view(std::string_view name) const;  // null if there is none
  // One more than the greatest number of a view. Of a job that was changed, some may be of no view.
  uint32_t view_numbers() const;
  uint32_t key_partitions() const { return proto_.key_partitions(); }
  uint32_t source_partitions() const {
    return static_cast<uint32_t>(proto_.source_partitions_size());
  }
  // Index of the source of a source partition among proto().sources().
  uint32_t source_index(uint32_t source_partition) const;
  // That source, and the partition's index within it.
  const proto::Source& source_of(uint32_t source_partition, uint32_t* index) const;

 private:
  proto::JobPlan proto_;
  TableSchemas tables_;
  std::vector<ViewSpec> views_;
};

}  // namespace tidemill
