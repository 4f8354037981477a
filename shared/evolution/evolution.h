// What a changed definition makes of a running job: every difference with what becomes of it, and
// the plan that the job goes on with. docs/evolution.md has the rules.
//
// The rows of a running job have a form: tables with their columns and conditions. The new
// definition's views are laid over these tables as they are, so that what has been kept, sent and
// stored stays what it is. A table may keep its rows longer from then on, and further tables may be
// added, which are empty at first. Whatever would need another form is refused.
// Pure.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/plan/plan.h"

namespace tidemill {

enum class Effect : uint8_t {
  kAtOnce,   // exact from the moment at which the change is made
  kFills,    // its rows are kept from then on; it says since when it is complete
  kRefused,  // not while the job runs
};

struct Difference {
  std::string path;    // "views.customer.amount_mean_30d", "sources.payments.idle_after"
  std::string change;  // "added", "removed", "window: 7d -> 30d"
  Effect effect{};
  std::string reason;  // why it is so, and if it is refused what would be right
};

struct Evolution {
  // Of sources and settings, then by view; empty: both say the same.
  std::vector<Difference> differences;
  // The running job's next plan, as of its next revision; null if anything is refused.
  std::shared_ptr<const Plan> plan;
};

// `wanted`: as compiled; what is bound when a job is submitted (files, offsets to start from) is
// taken over from the running plan.
Evolution evolve(const Plan& running, const proto::JobPlan& wanted);

// Lays the views of `wanted` over the tables of `held`, whose sources it has by name. The plan is
// that of `wanted` but for its tables, views and services; null if anything is refused. For jobs
// that begin with a state which was made for another plan.
struct LaidOver {
  std::vector<Difference> differences;
  std::unique_ptr<proto::JobPlan> plan;
};
LaidOver lay_over(const Plan& held, const proto::JobPlan& wanted);

}  // namespace tidemill
