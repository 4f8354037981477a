#include <algorithm>
#include <array>

#include "shared/expr/scalars.h"
#include "shared/expr/suggest.h"
#include "shared/plan/kafka_settings.h"
#include "shared/plan/limits.h"
#include "shared/plan/yaml_inputs.h"

namespace tidemill {
namespace {

class KafkaCompiler {
 public:
  KafkaCompiler(const YamlNode& node, const std::string& path, const SourceColumns& columns,
                JobContext* job, proto::Source* source)
      : errors_(job->errors),
        job_(*job),
        fields_(node, path,
                {"brokers", "topic", "format", "columns", "registry", "schema_file",
                 "descriptor_set", "message", "start", "group", "client"},
                job->errors),
        columns_(columns),
        source_(*source),
        kafka_(*source->mutable_kafka()),
        default_group_("tidemill." + job->plan->job()) {}

  void compile() {
    if (!fields_.is_map()) return;
    fields_.require("brokers", "one or more host:port, separated by ','");
    fields_.require("topic", "the topic to read");
    kafka_.set_brokers(checked("brokers", "", check_kafka_brokers));
    kafka_.set_topic(checked("topic", "", check_kafka_topic));
    kafka_.set_group(checked("group", default_group_, check_kafka_group));
    constexpr std::array<proto::KafkaInput::Format, 4> kFormats{
        proto::KafkaInput::JSON, proto::KafkaInput::CSV, proto::KafkaInput::AVRO,
        proto::KafkaInput::PROTOBUF};
    kafka_.set_format(kFormats[fields_.choice("format", {"json", "csv", "avro", "protobuf"}, 0)]);
    if (kafka_.format() == proto::KafkaInput::CSV) {
      compile_columns();
    } else if (const YamlNode* stray = fields_.find("columns"); stray != nullptr) {
      fields_.error(
          *stray, "columns",
          "columns name the fields of csv records; those of other formats have names of their own: leave columns out");
    }
    compile_message_schema(&fields_, &job_, &source_);
    compile_start();
    compile_client();
  }

 private:
  std::string checked(const char* key, const std::string& otherwise,
                      Status (*check)(std::string_view)) {
    const std::optional<std::string> text = fields_.text(key);
    if (!text.has_value()) return otherwise;
    if (Status s = check(*text); !s.ok()) {
      fields_.error(*fields_.find(key), key, s.error().message());
    }
    return *text;
  }

  void compile_columns() {
    const YamlNode* list = fields_.find("columns");
    if (list == nullptr) {
      for (int i = 0; i < source_.schema_size(); ++i) {
        kafka_.add_csv_fields(static_cast<uint32_t>(i));
      }
      return;
    }
    const size_t before = errors_->size();
    for (const YamlNode* name : scalars_of(*list, fields_.path_of("columns"), errors_)) {
      if (columns_.usable) add_field(*name, item_key(*list, *name, "columns"));
    }
    if (errors_->size() != before || !columns_.usable) return;
    const auto& fields = kafka_.csv_fields();
    if (std::find(fields.begin(), fields.end(), source_.event_time_field()) != fields.end()) return;
    fields_.error(*list, "columns",
                  "the event time '" +
                      source_.schema(static_cast<int>(source_.event_time_field())).name() +
                      "' is not among them, so that no record would be an event; add it");
  }

  void add_field(const YamlNode& node, const std::string& key) {
    std::vector<std::string> names;
    for (const NamedColumn& column : columns_.columns) names.push_back(column.name);
    const auto found = std::find(names.begin(), names.end(), node.scalar);
    const auto index = static_cast<uint32_t>(found - names.begin());
    const auto& known = kafka_.csv_fields();
    if (found == names.end()) {
      fields_.error(node, key,
                    "unknown column '" + node.scalar + "'" + suggestion(node.scalar, names));
    } else if (std::find(known.begin(), known.end(), index) != known.end()) {
      fields_.error(node, key, "column '" + node.scalar + "' is there twice; name it once");
    } else {
      kafka_.add_csv_fields(index);
    }
  }

  void compile_start() {
    kafka_.set_start(proto::KafkaInput::EARLIEST);
    const std::optional<std::string> text = fields_.text("start");
    if (!text.has_value() || *text == "earliest") return;
    TimeUs time = 0;
    if (*text == "latest") {
      kafka_.set_start(proto::KafkaInput::LATEST);
    } else if (text_to_timestamp(*text, &time)) {
      kafka_.set_start(proto::KafkaInput::TIMESTAMP);
      kafka_.set_start_time_us(time);
    } else {
      fields_.error(*fields_.find("start"), "start",
                    "expected earliest, latest, or a time such as 2018-04-01T00:00:00Z, found '" +
                        clipped(*text, 60) + "'");
    }
  }

  void compile_client() {
    const YamlNode* client = fields_.find("client");
    if (client == nullptr) return;
    if (!client->is_map() || client->entries.size() > limits::kClientSettings) {
      fields_.error(*client, "client",
                    "expected a mapping of at most " + std::to_string(limits::kClientSettings) +
                        " settings of librdkafka, such as {security.protocol: ssl}");
      return;
    }
    for (const YamlEntry& entry : client->entries) {
      const std::string path = fields_.path_of("client." + entry.key);
      if (!entry.value.is_scalar()) {
        errors_->add(entry.value.place, path,
                     "expected a single value, found " + entry.value.describe());
      } else if (Status s = check_kafka_client_setting(entry.key, entry.value.scalar); !s.ok()) {
        errors_->add(entry.place, path, s.error().message());
      } else {
        (*kafka_.mutable_client())[entry.key] = entry.value.scalar;
      }
    }
  }

  ErrorList* errors_;
  JobContext& job_;
  YamlFields fields_;
  const SourceColumns& columns_;
  proto::Source& source_;
  proto::KafkaInput& kafka_;
  const std::string default_group_;
};

}  // namespace

void compile_kafka(const YamlNode& node, const std::string& path, const SourceColumns& columns,
                   JobContext* job, proto::Source* source) {
  KafkaCompiler(node, path, columns, job, source).compile();
}

}  // namespace tidemill
