// The key deduplicate of a view: which events are one and the same, and for how long.
#pragma once

#include <optional>
#include <vector>

#include "shared/plan/yaml_union.h"

namespace tidemill {

struct DeduplicateKeys {
  std::vector<proto::Expr> by;  // columns of the view
  DurationUs within = 0;
};

// Nothing if it is not there. `view` has the key; `inputs` null: its columns are not known.
std::optional<DeduplicateKeys> compile_deduplicate(YamlFields* view, const ViewInputs* inputs,
                                                   ErrorList* errors);

// Why a feature, whose window and offset are set, does not go with them; empty: it does.
std::string deduplicated_window_fault(const proto::Feature& feature, const DeduplicateKeys& keys);

}  // namespace tidemill
