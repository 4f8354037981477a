// Views of a changed definition, laid over the tables that a running job keeps.
#pragma once

#include <string>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/evolution/evolution.h"
#include "shared/plan/plan.h"

namespace tidemill {

struct NextViews {
  std::vector<proto::View> views;
  uint32_t next_number = 0;  // as JobPlan has it
  std::vector<proto::Table> tables;
};

// The views as they go on, with their tables, columns and filters in `held`: first those that it
// has, in its order, then new ones; likewise the features of each. Its tables stay, first; some may
// keep rows longer, and further ones may follow. Appends every difference; if one is refused, views
// and tables mean nothing.
NextViews changed_views(const Plan& held, const proto::JobPlan& wanted,
                        std::vector<Difference>* differences);

}  // namespace tidemill
