#include "shared/plan/kafka_checks.h"

#include <set>
#include <string>

#include "shared/plan/kafka_settings.h"
#include "shared/plan/limits.h"
#include "shared/schema/schema_limits.h"

namespace tidemill {
namespace {

Status check_kafka_fields(const proto::Source& source) {
  const proto::KafkaInput& kafka = source.kafka();
  const bool csv = kafka.format() == proto::KafkaInput::CSV;
  if (kafka.format() < proto::KafkaInput::JSON || kafka.format() > proto::KafkaInput::PROTOBUF) {
    return user_error("the records have no known format");
  }
  std::set<uint32_t> fields;
  for (const uint32_t field : kafka.csv_fields()) {
    if (!csv || field >= static_cast<uint32_t>(source.schema_size())) {
      return user_error("a field of the records is out of range");
    }
    if (!fields.insert(field).second) return user_error("a field of the records is there twice");
  }
  if (csv && fields.count(source.event_time_field()) == 0) {
    return user_error("the records have no event time");
  }
  return {};
}

Status check_message_schema(const proto::KafkaInput& kafka) {
  const bool avro = kafka.format() == proto::KafkaInput::AVRO;
  const bool protobuf = kafka.format() == proto::KafkaInput::PROTOBUF;
  const bool schema = !kafka.message_schema().empty();
  if (!avro && !protobuf) {
    if (!kafka.has_registry() && !schema && kafka.message_type().empty()) return {};
    return user_error("records of this format have no schema of their own");
  }
  if (kafka.has_registry() == schema) {
    return user_error("the records' schemas are in a registry or in the plan");
  }
  if (kafka.message_schema().size() > kMaxSchemaBytes ||
      kafka.message_type().size() > limits::kMessageTypeBytes) {
    return user_error("the records' schema is too large");
  }
  if ((avro && !kafka.message_type().empty()) ||
      (protobuf && schema && kafka.message_type().empty())) {
    return user_error("the records' message type is missing, or there needlessly");
  }
  if (!kafka.has_registry()) return {};
  const Status parts[] = {check_registry_url(kafka.registry().url()),
                          check_registry_user(kafka.registry().user()),
                          check_registry_password(kafka.registry().password())};
  for (const Status& s : parts) {
    if (!s.ok()) return s;
  }
  return {};
}

}  // namespace

Status check_kafka(const proto::Source& source) {
  const proto::KafkaInput& kafka = source.kafka();
  const Status parts[] = {check_kafka_brokers(kafka.brokers()), check_kafka_topic(kafka.topic()),
                          check_kafka_group(kafka.group()), check_kafka_fields(source),
                          check_message_schema(kafka)};
  for (const Status& s : parts) {
    if (!s.ok()) return s;
  }
  if (kafka.start() < proto::KafkaInput::EARLIEST || kafka.start() > proto::KafkaInput::TIMESTAMP ||
      (kafka.start() != proto::KafkaInput::TIMESTAMP && kafka.start_time_us() != 0)) {
    return user_error("it does not say where to start");
  }
  if (kafka.client().size() > limits::kClientSettings) {
    return user_error("the client has more than " + std::to_string(limits::kClientSettings) +
                      " settings");
  }
  for (const auto& [name, value] : kafka.client()) {
    if (Status s = check_kafka_client_setting(name, value); !s.ok()) return s;
  }
  return {};
}

}  // namespace tidemill
