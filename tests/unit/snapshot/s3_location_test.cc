#include "shared/snapshot/s3_location.h"

#include <gtest/gtest.h>

#include <map>

#include "shared/snapshot/snapshot_storage.h"

namespace tidemill {
namespace {

TEST(S3Location, OfAmazon) {
  const auto whole = parse_s3_location("s3://my-bucket/tidemill/prod?region=eu-central-1");
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(whole->base, "https://my-bucket.s3.eu-central-1.amazonaws.com");
  EXPECT_EQ(whole->bucket, "my-bucket");
  EXPECT_EQ(whole->prefix, "tidemill/prod/");
  EXPECT_EQ(whole->region, "eu-central-1");
  const auto least = parse_s3_location("s3://my-bucket");
  ASSERT_TRUE(least.ok());
  EXPECT_EQ(least->prefix, "");
  EXPECT_EQ(least->region, "us-east-1");
  EXPECT_EQ(parse_s3_location("s3://my-bucket/")->prefix, "");
  EXPECT_EQ(parse_s3_location("s3://my-bucket/a/")->prefix, "a/");
}

TEST(S3Location, AtAnEndpoint) {
  const auto plain = parse_s3_location("s3://b.1/p?endpoint=http://127.0.0.1:9000");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->base, "http://127.0.0.1:9000/b.1");
  EXPECT_EQ(plain->prefix, "p/");
  EXPECT_EQ(plain->region, "us-east-1");
  const auto other = parse_s3_location("s3://bbb?region=r-1&endpoint=https://[::1]:9000/");
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(other->base, "https://[::1]:9000/bbb");
  EXPECT_EQ(other->region, "r-1");
}

TEST(S3Location, WhatIsWrongIsNamed) {
  for (const auto& [location, part] : std::map<std::string, std::string>{
           {"s3://", "no name of a bucket"},
           {"s3://ab", "no name of a bucket"},
           {"s3://My-Bucket", "no name of a bucket"},
           {"s3://-bucket", "no name of a bucket"},
           {"s3://bucket/../x", "prefix"},
           {"s3://bucket/a b", "prefix"},
           {"s3://bucket?endpoint=127.0.0.1:9000", "no endpoint"},
           {"s3://bucket?endpoint=ftp://h", "no endpoint"},
           {"s3://bucket?endpoint=http://user:secret@host", "no endpoint"},
           {"s3://bucket?endpoint=http://host/path", "no endpoint"},
           {"s3://bucket?region=", "no region"},
           {"s3://bucket?region=x/y", "no region"},
           {"s3://bucket?reigon=x", "reigon=x"}}) {
    const auto parsed = parse_s3_location(location);
    ASSERT_FALSE(parsed.ok()) << location;
    EXPECT_EQ(parsed.error().code(), ErrorCode::kUser);
    EXPECT_NE(parsed.error().message().find(part), std::string::npos) << parsed.error().message();
    EXPECT_NE(parsed.error().message().find("s3://BUCKET"), std::string::npos);
  }
}

TEST(S3Location, CredentialsComeFromTheEnvironment) {
  std::map<std::string, std::string> variables;
  const Environment environment = [&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  EXPECT_EQ(s3_credentials(environment).error().code(), ErrorCode::kUser);
  variables["AWS_ACCESS_KEY_ID"] = "id";
  EXPECT_NE(s3_credentials(environment).error().message().find("AWS_SECRET_ACCESS_KEY"),
            std::string::npos);
  variables["AWS_SECRET_ACCESS_KEY"] = "secret";
  const auto found = s3_credentials(environment);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->key_id, "id");
  EXPECT_EQ(found->secret, "secret");
  EXPECT_EQ(found->session_token, "");
  variables["AWS_SESSION_TOKEN"] = "token";
  EXPECT_EQ(s3_credentials(environment)->session_token, "token");
}

TEST(OpenSnapshotStorage, TakesADirectoryOrABucket) {
  EXPECT_TRUE(open_snapshot_storage("snapshots").ok());
  EXPECT_TRUE(open_snapshot_storage("/var/lib/x").ok());
  for (const char* location : {"", "gs://bucket", "http://host", "s3://"}) {
    const auto opened = open_snapshot_storage(location);
    ASSERT_FALSE(opened.ok()) << location;
    EXPECT_EQ(opened.error().code(), ErrorCode::kUser);
  }
}

}  // namespace
}  // namespace tidemill
