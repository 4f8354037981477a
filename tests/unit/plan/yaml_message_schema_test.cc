// Jobs over records with schemas: a registry, or a file that goes into the plan.
#include <gtest/gtest.h>

#include "shared/plan/plan_checks.h"
#include "shared/plan/yaml_job.h"
#include "tests/unit/plan/job_files.h"

namespace tidemill {
namespace {

CompiledJob compile(const test::JobDirectory& base, const std::string& kafka) {
  return compile_job(
      "job: j\nsources: {tx: {schema: {id: int64, at: timestamp}, event_time: at, stream: {kafka: "
      "{brokers: \"a:1\", topic: t, " +
          kafka +
          "}}}}\nviews: {v: {source: tx, entity: id, aggregations: [{function: count, windows: "
          "1h}]}}\n",
      base.path());
}

std::string errors_of(const CompiledJob& job) {
  std::string out;
  for (const JobError& error : job.errors) out += error.path + ": " + error.message + "\n";
  return out;
}

TEST(YamlMessageSchema, ARegistryGoesIntoThePlanAsItIsWritten) {
  const test::JobDirectory base({});
  const CompiledJob job = compile(
      base,
      R"(format: protobuf, message: a.B, registry: {url: "https://r:8081", user: me, password: "${KAFKA_P}"})");
  ASSERT_EQ(errors_of(job), "");
  const proto::KafkaInput& kafka = job.plan.sources(0).kafka();
  EXPECT_EQ(kafka.format(), proto::KafkaInput::PROTOBUF);
  EXPECT_EQ(kafka.message_type(), "a.B");
  EXPECT_EQ(kafka.registry().url(), "https://r:8081");
  EXPECT_EQ(kafka.registry().user(), "me");
  EXPECT_EQ(kafka.registry().password(), "${KAFKA_P}");
  EXPECT_EQ(kafka.message_schema(), "");
}

TEST(YamlMessageSchema, AFilesSchemaGoesIntoThePlan) {
  const test::JobDirectory base({});
  const std::string text =
      R"({"type":"record","name":"R","fields":[{"name":"at","type":"string"},{"name":"id","type":"long"}]})";
  std::ofstream(base.path() + "/r.avsc") << text;
  const CompiledJob job = compile(base, "format: avro, schema_file: r.avsc");
  ASSERT_EQ(errors_of(job), "");
  EXPECT_EQ(job.plan.sources(0).kafka().message_schema(), text);
  EXPECT_FALSE(job.plan.sources(0).kafka().has_registry());
}

TEST(YamlMessageSchema, EachColumnNeedsAFieldOfTheFilesSchema) {
  const test::JobDirectory base({});
  std::ofstream(base.path() + "/r.avsc")
      << R"({"type":"record","name":"R","fields":[{"name":"at","type":"string"},{"name":"idd","type":"int"}]})";
  EXPECT_EQ(errors_of(compile(base, "format: avro, schema_file: r.avsc")),
            "sources.tx.stream.kafka.schema_file: the schema has no field 'id', so that the column "
            "would always be null: leave it out of 'schema'; did you mean 'idd'?\n");
}

TEST(YamlMessageSchema, ADescriptorSetNeedsAMessageType) {
  const test::JobDirectory base({});
  std::filesystem::copy("tests/golden/records/order.desc", base.path() + "/order.desc");
  const CompiledJob job =
      compile(base, "format: protobuf, descriptor_set: order.desc, message: shop.Order");
  ASSERT_EQ(errors_of(job), "");
  EXPECT_EQ(job.plan.sources(0).kafka().message_schema(),
            test::read_text("tests/golden/records/order.desc"));
  EXPECT_NE(errors_of(compile(base, "format: protobuf, descriptor_set: order.desc"))
                .find("write message: PACKAGE.TYPE"),
            std::string::npos);
  EXPECT_NE(errors_of(compile(base, "format: protobuf, descriptor_set: order.desc, message: Order"))
                .find("no message type 'Order'; write it with its package"),
            std::string::npos);
}

// A plan from the wire is outside bytes.
TEST(YamlMessageSchema, PlansAreChecked) {
  const test::JobDirectory base({});
  const CompiledJob job = compile(base, R"(format: avro, registry: {url: "http://r"})");
  ASSERT_EQ(errors_of(job), "");
  const proto::Source good = job.plan.sources(0);
  EXPECT_TRUE(check_source(good).ok());
  const auto refused = [&](const std::function<void(proto::KafkaInput*)>& change) {
    proto::Source source = good;
    change(source.mutable_kafka());
    return !check_source(source).ok();
  };
  EXPECT_TRUE(refused([](auto* k) { k->clear_registry(); }));
  EXPECT_TRUE(refused([](auto* k) { k->set_message_schema("\"int\""); }));
  EXPECT_TRUE(refused([](auto* k) { k->set_message_type("a.B"); }));
  EXPECT_TRUE(refused([](auto* k) { k->mutable_registry()->set_url("file:///etc/passwd"); }));
  EXPECT_TRUE(refused([](auto* k) { k->mutable_registry()->set_password("plain"); }));
  EXPECT_TRUE(refused([](auto* k) { k->set_format(proto::KafkaInput::JSON); }));
  EXPECT_TRUE(refused([](auto* k) {
    k->set_format(proto::KafkaInput::PROTOBUF);
    k->clear_registry();
    k->set_message_schema("x");
  }));
}

TEST(YamlMessageSchema, AvroFilesAreKnownByTheirNames) {
  const test::JobDirectory base({"a.avro"});
  const CompiledJob job = compile_job(
      "job: j\nsources: {tx: {schema: {id: int64, at: timestamp}, event_time: at, stream: {files: "
      "\"*.avro\"}}}\nviews: {v: {source: tx, entity: id, aggregations: [{function: count, "
      "windows: "
      "1h}]}}\n",
      base.path());
  ASSERT_EQ(errors_of(job), "");
  EXPECT_EQ(job.plan.sources(0).files().format(), proto::FilesInput::AVRO);
}

}  // namespace
}  // namespace tidemill
