#include "cli/validate.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/cost_tables.h"
#include "cli/job_file.h"
#include "cli/table.h"
#include "shared/base/time.h"
#include "shared/base/time_zone.h"
#include "shared/expr/types.h"
#include "shared/kafka/client_settings.h"
#include "shared/plan/features.h"
#include "shared/plan/source_partitions.h"
#include "shared/plan/table_inputs.h"
#include "shared/plan/window_kinds.h"
#include "shared/plan/yaml_job.h"
#include "shared/plan/yaml_tree.h"
#include "shared/window/feature_value_json.h"

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
  switch (kafka.format()) {
    case proto::KafkaInput::CSV:
      return "csv";
    case proto::KafkaInput::AVRO:
      return "avro";
    case proto::KafkaInput::PROTOBUF:
      return "protobuf";
    default:
      return "json";
  }
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

// "DOUBLE", "decimal(12, 2)"
std::string value_type(const proto::Feature& feature) {
  return feature.has_details() ? type_name(feature.details())
                               : proto::ColumnType_Name(feature.type());
}
std::string key_type(const proto::Feature& feature) {
  return feature.has_key_details() ? type_name(feature.key_details())
                                   : proto::ColumnType_Name(feature.key_type());
}

std::string type_of(const proto::Feature& feature) {
  const std::string type = value_type(feature);
  if (feature.map()) return "map of " + key_type(feature) + " to " + type;
  return feature.list() ? "list of " + type : type;
}

// "percentile: 0.99, relative_accuracy: 0.01, max_buckets: 1024", "by: category, max_groups: 1000".
std::string parameters_of(const proto::Feature& feature, const proto::Table& table) {
  std::string out;
  for (const FunctionParameter& parameter : function_parameters(feature.function())) {
    out += (out.empty() ? "" : ", ") + std::string(parameter.key) + ": " +
           parameter_text(parameter, parameter_of(feature, parameter.field));
  }
  if (feature.by() == 0) return out;
  return out + (out.empty() ? "" : ", ") +
         "by: " + column_text(table, static_cast<int32_t>(feature.by()) - 1) +
         ", max_groups: " + std::to_string(feature.max_groups());
}

std::string closed_of(const proto::Feature& feature) {
  switch (feature.closed()) {
    case proto::Feature::LEFT:
      return "left";
    case proto::Feature::BOTH:
      return "both";
    case proto::Feature::NEITHER:
      return "neither";
    default:
      return "right";
  }
}

// As JSON; "null" if the feature has none.
std::string default_text(const proto::Feature& feature) {
  std::string out;
  append_feature_value(default_of(feature), static_cast<ColumnType>(feature.type()), &out);
  return out;
}

ordered_json describe(const proto::Feature& feature, const proto::Table& table) {
  ordered_json out = {
      {"feature", feature.name()},      {"function", function_name(feature.function())},
      {"window", window_text(feature)}, {"offset", format_duration(feature.offset_us())},
      {"closed", closed_of(feature)},   {"type", value_type(feature)},
      {"list", feature.list()}};
  if (feature.has_default_value()) {
    out["default"] = ordered_json::parse(default_text(feature));
  }
  if (feature.map()) out["map_key"] = key_type(feature);
  if (feature.by() > 0) {
    out["by"] = column_text(table, static_cast<int32_t>(feature.by()) - 1);
    out["max_groups"] = feature.max_groups();
  }
  for (const FunctionParameter& parameter : function_parameters(feature.function())) {
    const uint64_t value = parameter_of(feature, parameter.field);
    if (parameter.kind == FunctionParameter::Kind::kNumber) {
      out[std::string(parameter.key)] = value;
    } else {
      out[std::string(parameter.key)] = parameter_text(parameter, value);
    }
  }
  return out;
}

bool names_time_zone(const proto::JobPlan& plan) {
  for (const proto::View& view : plan.views()) {
    for (const proto::Feature& feature : view.features()) {
      if (!feature.steps().timezone().empty()) return true;
    }
  }
  return false;
}

bool has_lifetime(const proto::View& view) {
  return std::any_of(view.features().begin(), view.features().end(),
                     [](const proto::Feature& f) { return f.lifetime(); });
}

// Null if every row counts.
ordered_json deduplication_of(const proto::Table& table) {
  if (!table.has_deduplication()) return nullptr;
  ordered_json by = ordered_json::array();
  for (const uint32_t column : table.deduplication().by()) {
    by.push_back(column_text(table, static_cast<int32_t>(column)));
  }
  return {{"by", std::move(by)}, {"within", format_duration(table.deduplication().within_us())}};
}

