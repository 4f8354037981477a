#include "shared/plan/yaml_job.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "shared/base/time.h"
#include "shared/plan/plan.h"
#include "tests/unit/plan/job_files.h"

namespace tidemill {
namespace {

std::string errors_of(const CompiledJob& job) {
  std::string out;
  for (const JobError& error : job.errors) out += to_string(error, "job.yaml") + "\n";
  return out;
}

proto::JobPlan compiled(const std::string& yaml, const std::string& base = "/") {
  const CompiledJob job = compile_job(yaml, base);
  EXPECT_EQ(errors_of(job), "");
  return job.plan;
}

const char kGenerated[] = R"(
job: j
sources: {tx: {stream: {generator: {}}}}
)";

std::string with_views(const std::string& views) { return kGenerated + views; }

TEST(YamlJob, HasDefaults) {
  const test::JobDirectory base({"a.csv"});
  const std::string yaml = R"(
job: j
sources:
  tx: {schema: {at: timestamp, k: int64}, event_time: at, history: {files: a.csv}}
views: {v: {source: tx, entity: k, aggregations: [{function: count, windows: 1h}]}}
)";
  const proto::JobPlan plan = compiled(yaml, base.path());
  EXPECT_EQ(plan.format_version(), 4u) << "the table has a bound";
  EXPECT_EQ(plan.key_partitions(), 128u);
  EXPECT_EQ(plan.standby_replicas(), 0u);
  EXPECT_EQ(plan.allowed_lateness_us(), 3600 * kMicrosPerSecond);
  EXPECT_EQ(plan.leading_edge(), proto::JobPlan::EVENT);
  EXPECT_EQ(plan.yaml(), yaml);
  const proto::Source& source = plan.sources(0);
  EXPECT_EQ(source.max_out_of_orderness_us(), 0);
  EXPECT_EQ(source.idle_after_us(), 30 * kMicrosPerSecond);
  EXPECT_EQ(source.not_after_us(), 0);  // stated when the job is submitted
  EXPECT_EQ(source.files().format(), proto::FilesInput::CSV);
  EXPECT_EQ(source.files().replay_speed(), 0);
  EXPECT_EQ(plan.views(0).features(0).closed(), proto::Feature::RIGHT);
  EXPECT_EQ(plan.views(0).features(0).offset_us(), 0);
}

