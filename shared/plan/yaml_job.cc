#include "shared/plan/yaml_job.h"

#include <algorithm>

#include "shared/expr/suggest.h"
#include "shared/plan/limits.h"
#include "shared/plan/plan.h"
#include "shared/plan/plan_checks.h"
#include "shared/plan/table_layout.h"
#include "shared/plan/yaml_compile.h"

namespace tidemill {
namespace {

constexpr uint32_t kDefaultKeyPartitions = 128;
constexpr DurationUs kDefaultLateness = 3600 * kMicrosPerSecond;

void compile_head(YamlFields* fields, JobContext* job) {
  proto::JobPlan* plan = job->plan;
  if (fields->require("job", "the name of the job") != nullptr) {
    const std::optional<std::string> name = fields->text("job");
    if (name.has_value() && check_name(*name, fields->find("job")->place, "job", job->errors)) {
      plan->set_job(*name);
    }
  }
  plan->set_key_partitions(static_cast<uint32_t>(
      fields->integer("key_partitions", kDefaultKeyPartitions, 1, limits::kKeyPartitions)));
  plan->set_standby_replicas(
      static_cast<uint32_t>(fields->integer("standby_replicas", 0, 0, limits::kStandbyReplicas)));
  plan->set_allowed_lateness_us(fields->duration("allowed_lateness", kDefaultLateness));
}

// After the sources: those of Kafka are of now, files are of whenever they were written.
void compile_leading_edge(YamlFields* fields, JobContext* job) {
  const auto& sources = job->plan->sources();
  const bool live = std::any_of(sources.begin(), sources.end(),
                                [](const proto::Source& s) { return s.has_kafka(); });
  const size_t edge = fields->choice("leading_edge", {"event", "wall"}, live ? 1 : 0);
  job->plan->set_leading_edge(edge == 0 ? proto::JobPlan::EVENT : proto::JobPlan::WALL);
}

void compile_sections(const YamlNode& root, JobContext* job) {
  YamlFields fields(
      root, "",
      {"job", "key_partitions", "standby_replicas", "allowed_lateness", "leading_edge", "sources",
       "views", "services"},
      job->errors);
  if (!fields.is_map()) return;
  compile_head(&fields, job);
  const YamlNode* sources = fields.require("sources", "what to read events from");
  if (sources != nullptr) compile_sources(*sources, job);
  compile_leading_edge(&fields, job);
  const YamlNode* views = fields.require("views", "what to compute");
  if (views != nullptr) compile_views(*views, job);
  if (const YamlNode* services = fields.find("services"); services != nullptr) {
    compile_services(*services, job);
  }
}

}  // namespace

bool check_name(const std::string& name, Place place, const std::string& path, ErrorList* errors) {
  if (is_name(name)) return true;
  errors->add(place, path, "'" + clipped(name, 80) + "' is not a name: " + std::string(kNameRule));
  return false;
}

bool check_named_entries(const YamlNode& node, const std::string& path, const std::string& what,
                         size_t most, ErrorList* errors) {
  if (!node.is_map() || node.entries.empty()) {
    errors->add(node.place, path,
                "expected a mapping from the name of each " + what + " to what it is, found " +
                    (node.is_map() ? "an empty one" : node.describe()));
    return false;
  }
  if (node.entries.size() > most) {
    errors->add(node.place, path,
                "there are " + std::to_string(node.entries.size()) + " " + what + "s; at most " +
                    std::to_string(most) + " are allowed");
    return false;
  }
  for (const YamlEntry& entry : node.entries) {
    check_name(entry.key, entry.place, path + "." + entry.key, errors);
  }
  return true;
}

CompiledJob compile_job(std::string_view yaml, const std::string& base_dir,
                        InputFiles input_files) {
  CompiledJob out;
  ErrorList errors;
  YamlNode root;
  JobContext job;
  if (parse_yaml(yaml, &root, &errors)) {
    job.base_dir = base_dir;
    job.input_files = input_files;
    job.plan = &out.plan;
    job.errors = &errors;
    compile_sections(root, &job);
  }
  if (errors.empty()) {
    separate_views_that_can_fail(&out.plan);
    bound_tables(job.bounds, &out.plan);
    out.plan.set_yaml(std::string(yaml));
    out.plan.set_format_version(plan_format_of(out.plan));
    const auto checked = Plan::from_proto(out.plan);
    if (!checked.ok()) errors.add({1, 1}, kWholeDocument, checked.error().message());
  }
  out.errors = std::move(errors).sorted();
  return out;
}

}  // namespace tidemill
