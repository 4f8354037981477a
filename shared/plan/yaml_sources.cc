#include <algorithm>
#include <array>

#include "shared/expr/suggest.h"
#include "shared/expr/types.h"
#include "shared/plan/limits.h"
#include "shared/plan/plan_checks.h"
#include "shared/plan/source_partitions.h"
#include "shared/plan/yaml_compile.h"
#include "shared/plan/yaml_inputs.h"

namespace tidemill {
namespace {

constexpr DurationUs kDefaultIdleAfter = 30 * kMicrosPerSecond;
constexpr TimeUs kNotAfterUnstated = 0;  // the coordinator states it at submit
constexpr DurationUs kDefaultMaxFuture = 600 * kMicrosPerSecond;
constexpr TimeUs kDefaultStartTime = 1'522'540'800'000'000;  // 2018-04-01T00:00:00Z
constexpr DurationUs kDefaultLateBy = 600 * kMicrosPerSecond;

struct GeneratedColumn {
  const char* name;
  proto::ColumnType type;
};
constexpr std::array<GeneratedColumn, 6> kGeneratedSchema{{{"transaction_id", proto::INT64},
                                                           {"event_time", proto::TIMESTAMP},
                                                           {"customer_id", proto::STRING},
                                                           {"terminal_id", proto::STRING},
                                                           {"amount", proto::DOUBLE},
                                                           {"is_fraud", proto::BOOL}}};

std::string generated_schema_text() {
  std::string out;
  for (const GeneratedColumn& each : kGeneratedSchema) {
    out += (out.empty() ? "{" : ", ") + std::string(each.name) + ": " + type_name(each.type);
  }
  return out + "}";
}

class SourceCompiler {
 public:
  SourceCompiler(const YamlEntry& entry, JobContext* job)
      : job_(*job),
        errors_(job->errors),
        path_("sources." + entry.key),
        fields_(entry.value, path_,
                {"schema", "event_time", "max_out_of_orderness", "idle_after", "not_after",
                 "max_future", "stream", "history"},
                job->errors) {
    source_.set_name(entry.key);
    columns_.name = entry.key;
  }

  void compile() {
    if (fields_.is_map()) {
      const YamlNode* generator = find_generator();
      compile_schema(generator != nullptr);
      compile_event_time(generator != nullptr);
      source_.set_max_out_of_orderness_us(fields_.duration("max_out_of_orderness", 0));
      source_.set_idle_after_us(fields_.duration("idle_after", kDefaultIdleAfter));
      compile_input();
      compile_latest();
    }
    *job_.plan->add_sources() = std::move(source_);
    job_.sources.push_back(std::move(columns_));
  }

 private:
  const YamlNode* find_generator() const {
    const YamlNode* stream = fields_.find("stream");
    if (stream == nullptr) return nullptr;
    const YamlNode* generator = nullptr;
    for (const YamlEntry& entry : stream->entries) {
      if (entry.key == "generator") generator = &entry.value;
      if (entry.key == "files" || entry.key == "kafka") return nullptr;
    }
    return generator;
  }

  void add_column(const std::string& name, const proto::Type& type) {
    proto::Field* field = source_.add_schema();
    field->set_name(name);
    set_full_type(type, field);
    columns_.columns.push_back(named_column(name, type));
  }

  void compile_schema(bool generated) {
    const YamlNode* schema = generated ? fields_.find("schema")
                                       : fields_.require("schema",
                                                         "the columns of an event and "
                                                         "their types");
    if (schema == nullptr) {
      if (!generated) return;
      for (const GeneratedColumn& each : kGeneratedSchema) {
        proto::Type type;
        type.set_kind(each.type);
        add_column(each.name, type);
      }
      columns_.usable = true;
      return;
    }
    const size_t before = errors_->size();
    if (!schema->is_map() || schema->entries.empty()) {
      fields_.error(*schema, "schema",
                    "expected a mapping from column names to types, such as {amount: double}");
      return;
    }
    if (schema->entries.size() > limits::kSchemaColumns) {
      fields_.error(*schema, "schema",
                    "there are " + std::to_string(schema->entries.size()) + " columns; at most " +
                        std::to_string(limits::kSchemaColumns) + " are allowed");
      return;
    }
    for (const YamlEntry& entry : schema->entries) compile_column(entry);
    if (generated && errors_->size() == before) check_generated_schema(*schema);
    columns_.usable = errors_->size() == before;
  }

