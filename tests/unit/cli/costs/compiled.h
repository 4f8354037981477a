// A job for the tests of costs.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "shared/plan/plan.h"
#include "shared/plan/yaml_job.h"

namespace tidemill::costs {

inline proto::JobPlan compiled(const std::string& yaml, const std::string& base_dir = "/") {
  CompiledJob job = compile_job(yaml, base_dir);
  for (const JobError& error : job.errors) ADD_FAILURE() << to_string(error, "job.yaml");
  return std::move(job.plan);
}

inline std::shared_ptr<const Plan> plan_of(const std::string& yaml) {
  auto plan = Plan::from_proto(compiled(yaml));
  EXPECT_TRUE(plan.ok()) << plan.error().message();
  return std::move(plan).value();
}

}  // namespace tidemill::costs
