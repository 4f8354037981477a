// Jobs for tests of what a changed definition makes of them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "shared/evolution/evolution.h"
#include "shared/plan/source_partitions.h"
#include "shared/plan/yaml_job.h"

namespace tidemill::test {

// As a front end gives it: with nothing bound.
inline proto::JobPlan compile(const std::string& yaml,
                              InputFiles input_files = InputFiles::kRequired) {
  const CompiledJob job = compile_job(yaml, "/", input_files);
  for (const JobError& error : job.errors) ADD_FAILURE() << to_string(error, "job.yaml");
  return job.plan;
}

// As a job that runs.
inline std::shared_ptr<const Plan> run(proto::JobPlan plan) {
  for (proto::Source& source : *plan.mutable_sources()) {
    if (!source.has_kafka() && source.not_after_us() == 0) source.set_not_after_us(77);
  }
  number_source_partitions(&plan);
  auto checked = Plan::from_proto(std::move(plan));
  if (!checked.ok()) ADD_FAILURE() << checked.error().message();
  return checked.ok() ? *checked : nullptr;
}

inline std::string with_views(const std::string& views, const std::string& head = "") {
  return "job: pay\n" + head + R"(
sources:
  tx:
    stream: {generator: {partitions: 2, customers: 5, terminals: 5, events_per_second: 1}}
views:
)" + views;
}

inline std::string text_of(const std::vector<Difference>& differences) {
  std::string out;
  for (const Difference& d : differences) {
    const char* effect = d.effect == Effect::kAtOnce  ? "at once"
                         : d.effect == Effect::kFills ? "fills"
                                                      : "refused";
    out += d.path + ": " + d.change + ": " + effect + ": " + d.reason + "\n";
  }
  return out;
}

// One line a difference, without the reason of those that are there at once.
inline std::string brief(const std::vector<Difference>& differences) {
  std::string out;
  for (const Difference& d : differences) {
    out += d.path + ": " + d.change;
    if (d.effect == Effect::kFills) out += " FILLS: " + d.reason;
    if (d.effect == Effect::kRefused) out += " REFUSED: " + d.reason;
    out += "\n";
  }
  return out;
}

}  // namespace tidemill::test
