#include "shared/kafka/client_settings.h"

#include <librdkafka/rdkafka.h>

#include <array>
#include <cstdlib>
#include <map>
#include <memory>
#include <string_view>

#include "shared/plan/kafka_settings.h"

namespace tidemill {
namespace {

using Conf = std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)>;

bool is_name_char(char c, bool first) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  return letter || (!first && c >= '0' && c <= '9');
}

// rd_kafka_conf_get() does not know settings that have no value yet, as sasl.password.
bool is_known(const std::string& name) {
  const Conf scratch(rd_kafka_conf_new(), &rd_kafka_conf_destroy);
  std::array<char, 512> why{};
  return rd_kafka_conf_set(scratch.get(), name.c_str(), "", why.data(), why.size()) !=
         RD_KAFKA_CONF_UNKNOWN;
}

Status check_setting(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  const std::string where = "client setting '" + name + "'";
  if (Status checked = check_kafka_client_setting(name, value); !checked.ok()) {
    return checked.error().within(where);
  }
  if (!is_known(name)) {
    return user_error("the Kafka client has no setting '" + name +
                      "'; its settings are those of librdkafka");
  }
  if (value.find("${") != std::string::npos) return {};  // known where it connects
  std::array<char, 512> why{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size()) ==
      RD_KAFKA_CONF_OK) {
    return {};
  }
  // Not what librdkafka says: it repeats the value.
  return user_error(where +
                    ": the Kafka client does not take this value; those that it takes are "
                    "in librdkafka's CONFIGURATION.md");
}

// In the order of their names, so that the same settings always give the same text.
std::map<std::string, std::string> sorted(const proto::KafkaInput& input) {
  return {input.client().begin(), input.client().end()};
}

}  // namespace

Result<std::string> expand_variables(const std::string& value,
                                     const char* (*lookup)(const char* name)) {
  std::string out;
  for (size_t at = 0; at < value.size();) {
    if (value.compare(at, 2, "${") != 0) {
      out += value[at++];
      continue;
    }
    size_t end = at + 2;
    while (end < value.size() && is_name_char(value[end], end == at + 2)) ++end;
    if (end == at + 2 || end == value.size() || value[end] != '}') {
      return user_error("'${' is not followed by the name of an environment variable and '}'");
    }
    const std::string name = value.substr(at + 2, end - at - 2);
    if (!is_kafka_variable(name)) {
      return user_error("${" + name + "} cannot be named: write ${NAME}, " +
                        std::string(kKafkaVariables));
    }
    const char* found = lookup(name.c_str());
    if (found == nullptr) {
      return user_error("the environment variable " + name +
                        " is not set; set it for every process that connects to Kafka: the "
                        "coordinator and the workers");
    }
    out += found;
    at = end + 1;
  }
  return out;
}

Status check_client_settings(const proto::KafkaInput& input) {
  const Conf conf(rd_kafka_conf_new(), &rd_kafka_conf_destroy);
  std::string wrong;
  for (const auto& [name, value] : sorted(input)) {
    Status checked = check_setting(conf.get(), name, value);
    if (!checked.ok()) wrong += (wrong.empty() ? "" : "; ") + checked.error().message();
  }
  if (wrong.empty()) return {};
  return user_error(wrong);
}

Result<std::vector<KafkaSetting>> expand_client_settings(const proto::KafkaInput& input) {
  if (Status checked = check_client_settings(input); !checked.ok()) return checked.error();
  std::vector<KafkaSetting> settings;
  for (const auto& [name, value] : sorted(input)) {
    auto expanded = expand_variables(value, [](const char* n) -> const char* {
      return std::getenv(n);  // NOLINT(concurrency-mt-unsafe): nothing here changes it
    });
    if (!expanded.ok()) return expanded.error().within("client setting '" + name + "'");
    settings.emplace_back(name, std::move(*expanded));
  }
  return settings;
}

}  // namespace tidemill
