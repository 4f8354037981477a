#include "cli/sql/point_in_time_sql.h"

#include <gtest/gtest.h>

#include "shared/plan/source_partitions.h"
#include "shared/plan/yaml_job.h"

namespace tidemill::sql {
namespace {

constexpr const char* kJob = R"(
job: printed
sources:
  pay:
    schema: {t: timestamp, who: string, x: double, n: int64, shop: string}
    event_time: t
    stream: {kafka: {brokers: "127.0.0.1:1", topic: t}}
views:
  one:
    source: pay
    entity: [who]
    where: x > 0
    order_by: [n]
    aggregations:
      - {name: c, function: count, windows: [1h, lifetime], offset: 1d, closed: both}
      - {name: l, function: last_n, column: shop, n: 2, windows: [1h]}
)";

proto::JobPlan compiled(const char* yaml = kJob) {
  CompiledJob job = compile_job(yaml, "");
  for (const JobError& error : job.errors) ADD_FAILURE() << to_string(error, "job");
  number_source_partitions(&job.plan);
  return std::move(job.plan);
}

Result<std::string> print(proto::JobPlan plan, Dialect dialect) {
  auto checked = Plan::from_proto(std::move(plan));
  EXPECT_TRUE(checked.ok());
  const auto choice = training::choose_features(std::move(checked).value(), "");
  EXPECT_TRUE(choice.ok());
  return point_in_time_sql(*choice, {"labels.spine", "at"}, dialect);
}

TEST(PointInTimeSql, Postgres) {
  const auto sql = print(compiled(), Dialect::kPostgres);
  ASSERT_TRUE(sql.ok());
  EXPECT_EQ(
      *sql,
      R"(-- The features of job printed at the times of labels.spine, in postgres SQL. Each source is a table of its name and columns.
-- Needs, to be fast:
-- create index on "pay" ("who", "t");
with h0 as not materialized (
  select "who" as k0, "t" as t, "shop" as c0, "n" as c1, ("x" > cast('0' as double precision)) as f0
  from "pay")
select s.*,
    coalesce(f0.v0, 0) as "one__c_1h",
    coalesce(f0.v1, 0) as "one__c_lifetime",
    f0.v2 as "one__l_1h"
from "labels"."spine" as s
left join lateral (
  select a.a0 as v0,
    a.a1 as v1,
    a.a2[greatest(cardinality(a.a2) - 2, 0) + 1:] as v2
  from (
    select count(*) filter (where r.t <= s."at" - interval '86400000000 microseconds' and r.t >= s."at" - interval '90000000000 microseconds' and r.f0) as a0,
    count(*) filter (where r.t <= s."at" - interval '86400000000 microseconds' and r.f0) as a1,
    array_agg(r.c0 order by r.t asc nulls last, r.c1 asc nulls last, r.c0 collate "C" asc nulls last) filter (where r.t <= s."at" and r.t > s."at" - interval '3600000000 microseconds' and r.f0 and r.c0 is not null) as a2
    from h0 as r
    where r.k0 = s."who" and r.t <= s."at") as a) as f0 on true;
)");
}

TEST(PointInTimeSql, DuckdbGroups) {
  const auto sql = print(compiled(), Dialect::kDuckdb);
  ASSERT_TRUE(sql.ok());
  EXPECT_NE(sql->find("select distinct s.\"who\" as k0, epoch_us(s.\"at\") as t"),
            std::string::npos);
  EXPECT_NE(sql->find("r.t <= q.t - 86400000000 and r.t >= q.t - 90000000000 and r.f0"),
            std::string::npos);
  EXPECT_NE(sql->find("left join f0 on f0.k0 = s.\"who\" and f0.t = epoch_us(s.\"at\")"),
            std::string::npos);
}

constexpr const char* kDeduplicated = R"(
job: printed
sources:
  pay:
    schema: {t: timestamp, who: string, x: double, n: int64, shop: string}
    event_time: t
    stream: {kafka: {brokers: "127.0.0.1:1", topic: t}}
views:
  one:
    source: pay
    entity: [who]
    where: x > 0
    order_by: [shop]
    deduplicate: {by: [n], within: 1h}
    aggregations:
      - {name: c, function: count, windows: [1h]}
      - {name: m, function: max, column: x, where: shop = 'a', windows: [1h]}
)";