  void compile_column(const YamlEntry& entry) {
    const std::string path = path_ + ".schema." + entry.key;
    if (!is_column_name(entry.key)) {
      errors_->add(entry.place, path,
                   "a column's name has from 1 to " + std::to_string(limits::kColumnNameBytes) +
                       " bytes and no control characters");
      return;
    }
    const std::string& text = entry.value.scalar;
    const bool parameters = text.find_first_of("(<[") != std::string::npos;
    const auto kind = parse_type_name(text);
    if (!entry.value.is_scalar() ||
        (!parameters && (!kind.has_value() || !is_column_type(*kind)))) {
      errors_->add(
          entry.value.place, path,
          "expected a type, one of " + column_type_names() + ", found " + entry.value.describe());
      return;
    }
    const Result<proto::Type> type = parse_type(text);
    if (!type.ok()) return errors_->add(entry.value.place, path, type.error().message());
    if (type->kind() == proto::DECIMAL && type->precision() == 0) {
      return errors_->add(
          entry.value.place, path,
          "a decimal has so many digits; write how many there are in all and behind the "
          "point: " +
              text + "(12, 2)");
    }
    add_column(entry.key, *type);
  }

  void check_generated_schema(const YamlNode& schema) {
    bool same = columns_.columns.size() == kGeneratedSchema.size();
    for (size_t i = 0; same && i < kGeneratedSchema.size(); ++i) {
      same = columns_.columns[i].name == kGeneratedSchema[i].name &&
             columns_.columns[i].type == kGeneratedSchema[i].type;
    }
    if (same) return;
    fields_.error(schema, "schema",
                  "the generator's events have the schema " + generated_schema_text() +
                      ": write just that, or leave 'schema' out");
  }

  void compile_event_time(bool generated) {
    if (!generated) fields_.require("event_time", "the column that says when an event happened");
    const std::optional<std::string> name = fields_.text("event_time");
    const std::string wanted = name.value_or(generated ? "event_time" : "");
    if (generated && wanted != "event_time") {
      fields_.error(*fields_.find("event_time"), "event_time",
                    "the generator's event time is its column 'event_time': leave the key out");
      return;
    }
    // A generator's columns are only usable with that one.
    if (wanted.empty() || !columns_.usable) return;
    std::vector<std::string> timestamps;
    for (size_t i = 0; i < columns_.columns.size(); ++i) {
      const NamedColumn& column = columns_.columns[i];
      if (column.type == proto::TIMESTAMP) timestamps.push_back(column.name);
      if (column.name != wanted) continue;
      if (column.type == proto::TIMESTAMP) {
        source_.set_event_time_field(static_cast<uint32_t>(i));
      } else {
        fields_.error(*fields_.find("event_time"), "event_time",
                      "column '" + wanted + "' is " + type_name(column.type) +
                          "; the event time must be a timestamp");
      }
      return;
    }
    fields_.error(*fields_.find("event_time"), "event_time",
                  "unknown column '" + wanted + "'" + suggestion(wanted, timestamps));
  }

  void compile_input() {
    const YamlNode* stream = fields_.find("stream");
    const YamlNode* history = fields_.find("history");
    if (stream != nullptr && history != nullptr) {
      fields_.error(*history, "history",
                    "this version does not read a history before a stream yet: keep one of them");
    } else if (stream != nullptr) {
      compile_stream(*stream);
    } else if (history != nullptr) {
      compile_history(*history);
    } else {
      fields_.error(
          "the source has no input: write stream: {files: ...}, stream: {kafka: ...} or stream: "
          "{generator: ...}");
    }
  }

  void compile_history(const YamlNode& history) {
    YamlFields files(history, path_ + ".history", {"files", "format", "replay", "follow"}, errors_);
    if (const YamlNode* stray = files.find("follow"); stray != nullptr) {
      files.error(*stray, "follow",
                  "a history has an end: write stream: {files: ..., follow: true}");
    } else if (files.require("files", "a file name pattern, or a list of them") != nullptr) {
      compile_files(&files, &job_, &source_);
    }
  }

  void compile_stream(const YamlNode& stream) {
    YamlFields fields(stream, path_ + ".stream",
                      {"files", "format", "replay", "follow", "generator", "kafka"}, errors_);
    if (!fields.is_map()) return;
    std::vector<std::string> inputs;
    for (const char* key : {"files", "generator", "kafka"}) {
      if (fields.find(key) != nullptr) inputs.emplace_back(key);
    }
    if (inputs.size() != 1) {
      fields.error("expected exactly one of files, generator and kafka, found " +
                   (inputs.empty() ? "none" : join_names(inputs, "and")));
      return;
    }
    if (inputs[0] == "files") return compile_files(&fields, &job_, &source_);
    refuse_keys_of_files(inputs[0], &fields);
    if (inputs[0] == "generator") return compile_generator(*fields.find("generator"));
    compile_kafka(*fields.find("kafka"), path_ + ".stream.kafka", columns_, &job_, &source_);
  }

