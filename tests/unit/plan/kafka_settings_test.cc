#include "shared/plan/kafka_settings.h"

#include <gtest/gtest.h>

#include <string>

namespace tidemill {
namespace {

TEST(KafkaSettings, BrokersAreAddresses) {
  for (const char* good : {"a:1", "127.0.0.1:9092", "a.b-c:65535,[::1]:9092", "a:1,b:2,c:3"}) {
    EXPECT_TRUE(check_kafka_brokers(good).ok()) << good;
  }
  for (const char* bad : {"", "a", "a:", ":1", "a:0", "a:65536", "a:1x", "a:1,", ",a:1", "a:1, b:1",
                          "::1:9092", "ssl://a:1", "a\t:1"}) {
    EXPECT_FALSE(check_kafka_brokers(bad).ok()) << bad;
  }
  EXPECT_FALSE(check_kafka_brokers("a:1," + std::string(5000, 'b') + ":1").ok());
}

TEST(KafkaSettings, TopicsAndGroupsAreNames) {
  for (const std::string& good :
       {std::string("a"), std::string("A.b_c-1"), std::string(249, 'x')}) {
    EXPECT_TRUE(check_kafka_topic(good).ok()) << good;
  }
  for (const std::string& bad : {std::string(), std::string("."), std::string(".."),
                                 std::string("a b"), std::string("^a.*"), std::string(250, 'x')}) {
    EXPECT_FALSE(check_kafka_topic(bad).ok()) << bad;
  }
  EXPECT_TRUE(check_kafka_group("tidemill.job").ok());
  EXPECT_FALSE(check_kafka_group("").ok());
  EXPECT_FALSE(check_kafka_group("a b").ok());
  EXPECT_FALSE(check_kafka_group(std::string(256, 'x')).ok());
}

TEST(KafkaSettings, OwnedSettingsAreRefused) {
  for (const OwnedKafkaSetting& owned : kOwnedKafkaSettings) {
    const Status refused = check_kafka_client_setting(owned.name, "x");
    ASSERT_FALSE(refused.ok()) << owned.name;
    EXPECT_NE(refused.error().message().find(owned.instead), std::string::npos);
  }
  EXPECT_TRUE(check_kafka_client_setting("security.protocol", "sasl_ssl").ok());
  EXPECT_FALSE(check_kafka_client_setting("", "x").ok());
  EXPECT_FALSE(check_kafka_client_setting("a b", "x").ok());
}

TEST(KafkaSettings, ValuesMayNameTheEnvironment) {
  const std::string certificate = "-----BEGIN CERTIFICATE-----\n" + std::string(10'000, 'x');
  for (const std::string& good :
       {std::string(), std::string("${KAFKA_A}"), std::string("x${KAFKA__a1}y${TIDEMILL_B}"),
        std::string("$A $ {}"), certificate}) {
    EXPECT_TRUE(check_kafka_client_setting("ssl.ca.pem", good).ok()) << good;
  }
  for (const std::string& bad :
       {std::string("${"), std::string("${}"), std::string("${A"), std::string("${1}"),
        std::string("${KAFKA_A-B}"), std::string("${KAFKA_A}${"), std::string("a\0b", 3),
        std::string("\xff"), std::string(70'000, 'x')}) {
    EXPECT_FALSE(check_kafka_client_setting("ssl.ca.pem", bad).ok()) << bad;
  }
}

// A job chooses the brokers, so it must not choose any variable to send them.
TEST(KafkaSettings, OnlyVariablesMeantForItCanBeNamed) {
  for (const char* name : {"AWS_SECRET_ACCESS_KEY", "PATH", "kafka_a", "XKAFKA_A", "KAFKA"}) {
    const Status refused =
        check_kafka_client_setting("client.id", "${KAFKA_A}${" + std::string(name) + "}");
    ASSERT_FALSE(refused.ok()) << name;
    EXPECT_EQ(refused.error().message(),
              "${" + std::string(name) +
                  "} cannot be named by a job: write ${NAME}, an environment variable of the "
                  "coordinator and the workers whose name begins with KAFKA_ or TIDEMILL_");
  }
}

TEST(KafkaSettings, SecretsAreNotWrittenIntoAJob) {
  for (const std::string_view name : kSecretKafkaSettings) {
    EXPECT_TRUE(check_kafka_client_setting(name, "${KAFKA_SECRET}").ok()) << name;
    for (const char* literal : {"hunter2", "", "hunter2${KAFKA_A}", "${KAFKA_A}hunter2",
                                "${KAFKA_A}hunter2${KAFKA_B}", "hunter2}"}) {
      const Status refused = check_kafka_client_setting(name, literal);
      ASSERT_FALSE(refused.ok()) << name << " " << literal;
      EXPECT_EQ(refused.error().message(),
                "'" + std::string(name) +
                    "' is a secret, and a job is shown to whoever asks for it: write ${NAME}, an "
                    "environment variable of the coordinator and the workers whose name begins "
                    "with KAFKA_ or TIDEMILL_");
    }
  }
}

TEST(KafkaSettings, RegistriesAreAddressesWithoutSecrets) {
  for (const char* good :
       {"http://registry:8081", "https://r.example/path/", "http://[::1]:8081"}) {
    EXPECT_TRUE(check_registry_url(good).ok()) << good;
  }
  for (const char* bad : {"", "registry:8081", "http://", "http:///x", "ftp://r", "http://a b",
                          "http://me:secret@r", "http://r?x=1", "http://r#x"}) {
    const Status checked = check_registry_url(bad);
    ASSERT_FALSE(checked.ok()) << bad;
    EXPECT_EQ(checked.error().message().find("secret"), std::string::npos);
  }
  EXPECT_TRUE(check_registry_user("me").ok());
  EXPECT_TRUE(check_registry_user("${KAFKA_REGISTRY_USER}").ok());
  EXPECT_FALSE(check_registry_user("${HOME}").ok());
  EXPECT_TRUE(check_registry_password("${KAFKA_REGISTRY_PASSWORD}").ok());
  EXPECT_FALSE(check_registry_password("secret").ok());
  EXPECT_FALSE(check_registry_password("${HOME}").ok());
}

}  // namespace
}  // namespace tidemill
