// The kinds of windows and defaults, from a job to what processes use.
#include "shared/plan/window_kinds.h"

#include <gtest/gtest.h>

#include <functional>

#include "shared/plan/plan.h"
#include "shared/plan/yaml_job.h"

namespace tidemill {
namespace {

constexpr DurationUs kHour = 3600 * kMicrosPerSecond;

proto::JobPlan compiled(const std::string& aggregations) {
  const CompiledJob job = compile_job(R"(
job: j
sources:
  tx: {stream: {generator: {partitions: 1}}}
views:
  v:
    source: tx
    entity: [customer_id]
    aggregations:
)" + aggregations,
                                      "/");
  for (const JobError& error : job.errors) ADD_FAILURE() << error.path << ": " << error.message;
  return job.plan;
}

const char kEveryKind[] = R"yaml(
      - {name: a, function: count, windows: [1h, 90m, lifetime], every: 30m}
      - {name: b, function: count, windows: [1d, 2w], every: 1d, timezone: Europe/Berlin, offset: 1h}
      - {name: c, function: count, windows: [2w, 10d], every: 1w, closed: right}
      - {name: d, function: count, windows: [3mo], every: 1mo, timezone: UTC}
      - {name: e, function: count, windows: [session, 1h], gap: 30m, max_length: 1d}
      - {name: f, function: mean, column: amount, windows: [1h], default: -0.5}
      - {name: g, function: last_n, n: 2, column: terminal_id, windows: [1h], default: [x, "it's"]}
      - {name: h, function: first, column: is_fraud, windows: [1h], default: true}
      - {name: i, function: last_n, n: 2, column: event_time, windows: [1h], default: []}
      - {name: j, function: max, column: event_time, windows: [1h], default: 2018-04-01}
      - {name: k, function: max, column: cast(event_time as date), windows: [1h], default: 2018-04-01}
      - {name: l, function: last, column: "cast('{}' as json)", windows: [1h], default: '{"a": 1}'}
      - {name: m, function: last, column: "cast('x' as bytes)", windows: [1h], default: 'a\\'}
      - {name: o, function: histogram, column: amount, windows: [1h], default: {}}
)yaml";

const proto::Feature& feature(const proto::JobPlan& plan, const std::string& name) {
  for (const proto::Feature& each : plan.views(0).features()) {
    if (each.name() == name) return each;
  }
  ADD_FAILURE() << "no feature " << name;
  return plan.views(0).features(0);
}

const FeatureSpec& spec(const Plan& plan, const std::string& name) {
  for (const FeatureSpec& each : plan.views()[0].features) {
    if (each.name == name) return each;
  }
  ADD_FAILURE() << "no feature " << name;
  return plan.views()[0].features[0];
}

TEST(WindowKindsOfAJob, AreReadAndShown) {
  const proto::JobPlan plan = compiled(kEveryKind);
  const std::pair<const char*, const char*> expected[] = {
      {"a_1h", "1h every 30m"},
      {"a_90m", "90m every 30m"},
      {"a_lifetime", "lifetime every 30m"},
      {"b_1d", "1d every 1d in Europe/Berlin"},
      {"b_2w", "14d every 1d in Europe/Berlin"},
      {"c_2w", "14d every 1w"},
      {"c_10d", "10d every 1w"},
      {"d_3mo", "3mo every 1mo"},
      {"e_session", "session, gap 30m, max_length 1d"},
      {"e_1h", "1h"},
  };
  for (const auto& [name, text] : expected) {
    EXPECT_EQ(window_text(feature(plan, name)), text) << name;
  }
  EXPECT_EQ(feature(plan, "a_1h").closed(), proto::Feature::LEFT);
  EXPECT_EQ(feature(plan, "c_2w").closed(), proto::Feature::RIGHT);
  EXPECT_EQ(feature(plan, "e_session").closed(), proto::Feature::RIGHT);
}

TEST(WindowKindsOfAJob, LookBackAsFarAsTheyMust) {
  const proto::JobPlan plan = compiled(kEveryKind);
  const std::pair<const char*, DurationUs> expected[] = {
      {"a_1h", kHour * 3 / 2},
      {"a_lifetime", kHour / 2},
      {"b_1d", 2 * kMicrosPerDay + kHour + 26 * kHour},
      {"c_10d", 17 * kMicrosPerDay},
      {"d_3mo", 4 * 31 * kMicrosPerDay},
      {"e_session", kMicrosPerDay + kHour / 2},
      {"e_1h", kHour},
  };
  for (const auto& [name, reach] : expected) {
    EXPECT_EQ(reach_of(feature(plan, name)), reach) << name;
  }
  EXPECT_EQ(plan.tables(0).retention_us(), 4 * 31 * kMicrosPerDay);
  const auto used = Plan::from_proto(plan);
  ASSERT_TRUE(used.ok()) << used.error().message();
  EXPECT_EQ((*(*used)->tables())[0].views[0].retention, 4 * 31 * kMicrosPerDay);
}

