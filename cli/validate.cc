#include "cli/validate.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/table.h"
#include "shared/base/time.h"
#include "shared/plan/yaml_job.h"

namespace tidemill::cli {
namespace {

using nlohmann::ordered_json;

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ",") + name;
  return out;
}

ordered_json describe(const proto::JobPlan& plan) {
  ordered_json views = ordered_json::array();
  for (const proto::View& view : plan.views()) {
    const proto::Table& table = plan.tables(static_cast<int>(view.table()));
    ordered_json features = ordered_json::array();
    for (const proto::Feature& feature : view.features()) features.push_back(feature.name());
    views.push_back({{"view", view.name()},
                     {"entity", joined(view.entity())},
                     {"source", plan.sources(static_cast<int>(table.source())).name()},
                     {"features", std::move(features)},
                     {"retention", format_duration(table.retention_us())}});
  }
  return {{"job", plan.job()}, {"key_partitions", plan.key_partitions()}, {"views", views}};
}

void print_plan(const std::string& file, const proto::JobPlan& plan) {
  Table sources({"SOURCE", "PARTITIONS", "OUT OF ORDER BY", "FIELDS"});
  sources.align_right(1);
  for (const proto::Source& source : plan.sources()) {
    sources.add({source.name(), std::to_string(source.partitions()),
                 format_duration(source.max_out_of_orderness_us()),
                 std::to_string(source.schema_size())});
  }
  Table views({"VIEW", "ENTITY", "SOURCE", "FEATURES", "RETENTION"});
  views.align_right(3);
  Table features({"FEATURE", "WINDOW", "OFFSET", "TYPE"});
  for (const proto::View& view : plan.views()) {
    const proto::Table& table = plan.tables(static_cast<int>(view.table()));
    views.add({view.name(), joined(view.entity()),
               plan.sources(static_cast<int>(table.source())).name(),
               std::to_string(view.features_size()), format_duration(table.retention_us())});
    for (const proto::Feature& feature : view.features()) {
      features.add({view.name() + "." + feature.name(), format_duration(feature.window_us()),
                    format_duration(feature.offset_us()), proto::ColumnType_Name(feature.type())});
    }
  }
  std::printf("%s is a valid job: %s\n\n%s\n%s\n%s", file.c_str(), plan.job().c_str(),
              sources.render().c_str(), views.render().c_str(), features.render().c_str());
}

ordered_json describe(const std::vector<JobError>& errors) {
  ordered_json list = ordered_json::array();
  for (const JobError& error : errors) {
    list.push_back({{"line", error.line},
                    {"column", error.column},
                    {"path", error.path},
                    {"message", error.message}});
  }
  return {{"error", {{"message", "the job has errors"}, {"errors", list}}}};
}

}  // namespace

ExitCode ValidateCommand::run(const GlobalOptions& global) const {
  std::ifstream in(file);
  std::stringstream yaml;
  if (!in || !(yaml << in.rdbuf())) {
    return fail(ExitCode::kUsage, "cannot read " + file + ": name a job file");
  }
  std::error_code ec;
  const std::string base_dir = std::filesystem::absolute(file, ec).parent_path().string();
  const CompiledJob job = compile_job(yaml.str(), base_dir);
  if (!job.errors.empty()) {
    if (global.json) std::puts(describe(job.errors).dump().c_str());
    for (const JobError& error : job.errors) {
      std::fprintf(stderr, "%s\n", to_string(error, file).c_str());
    }
    return fail(ExitCode::kUsage, file + " has " + std::to_string(job.errors.size()) +
                                      (job.errors.size() == 1 ? " error" : " errors"));
  }
  if (global.json) {
    std::puts(describe(job.plan).dump().c_str());
  } else {
    print_plan(file, job.plan);
  }
  return ExitCode::kOk;
}

}  // namespace tidemill::cli
