// What a job may say of a Kafka topic and of the client that reads it: names, addresses, and which
// settings of librdkafka are not the job's to choose. Whether librdkafka knows a setting is found
// out by whoever connects.
#pragma once

#include <array>
#include <string_view>

#include "shared/base/result.h"

namespace tidemill {

struct OwnedKafkaSetting {
  std::string_view name;
  std::string_view instead;  // what to do about it
};

// Offsets are Tidemill's: they are part of its state, and no broker decides where to read. The
// last five make a process load code or run a command that a job names.
inline constexpr std::array<OwnedKafkaSetting, 34> kOwnedKafkaSettings{{
    {"bootstrap.servers", "write brokers: beside client:"},
    {"metadata.broker.list", "write brokers: beside client:"},
    {"group.id", "write group: beside client:"},
    {"auto.offset.reset", "write start: beside client:"},
    {"group.instance.id", "Tidemill assigns partitions itself"},
    {"group.protocol", "Tidemill assigns partitions itself"},
    {"group.protocol.type", "Tidemill assigns partitions itself"},
    {"partition.assignment.strategy", "Tidemill assigns partitions itself"},
    {"enable.auto.commit", "Tidemill commits what it has applied"},
    {"auto.commit.enable", "Tidemill commits what it has applied"},
    {"auto.commit.interval.ms", "Tidemill commits what it has applied"},
    {"enable.auto.offset.store", "Tidemill commits what it has applied"},
    {"offset.store.method", "Tidemill commits what it has applied"},
    {"offset.store.path", "Tidemill commits what it has applied"},
    {"offset.store.sync.interval.ms", "Tidemill commits what it has applied"},
    {"enable.partition.eof", "Tidemill needs to see a log's end"},
    {"check.crcs", "Tidemill always checks"},
    {"allow.auto.create.topics", "Tidemill creates no topics"},
    {"topic.blacklist", "Tidemill reads one topic"},
    {"log.connection.close", "Tidemill decides what is logged"},
    {"log.queue", "nobody would receive what it reports"},
    {"enabled_events", "nobody would receive what it reports"},
    {"statistics.interval.ms", "Tidemill accounts for the memory of the queues by it"},
    {"enable.idempotence", "Tidemill writes each record once"},
    {"enable.gapless.guarantee", "Tidemill writes each record once"},
    {"transactional.id", "Tidemill writes each record once"},
    {"acks", "Tidemill writes each record once"},
    {"request.required.acks", "Tidemill writes each record once"},
    {"test.mock.num.brokers", "it replaces the brokers by a mock"},
    {"plugin.library.paths", "a job cannot load code"},
    {"ssl.engine.location", "a job cannot load code"},
    {"ssl.engine.id", "a job cannot load code"},
    {"ssl.providers", "a job cannot load code"},
    {"sasl.kerberos.kinit.cmd", "a job cannot run a command"},
}};

// Settings whose values are secrets. A job's file is kept, and shown to whoever asks for the job,
// so it names a variable instead.
inline constexpr std::array<std::string_view, 6> kSecretKafkaSettings{
    "sasl.password",    "sasl.oauthbearer.client.secret",
    "ssl.key.password", "sasl.oauthbearer.config",
    "ssl.key.pem",      "ssl.keystore.password"};

// Which environment variables a job may name: others (a cloud's keys, say) are none of its
// business, as it also names the brokers that they would be sent to.
bool is_kafka_variable(std::string_view name);
// What to write instead, as part of a message.
inline constexpr std::string_view kKafkaVariables =
    "an environment variable of the coordinator and the workers whose name begins with KAFKA_ or "
    "TIDEMILL_";

// Addresses host:port separated by commas; an IPv6 address in brackets.
Status check_kafka_brokers(std::string_view brokers);
// Kafka's own rule: 1 to 249 of letters, digits, '.', '_' and '-', neither "." nor "..".
Status check_kafka_topic(std::string_view topic);
Status check_kafka_group(std::string_view group);
// A setting of librdkafka that a job may give. "${" in a value must begin "${NAME}", of a variable
// that a job may name; the value of a secret is that and nothing else. No error repeats a value.
Status check_kafka_client_setting(std::string_view name, std::string_view value);

// http:// or https://, a host, and no credentials, query or fragment.
Status check_registry_url(std::string_view url);
Status check_registry_user(std::string_view user);
// A secret: "${NAME}" and nothing else. No error repeats it.
Status check_registry_password(std::string_view password);

}  // namespace tidemill
