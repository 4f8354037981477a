#include "shared/registry/schema_registry.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "shared/registry/registry_http.h"
#include "tests/unit/registry/fake_registry.h"

namespace tidemill {
namespace {

using test::FakeRegistry;
using Asked = std::vector<std::string>;

RegistryPatience impatient() {
  RegistryPatience patience;
  patience.tries = 2;
  patience.first_pause_ms = patience.recheck_ms = 1;
  patience.rest_ms = patience.longest_rest_ms = 0;
  return patience;
}

std::shared_ptr<SchemaRegistry> open(const FakeRegistry& fake,
                                     const RegistryPatience& patience = impatient()) {
  auto opened = SchemaRegistry::open(fake.settings(), patience);
  EXPECT_TRUE(opened.ok());
  return *opened;
}

Result<std::vector<SchemaRegistry::Schema>> ask(SchemaRegistry* registry,
                                                const std::vector<uint32_t>& ids) {
  return registry->schemas(ids);
}

TEST(SchemaRegistry, ASchemaIsAskedForOnce) {
  FakeRegistry fake;
  fake.put_avro(7, R"("long")");
  fake.put_protobuf(8, "syntax = \"proto3\";");
  const auto registry = open(fake);
  for (int i = 0; i < 3; ++i) {
    const auto got = ask(registry.get(), {7, 8, 7});
    ASSERT_TRUE(got.ok()) << got.error().message();
    ASSERT_EQ(got->size(), 3u);
    EXPECT_EQ((*got)[0]->text, R"("long")");
    EXPECT_EQ((*got)[0]->type, "AVRO");
    EXPECT_EQ((*got)[1]->type, "PROTOBUF");
    EXPECT_EQ((*got)[2], (*got)[0]);
  }
  EXPECT_EQ(fake.asked(), (Asked{"/schemas/ids/7", "/schemas/ids/8"}));
}

TEST(SchemaRegistry, ReferencesComeEachAfterItsOwn) {
  FakeRegistry fake;
  fake.put_protobuf(1, "main",
                    R"([{"name":"a.proto","subject":"a/b","version":3},)"
                    R"({"name":"c.proto","subject":"c","version":1}])");
  fake.put("/subjects/a%2Fb/versions/3?deleted=true",
           R"({"schema":"a","references":[{"name":"c.proto","subject":"c","version":1}]})");
  fake.put("/subjects/c/versions/1?deleted=true", R"({"schema":"c"})");
  const auto got = ask(open(fake).get(), {1});
  ASSERT_TRUE(got.ok()) << got.error().message();
  const std::vector<std::pair<std::string, std::string>> expected{{"c.proto", "c"},
                                                                  {"a.proto", "a"}};
  EXPECT_EQ((*got)[0]->references, expected);
  EXPECT_EQ(fake.asked().size(), 3u);
}

// A schema that refers to itself ends.
TEST(SchemaRegistry, CirclesOfReferencesEnd) {
  FakeRegistry fake;
  const std::string self =
      R"({"schema":"s","references":[{"name":"s","subject":"s","version":1}]})";
  fake.put("/schemas/ids/1", self);
  fake.put("/subjects/s/versions/1?deleted=true", self);
  const auto got = ask(open(fake).get(), {1});
  ASSERT_TRUE(got.ok());
  EXPECT_EQ((*got)[0]->references.size(), 1u);
}

TEST(SchemaRegistry, AnUnknownIdIsAskedForTwiceAndThenBelieved) {
  FakeRegistry fake;
  const auto registry = open(fake);
  for (int i = 0; i < 3; ++i) {
    const auto got = ask(registry.get(), {9});
    ASSERT_TRUE(got.ok()) << got.error().message();
    EXPECT_EQ((*got)[0], nullptr);
  }
  EXPECT_EQ(fake.asked(), (Asked{"/schemas/ids/9", "/schemas/ids/9"}));
}

TEST(SchemaRegistry, AnUnknownIdIsAskedForAgainLater) {
  FakeRegistry fake;
  RegistryPatience patience = impatient();
  patience.unknown_ms = 0;
  const auto registry = open(fake, patience);
  ASSERT_EQ((*ask(registry.get(), {9}))[0], nullptr);
  fake.put_avro(9, R"("int")");
  EXPECT_NE((*ask(registry.get(), {9}))[0], nullptr);
}

TEST(SchemaRegistry, OneThatFailsIsAskedAgainAndThenLeftAlone) {
  FakeRegistry fake;
  fake.put_avro(1, R"("int")");
  fake.set_status(503);
  RegistryPatience patience = impatient();
  patience.rest_ms = patience.longest_rest_ms = 60'000;
  const auto registry = open(fake, patience);
  for (int i = 0; i < 3; ++i) {
    const auto got = ask(registry.get(), {1});
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(got.error().code(), ErrorCode::kRetryable);
    EXPECT_NE(
        got.error().message().find(fake.url() + ": GET /schemas/ids/1 has status 503, out of"),
        std::string::npos)
        << got.error().message();
  }
  EXPECT_EQ(fake.asked().size(), 2u);  // two tries, then it rests
}

TEST(SchemaRegistry, WhenItWorksAgainItAnswers) {
  FakeRegistry fake;
  fake.put_avro(1, R"("int")");
  const auto registry = open(fake);
  fake.set_status(500);
  ASSERT_FALSE(ask(registry.get(), {1}).ok());
  fake.set_status(200);
  EXPECT_TRUE(ask(registry.get(), {1}).ok());
}

TEST(SchemaRegistry, OtherAnswersAreNoWordOnTheSchema) {
  FakeRegistry fake;
  const auto registry = open(fake);
  const auto why = [&] {
    const auto got = ask(registry.get(), {1});
    return got.ok() ? std::string("an answer") : got.error().message();
  };
  fake.set_status(404);  // of another error_code
  EXPECT_NE(why().find("is 'url' under 'registry' that of a schema registry?"), std::string::npos);
  fake.set_status(401);
  EXPECT_NE(why().find("'user' or 'password' under 'registry' is wrong"), std::string::npos);
  fake.set_status(200);
  fake.put("/schemas/ids/1", "<html>");
  EXPECT_NE(why().find("the answer is not that of a schema registry"), std::string::npos);
}

TEST(SchemaRegistry, OneThatIsNotThereIsRetryable) {
  proto::SchemaRegistry settings;
  settings.set_url("http://127.0.0.1:1");
  const auto registry = SchemaRegistry::open(settings, impatient());
  ASSERT_TRUE(registry.ok());
  const auto got = ask(registry->get(), {1});
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code(), ErrorCode::kRetryable);
  EXPECT_NE(got.error().message().find("the schema registry http://127.0.0.1:1: "),
            std::string::npos);
}

TEST(SchemaRegistry, CredentialsAreVariables) {
  proto::SchemaRegistry settings;
  settings.set_url("http://127.0.0.1:1");
  settings.set_password("${TIDEMILL_TEST_NOT_SET}");
  const auto registry = SchemaRegistry::open(settings, impatient());
  ASSERT_FALSE(registry.ok());
  EXPECT_NE(registry.error().message().find("TIDEMILL_TEST_NOT_SET is not set"), std::string::npos);
}

TEST(SchemaRegistry, NamesArePartsOfPaths) {
  EXPECT_EQ(path_segment("a/b c-ü"), "a%2Fb%20c-%C3%BC");
}

}  // namespace
}  // namespace tidemill