  static void refuse_keys_of_files(const std::string& input, YamlFields* fields) {
    const bool kafka = input == "kafka";
    const std::array<std::pair<const char*, const char*>, 3> strays{
        {{"format", kafka ? "for Kafka, write format inside of it"
                          : "a generator has no format: leave it out"},
         {"replay", kafka ? "a topic is read as it grows, not replayed: leave replay out"
                          : "for a generator, write replay inside of it"},
         {"follow",
          "only files are followed; a topic or a generator goes on by itself: leave follow out"}}};
    for (const auto& [key, message] : strays) {
      if (const YamlNode* stray = fields->find(key)) fields->error(*stray, key, message);
    }
  }

  // How far ahead an event may be dated: by the record's timestamp if it has one, else at all.
  void compile_latest() {
    source_.set_not_after_us(fields_.timestamp("not_after", kNotAfterUnstated));
    const bool kafka = source_.has_kafka();
    source_.set_max_future_us(fields_.duration("max_future", kafka ? kDefaultMaxFuture : 0));
    if (source_.input_case() == proto::Source::INPUT_NOT_SET) return;
    const char* key = kafka ? "not_after" : "max_future";
    const YamlNode* stray = fields_.find(key);
    if (stray == nullptr) return;
    fields_.error(*stray, key,
                  kafka ? "a Kafka record has a timestamp to compare its event with: write "
                          "max_future, such as 10m"
                        : "only records of Kafka have a timestamp to compare their event with: "
                          "write not_after, such as 2030-01-01");
  }

  void compile_generator(const YamlNode& node) {
    const size_t before = errors_->size();
    YamlFields f(node, path_ + ".stream.generator",
                 {"partitions", "events", "seed", "customers", "terminals", "zipf_exponent",
                  "start_time", "events_per_second", "late_share", "late_by", "tie_share",
                  "burst_share", "burst_factor", "malformed_share", "fraud_share", "replay"},
                 errors_);
    if (!f.is_map()) return;
    constexpr uint64_t kAny = std::numeric_limits<uint64_t>::max();
    proto::GeneratorInput* out = source_.mutable_generator();
    out->set_partitions(
        static_cast<uint32_t>(f.integer("partitions", 1, 1, limits::kSourcePartitions)));
    out->set_events(f.integer("events", 0, 0, kAny));
    out->set_seed(f.integer("seed", 1, 0, kAny));
    out->set_customers(f.integer("customers", 1000, 1, limits::kGeneratorIds));
    out->set_terminals(f.integer("terminals", 2000, 1, limits::kGeneratorIds));
    out->set_zipf_exponent(f.number("zipf_exponent", 0, 0, 10));
    out->set_start_time_us(f.timestamp("start_time", kDefaultStartTime));
    out->set_events_per_second(f.number("events_per_second", 10, 1e-6, limits::kGeneratorRate));
    out->set_late_share(f.number("late_share", 0, 0, 1));
    out->set_late_by_us(f.duration("late_by", kDefaultLateBy));
    out->set_tie_share(f.number("tie_share", 0, 0, 1));
    out->set_burst_share(f.number("burst_share", 0, 0, 1));
    out->set_burst_factor(f.number("burst_factor", 10, 1, 1e6));
    out->set_malformed_share(f.number("malformed_share", 0, 0, 1));
    out->set_fraud_share(f.number("fraud_share", 0.01, 0, 1));
    out->set_replay_speed(compile_replay(&f));
    if (errors_->size() != before) return;
    if (Status s = check_generator(*out); !s.ok()) {
      errors_->add(node.place, f.path(), s.error().message());
    }
  }

  JobContext& job_;
  ErrorList* errors_;
  const std::string path_;
  YamlFields fields_;
  proto::Source source_;
  SourceColumns columns_;
};

}  // namespace

void compile_sources(const YamlNode& sources, JobContext* job) {
  if (!check_named_entries(sources, "sources", "source", limits::kSources, job->errors)) return;
  uint32_t partitions = 0;
  for (const YamlEntry& entry : sources.entries) {
    SourceCompiler(entry, job).compile();
    partitions += partition_count(job->plan->sources(job->plan->sources_size() - 1));
    if (partitions > limits::kSourcePartitions) {
      job->errors->add(entry.place, "sources." + entry.key,
                       "the job has " + std::to_string(partitions) +
                           " source partitions up to here; at most " +
                           std::to_string(limits::kSourcePartitions) + " are allowed");
      return;
    }
  }
  number_source_partitions(job->plan);
}

}  // namespace tidemill
