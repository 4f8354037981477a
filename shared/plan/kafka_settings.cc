#include "shared/plan/kafka_settings.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "shared/base/utf8.h"
#include "shared/expr/suggest.h"
#include "shared/plan/limits.h"

namespace tidemill {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_graphic(char c) { return c > 0x20 && c < 0x7F; }

bool is_address(std::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view host = address.substr(0, colon);
  const std::string_view port = address.substr(colon + 1);
  if (!std::all_of(host.begin(), host.end(), is_graphic)) return false;
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (host.find_first_of(":/") != std::string_view::npos && !bracketed) return false;
  uint32_t number = 0;
  const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), number);
  return ec == std::errc() && end == port.data() + port.size() && number >= 1 && number <= 65535;
}

Status check_value(std::string_view value) {
  if (value.size() > limits::kClientSettingBytes || value.find('\0') != std::string_view::npos ||
      !is_valid_utf8(value)) {
    return user_error("a setting's value is text of at most " +
                      std::to_string(limits::kClientSettingBytes) + " bytes");
  }
  for (size_t at = value.find("${"); at != std::string_view::npos; at = value.find("${", at)) {
    at += 2;
    const size_t end = value.find('}', at);
    const std::string_view name = value.substr(at, end - at);
    const bool named = end != std::string_view::npos && !name.empty() && !is_digit(name[0]) &&
                       std::all_of(name.begin(), name.end(),
                                   [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
    if (!named) {
      return user_error(
          "'${' begins the name of an environment variable: write ${NAME}, of letters, digits and "
          "'_'");
    }
    if (!is_kafka_variable(name)) {
      return user_error("${" + clipped(name, 80) + "} cannot be named by a job: write ${NAME}, " +
                        std::string(kKafkaVariables));
    }
  }
  return {};
}

bool is_one_variable(std::string_view value) {
  return value.starts_with("${") && value.find('}') == value.size() - 1;
}

}  // namespace

bool is_kafka_variable(std::string_view name) {
  return name.starts_with("KAFKA_") || name.starts_with("TIDEMILL_");
}

Status check_kafka_brokers(std::string_view brokers) {
  bool good = !brokers.empty() && brokers.size() <= limits::kBrokersBytes;
  for (size_t at = 0; good && at <= brokers.size();) {
    const size_t end = std::min(brokers.find(',', at), brokers.size());
    good = is_address(brokers.substr(at, end - at));
    at = end + 1;
  }
  if (good) return {};
  return user_error("'" + clipped(brokers, 80) +
                    "' is not a list of brokers: write host:port, separated by ',' without spaces");
}

Status check_kafka_topic(std::string_view topic) {
  const bool good = !topic.empty() && topic.size() <= limits::kTopicBytes && topic != "." &&
                    topic != ".." && std::all_of(topic.begin(), topic.end(), [](char c) {
                      return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
                    });
  if (good) return {};
  return user_error("'" + clipped(topic, 80) + "' is not a topic: a topic is 1 to " +
                    std::to_string(limits::kTopicBytes) +
                    " letters, digits, '.', '_' or '-', and is read by its name, not by a pattern");
}

Status check_kafka_group(std::string_view group) {
  if (!group.empty() && group.size() <= limits::kGroupBytes &&
      std::all_of(group.begin(), group.end(), is_graphic)) {
    return {};
  }
  return user_error("'" + clipped(group, 80) + "' is not a consumer group: write 1 to " +
                    std::to_string(limits::kGroupBytes) + " characters of ASCII without spaces");
}

Status check_registry_url(std::string_view url) {
  const bool http = url.starts_with("http://") && url.size() > sizeof("http://") - 1;
  const bool https = url.starts_with("https://") && url.size() > sizeof("https://") - 1;
  if ((http || https) && url.size() <= limits::kRegistryUrlBytes &&
      std::all_of(url.begin(), url.end(), is_graphic) &&
      url.find_first_of("@?#") == std::string_view::npos && url[url.find("//") + 2] != '/') {
    return {};
  }
  // Not what it is: somebody may have put a password into it.
  return user_error(
      "this is not the address of a schema registry: write one such as http://registry:8081, with "
      "'user' and 'password' as keys beside it");
}

Status check_registry_user(std::string_view user) { return check_value(user); }

Status check_registry_password(std::string_view password) {
  if (Status checked = check_value(password); !checked.ok()) return checked;
  if (password.empty() || is_one_variable(password)) return {};
  return user_error(
      "a password is a secret, and a job is shown to whoever asks for it: write ${NAME}, " +
      std::string(kKafkaVariables));
}

Status check_kafka_client_setting(std::string_view name, std::string_view value) {
  const bool is_setting = !name.empty() && name.size() <= limits::kNameBytes &&
                          std::all_of(name.begin(), name.end(), [](char c) {
                            return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
                          });
  if (!is_setting) {
    return user_error("'" + clipped(name, 80) +
                      "' is not a setting of librdkafka, such as security.protocol");
  }
  for (const OwnedKafkaSetting& owned : kOwnedKafkaSettings) {
    if (owned.name != name) continue;
    const std::string instead(owned.instead);
    return user_error("'" + std::string(name) + "' cannot be set: " + instead +
                      (instead.starts_with("write ") ? "" : "; leave it out"));
  }
  if (Status checked = check_value(value); !checked.ok()) return checked;
  const bool secret = std::find(kSecretKafkaSettings.begin(), kSecretKafkaSettings.end(), name) !=
                      kSecretKafkaSettings.end();
  if (!secret || is_one_variable(value)) return {};
  return user_error("'" + std::string(name) +
                    "' is a secret, and a job is shown to whoever asks for it: write ${NAME}, " +
                    std::string(kKafkaVariables));
}

}  // namespace tidemill