TEST(YamlJob, ReadsEveryKey) {
  const test::JobDirectory base({"in/a.data", "in/b.data", "more/c.data"});
  const proto::JobPlan plan = compiled(R"(
job: everything
key_partitions: 7
standby_replicas: 1
allowed_lateness: 2h
leading_edge: wall
sources:
  tx:
    schema: {id: bigint, at: timestamptz, k: text, amount: double precision, ok: boolean, n: int}
    event_time: at
    max_out_of_orderness: 10s
    idle_after: 1m
    not_after: 2030-01-01
    stream: {files: [in/*.data, more/c.data, in/a.data], format: ndjson, replay: 60x}
  gen:
    schema: {transaction_id: int64, event_time: timestamp, customer_id: string, terminal_id: string, amount: double, is_fraud: bool}
    event_time: event_time
    stream:
      generator: {partitions: 2, events: 9, seed: 3, customers: 4, terminals: 5, zipf_exponent: 1.5,
                  start_time: 2019-01-01T00:00:00Z, events_per_second: 2.5, late_share: 0.1,
                  late_by: 1h, tie_share: 0.2, burst_share: 0.3, burst_factor: 4,
                  malformed_share: 0.01, fraud_share: 0.02, replay: max}
views:
  v:
    source: tx
    entity: [k, ok]
    where: amount > 0
    aggregations:
      - {function: var_pop, column: amount, where: n > 1, windows: [7d, 1w], offset: 1d, closed: both, name: spread}
services: {s: {features: [v.spread_1w]}}
)",
                                       base.path());
  EXPECT_EQ(plan.key_partitions(), 7u);
  EXPECT_EQ(plan.standby_replicas(), 1u);
  EXPECT_EQ(plan.allowed_lateness_us(), 7200 * kMicrosPerSecond);
  EXPECT_EQ(plan.leading_edge(), proto::JobPlan::WALL);
  const proto::Source& tx = plan.sources(0);
  EXPECT_EQ(tx.schema(0).type(), proto::INT64);
  EXPECT_EQ(tx.schema(3).type(), proto::DOUBLE);
  EXPECT_EQ(tx.event_time_field(), 1u);
  EXPECT_EQ(tx.idle_after_us(), 60 * kMicrosPerSecond);
  EXPECT_EQ(format_timestamp(tx.not_after_us()), "2030-01-01T00:00:00Z");
  EXPECT_EQ(tx.files().format(), proto::FilesInput::NDJSON);
  EXPECT_EQ(tx.files().replay_speed(), 60);
  ASSERT_EQ(tx.files().paths_size(), 3);
  EXPECT_EQ(tx.files().paths(2), base.path() + "/more/c.data");
  EXPECT_EQ(tx.max_future_us(), 0);
  const proto::Source& gen = plan.sources(1);
  ASSERT_EQ(plan.source_partitions_size(), 5);
  EXPECT_EQ(plan.source_partitions(2).source(), 0u);
  EXPECT_EQ(plan.source_partitions(2).index(), 2u);
  EXPECT_EQ(plan.source_partitions(3).source(), 1u);
  EXPECT_EQ(plan.source_partitions(3).index(), 0u);
  EXPECT_EQ(gen.generator().events(), 9u);
  EXPECT_EQ(gen.generator().burst_factor(), 4);
  EXPECT_EQ(format_timestamp(gen.generator().start_time_us()), "2019-01-01T00:00:00Z");
  const proto::Table& table = plan.tables(0);
  EXPECT_EQ(table.entity(), "k,ok");
  EXPECT_EQ(table.inputs(0).filters(0).text(), "amount > 0.0 and n > 1");
  EXPECT_EQ(table.retention_us(), 8 * kMicrosPerDay);
  const proto::Feature& feature = plan.views(0).features(1);
  EXPECT_EQ(feature.name(), "spread_1w");
  EXPECT_EQ(feature.function(), proto::Feature::VAR_POP);
  EXPECT_EQ(feature.closed(), proto::Feature::BOTH);
  EXPECT_EQ(feature.window_us(), 7 * kMicrosPerDay);
  EXPECT_EQ(plan.services(0).features(0), "v.spread_1w");
}

TEST(YamlJob, SharesTablesColumnsAndFilters) {
  const proto::JobPlan plan = compiled(with_views(R"(
views:
  a:
    source: tx
    entity: [customer_id]
    where: amount > 0 and is_fraud
    aggregations:
      - {function: sum, column: amount, windows: [1h]}
      - {function: max, column: AMOUNT, windows: [1h]}
      - {function: count, where: not is_fraud, windows: [1h]}
  b:
    source: tx
    entity: [customer_id]
    aggregations:
      - {function: mean, column: amount, where: (amount > 0.0) and (is_fraud), windows: [2h]}
      - {function: count, column: terminal_id, windows: [1h]}
  c: {source: tx, entity: [terminal_id], aggregations: [{function: count, windows: [1h]}]}
)"));
  ASSERT_EQ(plan.tables_size(), 2);
  const proto::Table& table = plan.tables(0);
  ASSERT_EQ(table.column_types_size(), 2);
  EXPECT_EQ(table.inputs(0).columns(0).text(), "amount");
  EXPECT_EQ(table.inputs(0).columns(1).text(), "terminal_id");
  ASSERT_EQ(table.inputs(0).filters_size(), 2);
  EXPECT_EQ(table.inputs(0).filters(0).text(), "amount > 0.0 and is_fraud");
  EXPECT_EQ(table.inputs(0).filters(1).text(), "amount > 0.0 and is_fraud and not is_fraud");
  EXPECT_EQ(plan.views(1).features(0).column(), 0);
  EXPECT_EQ(plan.views(1).features(0).filter(), 0);
  EXPECT_EQ(plan.views(1).features(1).name(), "terminal_id_count_1h");
  EXPECT_EQ(plan.views(1).features(1).filter(), -1);
  EXPECT_EQ(plan.views(2).table(), 1u);
}

TEST(YamlJob, GivesFeaturesTheirTypes) {
  const proto::JobPlan plan = compiled(with_views(R"(
views:
  v:
    source: tx
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [1h]}
      - {function: sum, column: transaction_id, windows: [1h]}
      - {function: sum, column: cast(is_fraud as int), name: frauds, windows: [1h]}
      - {function: mean, column: transaction_id, windows: [1h]}
      - {function: max, column: event_time, windows: [1h]}
      - {function: min, column: transaction_id, windows: [1h]}
      - {function: var, column: amount, windows: [1h]}
      - {function: stddev, column: amount, windows: [1h]}
)"));
  const auto& features = plan.views(0).features();
  const std::vector<proto::ColumnType> expected = {proto::INT64,  proto::DOUBLE,    proto::INT64,
                                                   proto::DOUBLE, proto::TIMESTAMP, proto::INT64,
                                                   proto::DOUBLE, proto::DOUBLE};
  for (int i = 0; i < features.size(); ++i) {
    EXPECT_EQ(features[i].type(), expected[static_cast<size_t>(i)]) << features[i].name();
  }
  EXPECT_EQ(features[6].function(), proto::Feature::VAR_SAMP);
  EXPECT_EQ(features[7].function(), proto::Feature::STDDEV_SAMP);
}

TEST(YamlJob, ReadsFunctionsWithSeveralParameters) {
  const proto::JobPlan plan = compiled(with_views(R"(
views:
  v:
    source: tx
    entity: [customer_id]
    aggregations:
      - {function: skew, column: amount, windows: [1h]}
      - {function: kurtosis_pop, column: transaction_id, windows: [1h]}
      - {function: histogram, column: terminal_id, windows: [lifetime]}
      - {function: top_k_by_frequency, k: 3, max_values: 50, column: is_fraud, windows: [1h]}
      - {function: bottom_k_by_frequency, k: 3, counts: true, column: terminal_id, windows: [1h]}
      - {function: approx_count_distinct, column: terminal_id, windows: [1h]}
      - {function: approx_percentile, percentile: 0.99, column: amount, windows: [1h]}
      - {function: decayed_sum, half_life: 7d, column: amount, windows: [30d]}
      - {function: decayed_count, half_life: 90s, windows: [30d]}
)"));
  const auto& f = plan.views(0).features();
  ASSERT_EQ(f.size(), 9);
  EXPECT_EQ(f[0].function(), proto::Feature::SKEW);
  EXPECT_EQ(f[0].type(), proto::DOUBLE);
  EXPECT_EQ(f[1].type(), proto::DOUBLE);
  EXPECT_TRUE(f[2].map() && !f[2].list());
  EXPECT_EQ(f[2].key_type(), proto::STRING);
  EXPECT_EQ(f[2].type(), proto::INT64);
  EXPECT_EQ(f[2].bound(), 1000u);
  EXPECT_TRUE(f[3].list() && !f[3].map());
  EXPECT_EQ(f[3].type(), proto::BOOL);
  EXPECT_EQ(f[3].n(), 3u);
  EXPECT_EQ(f[3].bound(), 50u);
  EXPECT_TRUE(f[4].map() && !f[4].list());
  EXPECT_EQ(f[4].bound(), 10'000u);
  EXPECT_EQ(f[5].n(), 12u);
  EXPECT_EQ(f[6].percentile(), 990'000u);
  EXPECT_EQ(f[6].relative_accuracy(), 10'000u);
  EXPECT_EQ(f[6].bound(), 1024u);
  EXPECT_EQ(f[7].half_life_us(), 7 * kMicrosPerDay);
  EXPECT_EQ(f[8].column(), -1);
  EXPECT_EQ(f[8].type(), proto::DOUBLE);
  const auto checked = Plan::from_proto(plan);
  ASSERT_TRUE(checked.ok()) << checked.error().message();
  EXPECT_EQ((*checked)->views()[0].features[6].percentile, 990'000u);
}

TEST(YamlJob, ReadsFunctionsWithParameters) {
  const proto::JobPlan plan = compiled(with_views(R"(
views:
  v:
    source: tx
    entity: [customer_id]
    aggregations:
      - {function: first, column: is_fraud, windows: [1h]}
      - {function: last, column: terminal_id, windows: [1h]}
      - {function: first_n, n: 1, column: event_time, windows: [1h]}
      - {function: last_n, n: 1000, column: transaction_id, windows: [1h]}
      - {function: first_distinct_n, n: 3, column: amount, windows: [1h]}
      - {function: last_distinct_n, n: 4, column: terminal_id, windows: [1h]}
      - {function: count_distinct, column: terminal_id, windows: [1h]}
      - {function: count_distinct, exact_up_to: 16, column: is_fraud, windows: [1h]}
      - {function: top_k, k: 5, column: terminal_id, windows: [1h]}
      - {function: bottom_k, k: 6, column: event_time, windows: [1h]}
)"));
  struct Expected {
    const char* name;
    proto::Feature::Function function;
    proto::ColumnType type;
    bool list;
    uint32_t n;
  };
  const std::vector<Expected> expected = {
      {"is_fraud_first_1h", proto::Feature::FIRST, proto::BOOL, false, 0},
      {"terminal_id_last_1h", proto::Feature::LAST, proto::STRING, false, 0},
      {"event_time_first_n_1h", proto::Feature::FIRST_N, proto::TIMESTAMP, true, 1},
      {"transaction_id_last_n_1h", proto::Feature::LAST_N, proto::INT64, true, 1000},
      {"amount_first_distinct_n_1h", proto::Feature::FIRST_DISTINCT_N, proto::DOUBLE, true, 3},
      {"terminal_id_last_distinct_n_1h", proto::Feature::LAST_DISTINCT_N, proto::STRING, true, 4},
      {"terminal_id_count_distinct_1h", proto::Feature::COUNT_DISTINCT, proto::INT64, false, 10000},
      {"is_fraud_count_distinct_1h", proto::Feature::COUNT_DISTINCT, proto::INT64, false, 16},
      {"terminal_id_top_k_1h", proto::Feature::TOP_K, proto::STRING, true, 5},
      {"event_time_bottom_k_1h", proto::Feature::BOTTOM_K, proto::TIMESTAMP, true, 6}};
  const auto& features = plan.views(0).features();
  ASSERT_EQ(static_cast<size_t>(features.size()), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const proto::Feature& feature = features[static_cast<int>(i)];
    EXPECT_EQ(feature.name(), expected[i].name);
    EXPECT_EQ(feature.function(), expected[i].function) << feature.name();
    EXPECT_EQ(feature.type(), expected[i].type) << feature.name();
    EXPECT_EQ(feature.list(), expected[i].list) << feature.name();
    EXPECT_EQ(feature.n(), expected[i].n) << feature.name();
  }
}

TEST(YamlJob, ReadsLifetimeWindows) {
  const proto::JobPlan plan = compiled(with_views(R"(
views:
  v:
    source: tx
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [1h, lifetime], offset: 2h, closed: left}
  w: {source: tx, entity: [terminal_id], aggregations: [{function: count, windows: lifetime}]}
)"));
  const proto::Feature& bounded = plan.views(0).features(0);
  const proto::Feature& lifetime = plan.views(0).features(1);
  EXPECT_FALSE(bounded.lifetime());
  EXPECT_EQ(lifetime.name(), "count_lifetime");
  EXPECT_TRUE(lifetime.lifetime());
  EXPECT_EQ(lifetime.window_us(), 0);
  EXPECT_EQ(lifetime.offset_us(), 7200 * kMicrosPerSecond);
  EXPECT_EQ(lifetime.closed(), proto::Feature::LEFT);
  EXPECT_EQ(plan.tables(0).retention_us(), 3 * 3600 * kMicrosPerSecond);
  // Of a lifetime window only the offset is retained as rows.
  EXPECT_EQ(plan.tables(1).retention_us(), 0);
}

std::vector<std::string> order_of(const proto::JobPlan& plan, int view) {
  std::vector<std::string> out;
  const proto::Table& table = plan.tables(static_cast<int>(plan.views(view).table()));
  for (const uint32_t column : plan.views(view).order()) {
    out.push_back(table.inputs(0).columns(static_cast<int>(column)).text());
  }
  return out;
}

TEST(YamlJob, OrdersRowsByOrderByThenByTheOwnColumns) {
  const proto::JobPlan plan = compiled(with_views(R"(
views:
  v:
    source: tx
    entity: [customer_id]
    aggregations:
      - {function: last, column: terminal_id, windows: [1h]}
      - {function: count, windows: [1h]}
      - {function: sum, column: amount, windows: [1h, 2h]}
      - {function: first, column: terminal_id, windows: [1h]}
  w:
    source: tx
    entity: [customer_id]
    order_by: [transaction_id, AMOUNT, cast(is_fraud as int)]
    aggregations:
      - {function: last, column: is_fraud, windows: [1h]}
      - {function: max, column: amount, windows: [1h]}
  x: {source: tx, entity: [customer_id], order_by: is_fraud, aggregations: [{function: count, windows: [1h]}]}
)"));
  EXPECT_EQ(order_of(plan, 0), (std::vector<std::string>{"terminal_id", "amount"}));
  EXPECT_EQ(order_of(plan, 1), (std::vector<std::string>{"transaction_id", "amount",
                                                         "cast(is_fraud as int32)", "is_fraud"}));
  EXPECT_EQ(order_of(plan, 2), std::vector<std::string>{"is_fraud"});
}

const char kOverKafka[] = R"(
job: live
sources:
  tx:
    schema: {id: int64, at: timestamp, k: string}
    event_time: at
    stream: {kafka: )";

proto::JobPlan over_kafka(const std::string& kafka, const std::string& more = "") {
  return compiled(kOverKafka + kafka + "}\n" + more +
                  "\nviews: {v: {source: tx, entity: k, aggregations: [{function: count, windows: "
                  "1h}]}}\n");
}

TEST(YamlJob, ReadsATopicWithDefaults) {
  const proto::JobPlan plan = over_kafka("{brokers: \"127.0.0.1:9092\", topic: tx}");
  const proto::Source& source = plan.sources(0);
  EXPECT_EQ(source.kafka().brokers(), "127.0.0.1:9092");
  EXPECT_EQ(source.kafka().topic(), "tx");
  EXPECT_EQ(source.kafka().format(), proto::KafkaInput::JSON);
  EXPECT_EQ(source.kafka().csv_fields_size(), 0);
  EXPECT_EQ(source.kafka().start(), proto::KafkaInput::EARLIEST);
  EXPECT_EQ(source.kafka().group(), "tidemill.live");
  EXPECT_EQ(source.kafka().client_size(), 0);
  EXPECT_EQ(source.max_future_us(), 600 * kMicrosPerSecond);
  EXPECT_EQ(source.not_after_us(), 0);
  // Partitions are known once the job is submitted and the topic asked.
  EXPECT_EQ(source.kafka().start_offsets_size(), 0);
  EXPECT_EQ(plan.source_partitions_size(), 0);
  EXPECT_EQ(plan.leading_edge(), proto::JobPlan::WALL);
}

TEST(YamlJob, ReadsEveryKeyOfATopic) {
  const proto::JobPlan plan = over_kafka(
      "{brokers: \"a:1,[::1]:9092\", topic: tx.v-1_, format: csv, columns: [k, at], "
      "start: 2018-04-01, group: mine, client: {security.protocol: sasl_ssl, "
      "sasl.password: \"${KAFKA_PASSWORD}\", fetch.wait.max.ms: 10}}",
      "    max_future: 1h\nleading_edge: event");
  const proto::Source& source = plan.sources(0);
  const proto::KafkaInput& kafka = source.kafka();
  EXPECT_EQ(kafka.brokers(), "a:1,[::1]:9092");
  EXPECT_EQ(kafka.topic(), "tx.v-1_");
  EXPECT_EQ(kafka.format(), proto::KafkaInput::CSV);
  ASSERT_EQ(kafka.csv_fields_size(), 2);
  EXPECT_EQ(kafka.csv_fields(0), 2u);
  EXPECT_EQ(kafka.csv_fields(1), 1u);
  EXPECT_EQ(kafka.start(), proto::KafkaInput::TIMESTAMP);
  EXPECT_EQ(format_timestamp(kafka.start_time_us()), "2018-04-01T00:00:00Z");
  EXPECT_EQ(kafka.group(), "mine");
  EXPECT_EQ(kafka.client().size(), 3u);
  EXPECT_EQ(kafka.client().at("sasl.password"), "${KAFKA_PASSWORD}");
  EXPECT_EQ(source.max_future_us(), 3600 * kMicrosPerSecond);
  EXPECT_EQ(plan.leading_edge(), proto::JobPlan::EVENT);
}

TEST(YamlJob, CsvRecordsHaveTheFieldsOfTheSchema) {
  const proto::JobPlan plan =
      over_kafka("{brokers: \"a:1\", topic: tx, format: csv, start: latest}");
  const proto::KafkaInput& kafka = plan.sources(0).kafka();
  EXPECT_EQ(std::vector<uint32_t>(kafka.csv_fields().begin(), kafka.csv_fields().end()),
            (std::vector<uint32_t>{0, 1, 2}));
  EXPECT_EQ(kafka.start(), proto::KafkaInput::LATEST);
  EXPECT_EQ(kafka.start_time_us(), 0);
}

proto::JobPlan over_files(const test::JobDirectory& base, const std::string& stream) {
  return compiled(
      "job: j\nsources: {tx: {schema: {at: timestamp, k: int64}, event_time: at, stream: {" +
          stream +
          "}}}\nviews: {v: {source: tx, entity: k, aggregations: [{function: count, windows: "
          "1h}]}}",
      base.path());
}

TEST(YamlJob, FollowsFiles) {
  const test::JobDirectory base({"in/b.csv", "in/a.csv"});
  const proto::JobPlan plan = over_files(base, "files: [in/*.csv, later/x.csv], follow: true");
  const proto::FilesInput& files = plan.sources(0).files();
  EXPECT_TRUE(files.follow());
  EXPECT_EQ(files.format(), proto::FilesInput::CSV);
  ASSERT_EQ(files.patterns_size(), 2);
  EXPECT_EQ(files.patterns(0), base.path() + "/in/*.csv");
  EXPECT_EQ(files.patterns(1), base.path() + "/later/x.csv");
  ASSERT_EQ(files.paths_size(), 2);
  EXPECT_EQ(files.paths(0), base.path() + "/in/a.csv");
  EXPECT_EQ(plan.source_partitions_size(), 2);
  EXPECT_EQ(plan.leading_edge(), proto::JobPlan::EVENT);
  // Nothing matches yet.
  const proto::JobPlan none = over_files(base, "files: in/*.ndjson, follow: true");
  EXPECT_EQ(none.sources(0).files().format(), proto::FilesInput::NDJSON);
  EXPECT_EQ(none.sources(0).files().paths_size(), 0);
  EXPECT_EQ(none.source_partitions_size(), 0);
  const proto::JobPlan still = over_files(base, "files: in/*.csv, follow: false, replay: 2x");
  EXPECT_FALSE(still.sources(0).files().follow());
  EXPECT_EQ(still.sources(0).files().patterns_size(), 0);
}

TEST(YamlJob, TellsTheFormatOfCompressedFiles) {
  const test::JobDirectory base({"a.csv.gz", "b.csv", "c.ndjson.gz", "d.jsonl.gz"});
  const proto::JobPlan csv = over_files(base, "files: [a.csv.gz, b.csv]");
  EXPECT_EQ(csv.sources(0).files().format(), proto::FilesInput::CSV);
  EXPECT_EQ(csv.sources(0).files().paths_size(), 2);
  const proto::JobPlan ndjson = over_files(base, "files: [c.ndjson.gz, d.jsonl.gz]");
  EXPECT_EQ(ndjson.sources(0).files().format(), proto::FilesInput::NDJSON);
}

TEST(YamlJob, LimitsItsSize) {
  const std::string large(size_t{1} << 20, ' ');
  EXPECT_EQ(errors_of(compile_job(large + "a", "/")),
            "job.yaml:1:1: document: the job has 1048577 bytes; at most 1048576 are allowed\n");
  EXPECT_FALSE(compile_job("\xff", "/").errors.empty());
  EXPECT_FALSE(compile_job(std::string(10000, '['), "/").errors.empty());
  std::string unknown = "job: j\n";
  for (int i = 0; i < 1000; ++i) unknown += "k" + std::to_string(i) + ": 1\n";
  EXPECT_EQ(compile_job(unknown, "/").errors.size(), 200u);
  std::string many = "views:\n";
  for (int v = 0; v < 200; ++v) {
    many += "  v" + std::to_string(v) + ": {source: tx, entity: [customer_id], aggregations: [";
    for (int w = 1; w <= 30; ++w)
      many += "{function: count, windows: [" + std::to_string(w) + "h]},";
    many += "]}\n";
  }
  const std::string errors = errors_of(compile_job(with_views(many), "/"));
  EXPECT_NE(errors.find("the job has 4110 features up to here; at most 4096 are allowed"),
            std::string::npos)
      << errors;
}

// Whatever the text, compiling ends, and a plan without errors is one that processes accept.
RC_GTEST_PROP(YamlJob, SurvivesDamagedText, ()) {
  static const std::string text = test::read_text("config/jobs/card_fraud_generated.yaml");
  std::string damaged = text;
  const int edits = *rc::gen::inRange(1, 6);
  for (int i = 0; i < edits; ++i) {
    const size_t at = *rc::gen::inRange<size_t>(0, damaged.size());
    switch (*rc::gen::inRange(0, 3)) {
      case 0:
        damaged[at] =
            *rc::gen::elementOf(std::string("{}[]:,-&*!|>'\"%@`# \n\t\0\xff"
                                            "a0",
                                            25));
        break;
      case 1:
        damaged.erase(at, *rc::gen::inRange<size_t>(1, 20));
        break;
      default:
        damaged.insert(at, damaged.substr(*rc::gen::inRange<size_t>(0, damaged.size()), 10));
    }
  }
  const CompiledJob job = compile_job(damaged, "/");
  for (const JobError& error : job.errors) RC_ASSERT(!error.message.empty());
}

// Logs that were rotated away beside those that grow: bound when the job is submitted.
TEST(YamlJob, FollowedPatternsMayMatchCompressedFiles) {
  const test::JobDirectory base({"app.csv", "app.csv.1.gz"});
  const proto::JobPlan plan = over_files(base, "files: app.csv*, format: csv, follow: true");
  ASSERT_EQ(plan.sources(0).files().paths_size(), 1);
  EXPECT_EQ(plan.sources(0).files().paths(0), base.path() + "/app.csv");
}

TEST(YamlJob, RefusesFileNamesThatAreNotUtf8) {
  const test::JobDirectory base({"in/b\xFF.csv", "d\xFF/a.csv"});
  const auto errors = [](const std::string& base_dir, const std::string& stream) {
    return errors_of(
        compile_job("job: j\nsources: {tx: {schema: {at: timestamp}, event_time: at, "
                    "stream: {" +
                        stream + "}}}\n",
                    base_dir));
  };
  const std::string file = "the file name '" + base.path() + "/in/b?.csv' is not valid UTF-8; ";
  for (const char* stream : {"files: in/*.csv", "files: in/*.csv, follow: true"}) {
    EXPECT_NE(errors(base.path(), stream).find(file), std::string::npos) << stream;
  }
  const std::string directory = base.path() + "/d\xFF";
  EXPECT_NE(errors(directory, "files: a.csv").find("/d?/a.csv' is not valid UTF-8"),
            std::string::npos);
  EXPECT_NE(errors(directory, "files: x*.csv, follow: true").find("/d?/x*.csv' is not valid UTF-8"),
            std::string::npos);
  EXPECT_NE(
      errors(directory, "files: x.csv").find("no file matches 'x.csv' in " + base.path() + "/d?"),
      std::string::npos);
}

}  // namespace
}  // namespace tidemill