// Behind how long rows are kept.
std::string deduplication_text(const proto::Table& table) {
  if (!table.has_deduplication()) return "";
  return ", " + format_duration(table.deduplication().within_us()) + " of it to deduplicate";
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
      definitions.push_back(describe(feature, table));
    }
    ordered_json order = ordered_json::array();
    for (const uint32_t column : view.order()) {
      order.push_back(column_text(table, static_cast<int32_t>(column)));
    }
    views.push_back({{"view", view.name()},
                     {"entity", joined(view.entity())},
                     {"source", source_names(plan, table)},
                     {"features", std::move(features)},
                     {"definitions", std::move(definitions)},
                     {"order", std::move(order)},
                     {"retention", format_duration(table.retention_us())},
                     {"deduplicate", deduplication_of(table)},
                     {"lifetime", has_lifetime(view)}});
  }
  ordered_json out = {{"job", plan.job()},
                      {"key_partitions", plan.key_partitions()},
                      {"sources", std::move(sources)},
                      {"views", std::move(views)}};
  if (names_time_zone(plan)) out["time_zone_rules"] = time_zone_release();
  return out;
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
    views.add({view.name(), joined(view.entity()), source_names(plan, table),
               std::to_string(view.features_size()),
               format_duration(table.retention_us()) + deduplication_text(table) +
                   (has_lifetime(view) ? ", before that a summary" : "")});
  }
  return views.render();
}

std::string features_of(const proto::JobPlan& plan) {
  Table features({"FEATURE", "WINDOW", "CLOSED", "OFFSET", "TYPE", "DEFAULT", "PARAMETER"});
  for (const proto::View& view : plan.views()) {
    const proto::Table& table = plan.tables(static_cast<int>(view.table()));
    for (const proto::Feature& feature : view.features()) {
      features.add({view.name() + "." + feature.name(), window_text(feature), closed_of(feature),
                    format_duration(feature.offset_us()), type_of(feature),
                    feature.has_default_value() ? default_text(feature) : "",
                    parameters_of(feature, table)});
    }
  }
  return features.render();
}

void print_plan(const std::string& file, const proto::JobPlan& plan) {
  std::printf("%s is a valid job: %s\n\n%s\n%s%s%s\n%s", file.c_str(), plan.job().c_str(),
              sources_of(plan).c_str(), topics_of(plan).c_str(), patterns_of(plan).c_str(),
              views_of(plan).c_str(), features_of(plan).c_str());
  if (names_time_zone(plan)) {
    std::printf("\ntime zones are those of this machine's tzdata, %s\n",
                time_zone_release().c_str());
  }
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

// Where a key of the job is; its beginning if it is not there.
Place place_of(const std::string& yaml, const std::string& path) {
  YamlNode root;
  ErrorList ignored;
  if (!parse_yaml(yaml, &root, &ignored)) return {1, 1};
  const YamlNode* node = find_node(root, path);
  return node == nullptr ? Place{1, 1} : node->place;
}

// What librdkafka can tell of its settings without a broker.
void check_clients(CompiledJob* job) {
  for (const proto::Source& source : job->plan.sources()) {
    if (!source.has_kafka()) continue;
    if (Status checked = check_client_settings(source.kafka()); !checked.ok()) {
      const std::string path = "sources." + source.name() + ".stream.kafka.client";
      const Place place = place_of(job->plan.yaml(), path);
      job->errors.push_back({place.line, place.column, path, checked.error().message()});
    }
  }
}

TimeUs now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Result<costs::SampleReport> read_sample(const ValidateCommand& command,
                                        const proto::JobPlan& plan) {
  constexpr uint64_t kMostBytes = uint64_t{2} << 30;
  costs::SampleOptions options;
  options.file = command.sample;
  options.source = command.source;
  options.keys = command.keys;
  options.now = now_us();
  options.most_bytes = kMostBytes;
  return costs::run_sample(plan, options);
}

Status show(const ValidateCommand& command, const proto::JobPlan& plan, bool json) {
  const auto compiled = Plan::from_proto(plan);
  if (!compiled) return compiled.error();
  const costs::JobCost cost = costs::cost_of(**compiled);
  std::optional<costs::SampleReport> sample;
  if (!command.sample.empty()) {
    auto read = read_sample(command, plan);
    if (!read) return read.error();
    sample = std::move(read).value();
  }
  if (json) {
    ordered_json out = describe(plan);
    out["cost"] = cost_json(cost);
    if (sample.has_value()) out["sample"] = sample_json(*sample, cost);
    std::puts(out.dump().c_str());
    return {};
  }
  print_plan(command.file, plan);
  std::printf("\n%s", cost_text(cost).c_str());
  if (sample.has_value()) std::printf("\n%s", sample_text(*sample, cost, command.sample).c_str());
  return {};
}

}  // namespace

ExitCode ValidateCommand::run(const GlobalOptions& global) const {
  CompiledJob job;
  if (const ExitCode read = read_job_file(file, &job); read != ExitCode::kOk) return read;
  if (job.errors.empty()) check_clients(&job);
  if (!job.errors.empty()) {
    if (global.json) std::puts(describe(job.errors).dump().c_str());
    return refuse_job(file, job);
  }
  const auto shown = show(*this, job.plan, global.json);
  if (shown.ok()) return ExitCode::kOk;
  const bool input = shown.error().code() == ErrorCode::kUser;
  return fail(input ? ExitCode::kUsage : ExitCode::kFailed, shown.error().message());
}

}  // namespace tidemill::cli