TEST(PointInTimeSql, OfRowsOfOneIdThoseCountThatHaveNoneJustBeforeThem) {
  const auto sql = print(compiled(kDeduplicated), Dialect::kPostgres);
  ASSERT_TRUE(sql.ok()) << sql.error().message();
  const std::string rows = R"(with h0 as not materialized (
  select r.* from (
    select r.*, lag(r.t) over (partition by r.k0, r.c2 order by r.t, r.c1 collate "C" asc nulls last, r.c0 asc nulls last, coalesce(r.f0, false), coalesce(r.f1, false)) as p
    from (
  select "who" as k0, "t" as t, "x" as c0, "shop" as c1, "n" as c2, ("x" > cast('0' as double precision)) as f0, (("x" > cast('0' as double precision)) and ("shop" = 'a')) as f1
  from "pay") as r
    where r.f0) as r
  where r.p is null or r.p <= r.t - interval '3600000000 microseconds' or r.c2 is null)
select s.*)";
  EXPECT_NE(sql->find(rows), std::string::npos) << *sql;
  const auto spark = print(compiled(kDeduplicated), Dialect::kSpark);
  ASSERT_TRUE(spark.ok());
  EXPECT_NE(spark->find("where r.p is null or r.p <= r.t - 3600000000 or r.c2 is null)"),
            std::string::npos)
      << *spark;
}

// Databases have no order of json values by their text.
TEST(PointInTimeSql, RefusesToDeduplicateInAnOrderByJson) {
  const auto sql = print(compiled(R"(
job: printed
sources:
  pay:
    schema: {t: timestamp, who: string, n: int64, j: json}
    event_time: t
    stream: {kafka: {brokers: "127.0.0.1:1", topic: t}}
views:
  one:
    source: pay
    entity: [who]
    deduplicate: {by: [n], within: 1h}
    aggregations: [{name: c, function: count, column: j, windows: [1h]}]
)"),
                         Dialect::kDuckdb);
  ASSERT_FALSE(sql.ok());
  EXPECT_NE(sql.error().message().find("view 'one' cannot be said in duckdb SQL"),
            std::string::npos)
      << sql.error().message();
}

TEST(PointInTimeSql, SeveralSourcesAreAUnionOfTheirRows) {
  const proto::JobPlan plan = compiled(R"(
job: printed
sources:
  card:
    schema: {t: timestamp, who: string, x: double, ok: bool}
    event_time: t
    stream: {kafka: {brokers: "127.0.0.1:1", topic: t}}
  transfer:
    schema: {id: int64, sent: timestamp, payer: int64, cents: int64}
    event_time: sent
    stream: {kafka: {brokers: "127.0.0.1:1", topic: u}}
views:
  paid:
    union:
      - {source: card, columns: {kind: "'card'"}, where: ok}
      - {source: transfer, columns: {who: cast(payer as text), x: cast(cents as double precision), kind: "'transfer'"}}
    entity: [who]
    aggregations:
      - {function: count, where: kind = 'card', windows: [1h]}
      - {function: max, column: x, windows: [1h]}
)");
  const auto sql = print(plan, Dialect::kPostgres);
  ASSERT_TRUE(sql.ok()) << sql.error().message();
  const std::string rows = R"(
-- create index on "card" ("who", "t");
-- create index on "transfer" ((cast("payer" as text)), "sent");
with h0 as not materialized (
  select "who" as k0, "t" as t, "x" as c0, ('card' = 'card') as f0
  from "card"
  where "ok"
  union all
  select cast("payer" as text) as k0, "sent" as t, cast("cents" as double precision) as c0, ('transfer' = 'card') as f0
  from "transfer")
select s.*)";
  EXPECT_NE(sql->find(rows), std::string::npos) << *sql;
  const auto duckdb = print(plan, Dialect::kDuckdb);
  ASSERT_TRUE(duckdb.ok());
  EXPECT_NE(duckdb->find("epoch_us(\"sent\") as t"), std::string::npos) << *duckdb;
  EXPECT_NE(duckdb->find("\n  union all\n"), std::string::npos);
}

TEST(PointInTimeSql, WhatCannotBeSaidIsRefusedWithItsName) {
  proto::JobPlan plan = compiled();
  proto::Feature* const feature = plan.mutable_views(0)->mutable_features(2);
  auto checked = Plan::from_proto(plan);
  ASSERT_TRUE(checked.ok());
  auto choice = training::choose_features(std::move(checked).value(), "");
  ASSERT_TRUE(choice.ok());
  feature->set_gap_us(1);
  choice->tables[0].definitions[2] = feature;
  auto sql = point_in_time_sql(*choice, {"spine", "at"}, Dialect::kDuckdb);
  ASSERT_FALSE(sql.ok());
  EXPECT_EQ(sql.error().message(),
            "feature 'one.l_1h' cannot be said in duckdb SQL: its window is a session (gap:); "
            "choose other features by --service");
  feature->set_gap_us(0);
  feature->set_function(proto::Feature::SKEW);
  sql = point_in_time_sql(*choice, {"spine", "at"}, Dialect::kDuckdb);
  ASSERT_FALSE(sql.ok());
}

}  // namespace
}  // namespace tidemill::sql
