#include "cli/validate.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/table.h"
#include "shared/base/time.h"
#include "shared/kafka/client_settings.h"
#include "shared/plan/features.h"
#include "shared/plan/source_partitions.h"
#include "shared/plan/yaml_job.h"

namespace tidemill::cli {
namespace {

using nlohmann::ordered_json;

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ",") + name;
  return out;
}

std::string start_of(const proto::KafkaInput& kafka) {
  if (kafka.start() == proto::KafkaInput::LATEST) return "latest";
  if (kafka.start() == proto::KafkaInput::EARLIEST) return "earliest";
  return format_timestamp(kafka.start_time_us());
}

std::string format_of(const proto::KafkaInput& kafka) {
  return kafka.format() == proto::KafkaInput::CSV ? "csv" : "json";
}

// Not the values of settings: they may be secrets.
ordered_json describe(const proto::Source& source) {
  ordered_json out = {{"source", source.name()},
                      {"max_out_of_orderness", format_duration(source.max_out_of_orderness_us())}};
  if (source.has_kafka()) {
    const proto::KafkaInput& kafka = source.kafka();
    out["input"] = "kafka";
    out["brokers"] = kafka.brokers();
    out["topic"] = kafka.topic();
    out["format"] = format_of(kafka);
    out["start"] = start_of(kafka);
    out["group"] = kafka.group();
    out["max_future"] = format_duration(source.max_future_us());
    return out;
  }
  out["input"] = source.has_files() ? "files" : "generator";
  out["partitions"] = partition_count(source);
  if (!source.has_files()) return out;
  out["follow"] = source.files().follow();
  out["files"] = source.files().paths();
  if (source.files().follow()) out["patterns"] = source.files().patterns();
  return out;
}

std::string window_of(const proto::Feature& feature) {
  return feature.lifetime() ? "lifetime" : format_duration(feature.window_us());
}

std::string type_of(const proto::Feature& feature) {
  const std::string type = proto::ColumnType_Name(feature.type());
  return feature.list() ? "list of " + type : type;
}

ordered_json describe(const proto::Feature& feature) {
  ordered_json out = {{"feature", feature.name()},
                      {"function", function_name(feature.function())},
                      {"window", window_of(feature)},
                      {"offset", format_duration(feature.offset_us())},
                      {"type", proto::ColumnType_Name(feature.type())},
                      {"list", feature.list()}};
  if (const auto parameter = function_parameter(feature.function()); parameter.has_value()) {
    out[std::string(parameter->key)] = feature.n();
  }
  return out;
}

bool has_lifetime(const proto::View& view) {
  return std::any_of(view.features().begin(), view.features().end(),
                     [](const proto::Feature& f) { return f.lifetime(); });
}

ordered_json describe(const proto::JobPlan& plan) {
  ordered_json sources = ordered_json::array();
  for (const proto::Source& source : plan.sources()) sources.push_back(describe(source));
  ordered_json views = ordered_json::array();
  for (const proto::View& view : plan.views()) {
    const proto::Table& table = plan.tables(static_cast<int>(view.table()));
    ordered_json features = ordered_json::array();
    ordered_json definitions = ordered_json::array();
    for (const proto::Feature& feature : view.features()) {
      features.push_back(feature.name());
      definitions.push_back(describe(feature));
    }
    ordered_json order = ordered_json::array();
    for (const uint32_t column : view.order()) {
      order.push_back(table.columns(static_cast<int>(column)).text());
    }
    views.push_back({{"view", view.name()},
                     {"entity", joined(view.entity())},
                     {"source", plan.sources(static_cast<int>(table.source())).name()},
                     {"features", std::move(features)},
                     {"definitions", std::move(definitions)},
                     {"order", std::move(order)},
                     {"retention", format_duration(table.retention_us())},
                     {"lifetime", has_lifetime(view)}});
  }
  return {{"job", plan.job()},
          {"key_partitions", plan.key_partitions()},
          {"sources", std::move(sources)},
          {"views", std::move(views)}};
}

