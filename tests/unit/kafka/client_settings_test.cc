#include "shared/kafka/client_settings.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace tidemill {
namespace {

proto::KafkaInput with(const std::string& name, const std::string& value) {
  proto::KafkaInput input;
  (*input.mutable_client())[name] = value;
  return input;
}

std::string refusal(const std::string& name, const std::string& value) {
  const Status checked = check_client_settings(with(name, value));
  return checked.ok() ? "" : checked.error().message();
}

TEST(ClientSettings, SecurityAndTuningPass) {
  EXPECT_EQ(refusal("security.protocol", "sasl_ssl"), "");
  EXPECT_EQ(refusal("sasl.mechanisms", "PLAIN"), "");
  EXPECT_EQ(refusal("sasl.mechanism", "SCRAM-SHA-512"), "");
  EXPECT_EQ(refusal("sasl.username", "alice"), "");
  EXPECT_EQ(refusal("sasl.password", "${KAFKA_PASSWORD}"), "");
  EXPECT_EQ(refusal("ssl.ca.location", "/etc/ca.pem"), "");
  EXPECT_EQ(refusal("fetch.max.bytes", "1048576"), "");
}

TEST(ClientSettings, UnknownNamesAndBadValuesAreNamed) {
  EXPECT_NE(refusal("sasl.pasword", "x").find("no setting 'sasl.pasword'"), std::string::npos);
  const std::string bad = refusal("security.protocol", "tls");
  EXPECT_NE(bad.find("'security.protocol'"), std::string::npos) << bad;
  EXPECT_NE(refusal("socket.timeout.ms", "soon"), "");
  EXPECT_NE(refusal("error_cb", "x"), "");
}

// Somebody may have put a secret into the wrong line.
TEST(ClientSettings, ValuesAreInNoMessage) {
  for (const char* name : {"security.protocol", "socket.timeout.ms", "sasl.password",
                           "sasl.oauthbearer.config", "isolation.level", "no.such", "group.id"}) {
    const std::string message = refusal(name, "hunter2");
    EXPECT_NE(message, "") << name;
    EXPECT_EQ(message.find("hunter2"), std::string::npos) << message;
  }
  EXPECT_NE(refusal("sasl.password", "hunter2").find("is a secret"), std::string::npos);
}

TEST(ClientSettings, WhatTidemillDecidesIsRefused) {
  for (const char* name :
       {"group.id", "enable.auto.commit", "auto.offset.reset", "enable.partition.eof", "check.crcs",
        "bootstrap.servers", "metadata.broker.list", "auto.commit.enable",
        "enable.auto.offset.store", "allow.auto.create.topics", "plugin.library.paths",
        "sasl.kerberos.kinit.cmd"}) {
    EXPECT_NE(refusal(name, "true").find("cannot be set"), std::string::npos) << name;
  }
}

TEST(ClientSettings, AllErrorsAtOnce) {
  proto::KafkaInput input = with("group.id", "g");
  (*input.mutable_client())["no.such"] = "1";
  const Status checked = check_client_settings(input);
  ASSERT_FALSE(checked.ok());
  EXPECT_NE(checked.error().message().find("group.id"), std::string::npos);
  EXPECT_NE(checked.error().message().find("no.such"), std::string::npos);
}

const char* lookup(const char* name) {
  if (std::string_view(name) == "KAFKA_USER_1") return "alice";
  if (std::string_view(name) == "HOME") return "never";
  return std::string_view(name) == "TIDEMILL_EMPTY" ? "" : nullptr;
}

TEST(ClientSettings, VariablesAreExpanded) {
  const auto expanded = [](const std::string& value) -> std::string {
    const auto result = expand_variables(value, lookup);
    return result.ok() ? *result : "error: " + result.error().message();
  };
  EXPECT_EQ(expanded("${KAFKA_USER_1}"), "alice");
  EXPECT_EQ(expanded("a${KAFKA_USER_1}b${TIDEMILL_EMPTY}c$d$"), "aalicebc$d$");
  EXPECT_EQ(expanded("${KAFKA_NO}").find("error: the environment variable KAFKA_NO is not set"),
            0U);
  EXPECT_EQ(expanded("${HOME}").find("error: ${HOME} cannot be named: write ${NAME}, an environ"),
            0U);
  EXPECT_EQ(expanded("${").find("error: "), 0U);
  EXPECT_EQ(expanded("${USER_1").find("error: "), 0U);
  EXPECT_EQ(expanded("${}").find("error: "), 0U);
  EXPECT_EQ(expanded("${1A}").find("error: "), 0U);
  EXPECT_EQ(expanded("${A B}").find("error: "), 0U);
}

TEST(ClientSettings, TheEnvironmentIsThatOfTheProcess) {
  ::setenv("TIDEMILL_TEST_SECRET", "s3cret", 1);
  const auto settings = expand_client_settings(with("sasl.password", "${TIDEMILL_TEST_SECRET}"));
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->front(), KafkaSetting("sasl.password", "s3cret"));
  ::unsetenv("TIDEMILL_TEST_SECRET");
  const auto unset = expand_client_settings(with("sasl.password", "${TIDEMILL_TEST_SECRET}"));
  ASSERT_FALSE(unset.ok());
  EXPECT_EQ(unset.error().code(), ErrorCode::kUser);
  EXPECT_NE(unset.error().message().find("TIDEMILL_TEST_SECRET is not set"), std::string::npos);
}

}  // namespace
}  // namespace tidemill