TEST(WindowKindsOfAJob, AreWhatProcessesUse) {
  const auto plan = Plan::from_proto(compiled(kEveryKind));
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  const FeatureSpec& days = spec(**plan, "b_2w");
  ASSERT_NE(days.steps, nullptr);
  EXPECT_EQ(days.steps->unit, WindowSteps::Unit::kDays);
  EXPECT_EQ(days.steps->every, 1);
  EXPECT_EQ(days.steps->window, 14);
  EXPECT_EQ(days.steps->zone.name(), "Europe/Berlin");
  EXPECT_EQ(spec(**plan, "d_3mo").steps->zone.name(), "UTC");
  EXPECT_EQ(spec(**plan, "e_session").gap, kHour / 2);
  EXPECT_EQ(spec(**plan, "e_session").window, kMicrosPerDay);
  EXPECT_EQ(spec(**plan, "e_1h").gap, 0);
  EXPECT_EQ(spec(**plan, "e_1h").steps, nullptr);
  EXPECT_EQ(spec(**plan, "a_1h").otherwise, FeatureValue());
  EXPECT_EQ(spec(**plan, "f_1h").otherwise, FeatureValue(-0.5));
  EXPECT_EQ(spec(**plan, "g_1h").otherwise,
            FeatureValue(ListValue{std::string("x"), std::string("it's")}));
  EXPECT_EQ(spec(**plan, "h_1h").otherwise, FeatureValue(true));
  EXPECT_EQ(spec(**plan, "i_1h").otherwise, FeatureValue(ListValue()));
  EXPECT_EQ(spec(**plan, "j_1h").otherwise, FeatureValue(int64_t{1'522'540'800'000'000}));
  EXPECT_EQ(spec(**plan, "k_1h").otherwise, FeatureValue(std::string("2018-04-01")));
  EXPECT_EQ(spec(**plan, "l_1h").otherwise, FeatureValue(std::string(R"({"a": 1})")));
  EXPECT_EQ(spec(**plan, "m_1h").otherwise, FeatureValue(std::string("\\x615c")));
  EXPECT_EQ(spec(**plan, "o_1h").otherwise, FeatureValue(MapValue()));
}

TEST(WindowKindsOfAJob, ThatDoNotFitAreRefused) {
  const proto::JobPlan good = compiled(kEveryKind);
  const auto change = [&](const char* name, const std::function<void(proto::Feature*)>& how) {
    proto::JobPlan plan = good;
    for (proto::Feature& each : *plan.mutable_views(0)->mutable_features()) {
      if (each.name() == name) how(&each);
    }
    return plan;
  };
  using F = proto::Feature;
  const proto::JobPlan bad[] = {
      change("a_1h", [](F* f) { f->mutable_steps()->clear_unit(); }),
      change("a_1h", [](F* f) { f->mutable_steps()->set_every(0); }),
      change("a_1h", [](F* f) { f->mutable_steps()->set_every(INT64_MAX); }),
      change("a_1h", [](F* f) { f->mutable_steps()->set_every(kHour + 1); }),
      change("a_1h", [](F* f) { f->mutable_steps()->set_window(kHour + 1); }),
      change("a_1h", [](F* f) { f->mutable_steps()->set_timezone("Europe/Berlin"); }),
      change("a_1h", [](F* f) { f->set_gap_us(1); }),
      change("a_lifetime", [](F* f) { f->mutable_steps()->set_window(kHour); }),
      change("b_1d", [](F* f) { f->mutable_steps()->set_timezone("Europe/Atlantis"); }),
      change("b_1d", [](F* f) { f->mutable_steps()->set_window(INT64_MAX); }),
      change("d_3mo", [](F* f) { f->mutable_steps()->set_every(4); }),
      change("d_3mo", [](F* f) { f->clear_steps(); }),  // the table would keep too much
      change("e_session", [](F* f) { f->set_gap_us(-1); }),
      change("e_session", [](F* f) { f->set_gap_us(INT64_MAX); }),
      change("e_session", [](F* f) { f->set_window_us(0); }),
      change("e_1h", [](F* f) { f->mutable_default_value(); }),
      change("f_1h", [](F* f) { f->mutable_default_value()->clear_values(); }),
      change("f_1h",
             [](F* f) { f->mutable_default_value()->mutable_values(0)->set_literal_bool(true); }),
      change("f_1h",
             [](F* f) { f->mutable_default_value()->mutable_values(0)->clear_literal_double(); }),
      change("f_1h",
             [](F* f) { f->mutable_default_value()->mutable_values(0)->set_op(proto::Expr::ADD); }),
      change(
          "f_1h",
          [](F* f) { *f->mutable_default_value()->add_values() = f->default_value().values(0); }),
      change("g_1h", [](F* f) { f->set_n(1); }),
  };
  for (const proto::JobPlan& plan : bad) {
    const auto refused = Plan::from_proto(plan);
    ASSERT_FALSE(refused.ok()) << &plan - bad;
    EXPECT_NE(refused.error().message(), "");
  }
}

}  // namespace
}  // namespace tidemill