std::string input_of(const proto::Source& source) {
  if (source.has_kafka()) return "kafka";
  if (!source.has_files()) return "generator";
  return source.files().follow() ? "files, followed" : "files";
}

std::string sources_of(const proto::JobPlan& plan) {
  Table sources({"SOURCE", "INPUT", "PARTITIONS", "OUT OF ORDER BY", "FIELDS"});
  sources.align_right(2);
  for (const proto::Source& source : plan.sources()) {
    // The topic is asked for its partitions when the job is submitted.
    sources.add({source.name(), input_of(source),
                 source.has_kafka() ? "?" : std::to_string(partition_count(source)),
                 format_duration(source.max_out_of_orderness_us()),
                 std::to_string(source.schema_size())});
  }
  return sources.render();
}

// Empty if the job reads no topic.
std::string topics_of(const proto::JobPlan& plan) {
  Table topics({"SOURCE", "TOPIC", "BROKERS", "FORMAT", "START", "GROUP", "MAX FUTURE"});
  bool any = false;
  for (const proto::Source& source : plan.sources()) {
    if (!source.has_kafka()) continue;
    any = true;
    const proto::KafkaInput& kafka = source.kafka();
    topics.add({source.name(), kafka.topic(), kafka.brokers(), format_of(kafka), start_of(kafka),
                kafka.group(), format_duration(source.max_future_us())});
  }
  return any ? topics.render() + "\n" : "";
}

// Empty if the job follows no files.
std::string patterns_of(const proto::JobPlan& plan) {
  Table patterns({"SOURCE", "FOLLOWS"});
  bool any = false;
  for (const proto::Source& source : plan.sources()) {
    for (const std::string& pattern : source.files().patterns()) {
      any = true;
      patterns.add({source.name(), pattern});
    }
  }
  return any ? patterns.render() + "\n" : "";
}

std::string views_of(const proto::JobPlan& plan) {
  Table views({"VIEW", "ENTITY", "SOURCE", "FEATURES", "RETENTION"});
  views.align_right(3);
  for (const proto::View& view : plan.views()) {
    const proto::Table& table = plan.tables(static_cast<int>(view.table()));
    views.add({view.name(), joined(view.entity()),
               plan.sources(static_cast<int>(table.source())).name(),
               std::to_string(view.features_size()),
               format_duration(table.retention_us()) +
                   (has_lifetime(view) ? ", before that a summary" : "")});
  }
  return views.render();
}

std::string features_of(const proto::JobPlan& plan) {
  Table features({"FEATURE", "WINDOW", "OFFSET", "TYPE", "PARAMETER"});
  for (const proto::View& view : plan.views()) {
    for (const proto::Feature& feature : view.features()) {
      const auto parameter = function_parameter(feature.function());
      features.add({view.name() + "." + feature.name(), window_of(feature),
                    format_duration(feature.offset_us()), type_of(feature),
                    parameter.has_value()
                        ? std::string(parameter->key) + ": " + std::to_string(feature.n())
                        : ""});
    }
  }
  return features.render();
}

void print_plan(const std::string& file, const proto::JobPlan& plan) {
  std::printf("%s is a valid job: %s\n\n%s\n%s%s%s\n%s", file.c_str(), plan.job().c_str(),
              sources_of(plan).c_str(), topics_of(plan).c_str(), patterns_of(plan).c_str(),
              views_of(plan).c_str(), features_of(plan).c_str());
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

// What librdkafka can tell of its settings without a broker.
void check_clients(CompiledJob* job) {
  for (const proto::Source& source : job->plan.sources()) {
    if (!source.has_kafka()) continue;
    if (Status checked = check_client_settings(source.kafka()); !checked.ok()) {
      job->errors.push_back(
          {0, 0, "sources." + source.name() + ".stream.kafka.client", checked.error().message()});
    }
  }
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
  CompiledJob job = compile_job(yaml.str(), base_dir);
  if (job.errors.empty()) check_clients(&job);
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
