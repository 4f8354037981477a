#include "serving/features_json.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>

namespace tidemill {
namespace {

using nlohmann::json;

Result<FeaturesRequest> parsed(const std::string& body) {
  return parse_features_request(body, {.rows = 1'000, .values = 10'000});
}

TEST(FeaturesRequest, ReadsWhatWasAsked) {
  const auto got = parsed(R"({
    "job": "card_fraud", "features": ["customer.*", "terminal_risk.risk_7d"],
    "entities": {"customer_id": ["596", 4961], "flag": [true, false]},
    "as_of": "2018-04-10T00:00:00Z", "offsets": true})");
  ASSERT_TRUE(got.ok()) << got.error().message();
  EXPECT_EQ(got->job, "card_fraud");
  EXPECT_EQ(got->features, (std::vector<std::string>{"customer.*", "terminal_risk.risk_7d"}));
  EXPECT_EQ(got->service, "");
  ASSERT_EQ(got->entities.size(), 2u);
  EXPECT_EQ(got->entities[0].name, "customer_id");
  EXPECT_EQ(got->entities[0].values,
            (std::vector<FeatureKeyValue>{std::string("596"), int64_t{4961}}));
  EXPECT_EQ(got->entities[1].values, (std::vector<FeatureKeyValue>{true, false}));
  EXPECT_EQ(got->as_of, TimeUs{1'523'318'400'000'000});
  EXPECT_TRUE(got->offsets);
  EXPECT_EQ(got->rows(), 2u);
}

TEST(FeaturesRequest, ServiceInPlaceOfFeaturesAndDefaults) {
  const auto got = parsed(R"({"job":"j","service":"fraud_model","entities":{"k":["\u00e9\"x"]}})");
  ASSERT_TRUE(got.ok()) << got.error().message();
  EXPECT_EQ(got->service, "fraud_model");
  EXPECT_TRUE(got->features.empty());
  EXPECT_FALSE(got->as_of.has_value());
  EXPECT_FALSE(got->offsets);
  EXPECT_EQ(got->entities[0].values[0], FeatureKeyValue(std::string("é\"x")));
}

TEST(FeaturesRequest, TakesExactlyTheRowsAndNamesAllowed) {
  json request = {{"job", "j"}, {"features", json::array()}, {"entities", {{"k", json::array()}}}};
  for (size_t i = 0; i < kMaxFeatureNames; ++i) request["features"].push_back("v.f");
  for (size_t i = 0; i < 1'000; ++i) request["entities"]["k"].push_back(i);
  const auto got = parsed(request.dump());
  ASSERT_TRUE(got.ok()) << got.error().message();
  EXPECT_EQ(got->rows(), 1'000u);
  EXPECT_EQ(got->features.size(), kMaxFeatureNames);

  json rows = request;
  rows["entities"]["k"].push_back(0);
  EXPECT_EQ(parsed(rows.dump()).error().message(),
            "entities.k: has more than 1000 rows; split the request");
  json names = request;
  names["features"].push_back("v.f");
  EXPECT_NE(parsed(names.dump()).error().message().find("more than 1000 names"), std::string::npos);
}

struct BadRequest {
  const char* body;
  const char* message;  // how the error begins
};

class BadRequests : public testing::TestWithParam<BadRequest> {};

TEST_P(BadRequests, SaysWhatWhereAndWhatWouldBeRight) {
  const auto got = parsed(GetParam().body);
  ASSERT_FALSE(got.ok()) << GetParam().body;
  EXPECT_EQ(got.error().code(), ErrorCode::kUser);
  EXPECT_EQ(got.error().message().rfind(GetParam().message, 0), 0u) << got.error().message();
}

INSTANTIATE_TEST_SUITE_P(
    All, BadRequests,
    testing::Values(
        BadRequest{"", "the body is not JSON"}, BadRequest{"{", "the body is not JSON"},
        BadRequest{R"({"job":"j",})", "the body is not JSON from byte 12 on; write an object"},
        BadRequest{R"({"job":"j"} x)", "the body is not JSON from byte 13 on"},
        BadRequest{"{\"job\":\"\xff\"}", "the body is not JSON"},
        BadRequest{R"({"job":123456789012345678901234567890})", "the body is not JSON as it"},
        BadRequest{"[1]", "the body: is an array; write an object such as {\"job\""},
        BadRequest{"7", "the body: is the number 7; write an object"},
        BadRequest{"{}", "job: is missing; write the job's name"},
        BadRequest{R"({"job":7})", "job: is the number 7; write the job's name"},
        BadRequest{R"({"job":""})", "job: is the string ''; write the job's name"},
        BadRequest{R"({"job":null})", "job: is null; write"},
        BadRequest{R"({"job":"j","job":"k"})", "job: is given twice; write it once"},
        BadRequest{R"({"jbo":"j"})", "'jbo' is not known; members are job, features or service"},
        BadRequest{R"({"job":"j"})", "features: is missing; write \"features\""},
        BadRequest{R"({"job":"j","features":["v.*"]})", "entities: is missing; write the keys"},
        BadRequest{R"({"job":"j","features":["v.*"],"service":"s","entities":{"k":[1]}})",
                   "service: is given together with features; write one of the two"},
        BadRequest{R"({"features":"v.*"})", "features: is the string 'v.*'; write a list"},
        BadRequest{R"({"features":[]})", "features: is empty; write a list"},
        BadRequest{R"({"features":["v.a",true]})", "features[1]: is true; write a name such as"},
        BadRequest{R"({"features":[""]})", "features[0]: is the string ''; write a name such as"},
        BadRequest{R"({"features":["count_1h"]})",
                   "features[0]: 'count_1h' names no view; write <view>.<feature> or <view>.*"},
        BadRequest{R"({"features":[".a"]})", "features[0]: '.a' names no view"},
        BadRequest{R"({"features":["v."]})", "features[0]: 'v.' names no view"},
        BadRequest{R"({"service":["s"]})", "service: is an array; write a service's name"},
        BadRequest{R"({"entities":["596"]})", "entities: is an array; write an object of columns"},
        BadRequest{R"({"entities":{}})", "entities: is empty; write an object of columns"},
        BadRequest{R"({"entities":{"":["1"]}})", "entities: a column has no name; write"},
        BadRequest{R"({"entities":{"k":"596"}})",
                   "entities.k: is the string '596'; write a list with one key for each row"},
        BadRequest{R"({"entities":{"k":[]}})", "entities.k: is empty; ask for at least one row"},
        BadRequest{R"({"entities":{"k":["1"],"k":["2"]}})", "entities.k: is given twice"},
        BadRequest{
            R"({"entities":{"a":["1","2"],"b":["1"]}})",
            "entities.b: has 1 rows, but entities.a has 2; all columns must be equally long"},
        BadRequest{R"({"entities":{"k":["1",4.5]}})",
                   "entities.k[1]: is the number 4.5; a key is a string, a 64-bit integer, true"},
        BadRequest{R"({"entities":{"k":[null]}})", "entities.k[0]: is null; a key is a string"},
        BadRequest{R"({"entities":{"k":[{}]}})", "entities.k[0]: is an object; a key is a string"},
        BadRequest{R"({"entities":{"k":[18446744073709551615]}})",
                   "entities.k[0]: is the number 18446744073709551615; a key is a string"},
        BadRequest{R"({"as_of":"yesterday"})", "as_of: is the string 'yesterday'; write a time"},
        BadRequest{R"({"as_of":1523318400})", "as_of: is the number 1523318400; write a time"},
        BadRequest{R"({"offsets":1})", "offsets: is the number 1; write true or false"}));

TEST(FeaturesRequest, RefusesTooManyColumnsAndTooDeepABody) {
  json request = {{"job", "j"}, {"features", {"v.f"}}, {"entities", json::object()}};
  for (size_t i = 0; i <= kMaxEntityColumns; ++i) {
    request["entities"]["k" + std::to_string(i)] = {1};
  }
  EXPECT_EQ(parsed(request.dump()).error().message().rfind("entities: has more than 32 columns", 0),
            0u);
  EXPECT_FALSE(parsed(std::string(100'000, '[')).ok());
}

RC_GTEST_PROP(FeaturesRequest, SurvivesAnyBytes, ()) {
  std::string body = R"({"job":"j","features":["v.*"],"entities":{"k":["1",2,true]},)"
                     R"("as_of":"2018-04-10T00:00:00Z","offsets":false})";
  const auto changes = *rc::gen::container<std::vector<std::pair<size_t, char>>>(
      rc::gen::pair(rc::gen::inRange<size_t>(0, body.size()), rc::gen::arbitrary<char>()));
  for (const auto& [at, c] : changes) body[at] = c;
  const auto got = parsed(body);
  if (!got.ok()) RC_ASSERT(!got.error().message().empty());
  if (got.ok()) RC_ASSERT(json::accept(body));
}

RC_GTEST_PROP(FeaturesRequest, ReadsBackAnyKeys, (const std::vector<int64_t>& ids)) {
  RC_PRE(!ids.empty());
  const auto texts = *rc::gen::container<std::vector<std::string>>(
      ids.size(), rc::gen::container<std::string>(rc::gen::inRange<char>(0, 127)));
  const json request = {
      {"job", "j"}, {"service", "s"}, {"entities", {{"id", ids}, {"name", texts}}}};
  const auto got = parsed(request.dump());
  RC_ASSERT(got.ok());
  RC_ASSERT(got->rows() == ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    RC_ASSERT(got->entities[0].values[i] == FeatureKeyValue(ids[i]));
    RC_ASSERT(got->entities[1].values[i] == FeatureKeyValue(texts[i]));
  }
}

std::string rendered(const FeaturesResponse& response) {
  std::string out;
  render_features_response(response, &out);
  return out;
}

TEST(FeaturesResponse, IsWrittenAsDocumented) {
  FeaturesResponse response;
  response.job = "card_fraud";
  response.as_of = 1'523'318'400'000'000;
  response.results.push_back({"customer.count_1h",
                              {int64_t{3}, std::monostate()},
                              {FeatureStatus::kPresent, FeatureStatus::kNotReady},
                              {12, std::nullopt},
                              {0, std::nullopt},
                              {}});
  response.results.push_back({"customer.amount_mean_1d",
                              {3.0, std::nan("")},
                              {FeatureStatus::kPresent, FeatureStatus::kNotFound},
                              {12, 7},
                              {0, 60'000'000},
                              {}});
  EXPECT_EQ(
      rendered(response),
      R"({"job":"card_fraud","as_of":"2018-04-10T00:00:00Z","results":[)"
      R"({"feature":"customer.count_1h","values":[3,null],"statuses":["PRESENT","NOT_READY"],)"
      R"("freshness_ms":[12,null],"resolution_us":[0,null]},)"
      R"({"feature":"customer.amount_mean_1d","values":[3.0,"NaN"],)"
      R"("statuses":["PRESENT","NOT_FOUND"],"freshness_ms":[12,7],"resolution_us":[0,60000000]}]})");

  RowOffsets row{17, 4, 9, {{1234, 1'523'318'400'000'000}, {0, kMinTime}}};
  response.results.clear();
  response.offsets = {ViewOffsets{"customer", {row, std::nullopt}}};
  EXPECT_EQ(rendered(response),
            R"({"job":"card_fraud","as_of":"2018-04-10T00:00:00Z","results":[],)"
            R"("offsets":{"customer":[{"key_partition":17,"version":[4,9],)"
            R"("offset_vector":[[1234,"2018-04-10T00:00:00Z"],[0,"-infinity"]]},null]}})");
}

TEST(FeaturesResponse, SaysSinceWhenAValueIsComplete) {
  FeaturesResponse response;
  FeatureColumn& column = response.results.emplace_back();
  column.name = "v.count_90d";
  column.values = {int64_t{1}, int64_t{2}};
  column.complete_since_us = {std::nullopt, std::nullopt};
  EXPECT_EQ(rendered(response).find("complete_since_us"), std::string::npos);
  column.complete_since_us = {std::nullopt, 1'523'318'400'000'000};
  EXPECT_NE(rendered(response).find(
                R"("resolution_us":[],"complete_since_us":[null,1523318400000000]})"),
            std::string::npos)
      << rendered(response);
}

TEST(FeaturesResponse, ListsAreArrays) {
  FeaturesResponse response;
  FeatureColumn& column = response.results.emplace_back();
  column.name = "v.last_5";
  column.values = {ListValue{1.5, 2.0, -0.0, std::nan(""), INFINITY},
                   ListValue{int64_t{1}, int64_t{1'523'318'400'000'000}},
                   ListValue{true, false},
                   ListValue{std::string("a\"b"), std::string()},
                   ListValue{},
                   std::monostate()};
  EXPECT_EQ(
      rendered(response),
      R"({"job":"","as_of":"1970-01-01T00:00:00Z","results":[{"feature":"v.last_5","values":[)"
      R"([1.5,2.0,-0.0,"NaN","Infinity"],[1,1523318400000000],[true,false],["a\"b",""],[],null],)"
      R"("statuses":[],"freshness_ms":[],"resolution_us":[]}]})");
}

TEST(FeaturesResponse, JsonIsItself) {
  FeaturesResponse response;
  FeatureColumn& column = response.results.emplace_back();
  column.name = "v.last";
  column.type = ColumnType::kJson;
  column.values = {std::string(R"({"a": [1, "x"]})"), std::monostate(),
                   ListValue{std::string("2.50"), std::string(R"("s")")}};
  EXPECT_EQ(rendered(response),
            R"({"job":"","as_of":"1970-01-01T00:00:00Z","results":[{"feature":"v.last","values":[)"
            R"({"a": [1, "x"]},null,[2.50,"s"]],"statuses":[],"freshness_ms":[],)"
            R"("resolution_us":[]}]})");
}

TEST(FeaturesResponse, DecimalsHaveAllTheirDigits) {
  FeaturesResponse response;
  FeatureColumn& column = response.results.emplace_back();
  column.name = "v.sum";
  column.type = ColumnType::kDecimal;
  MapValue map;
  map.entries = {{std::string("1.50"), std::string("2.00")}};
  column.values = {std::string("12345678901234567890.10"), std::monostate(),
                   ListValue{std::string("2.50"), std::string("-0.01")}, map};
  EXPECT_EQ(rendered(response),
            R"({"job":"","as_of":"1970-01-01T00:00:00Z","results":[{"feature":"v.sum","values":[)"
            R"(12345678901234567890.10,null,[2.50,-0.01],{"1.50":2.00}],"statuses":[],)"
            R"("freshness_ms":[],"resolution_us":[]}]})");
}

TEST(FeaturesResponse, MapsAreObjects) {
  FeaturesResponse response;
  FeatureColumn& column = response.results.emplace_back();
  column.name = "v.histogram";
  column.type = ColumnType::kInt64;
  MapValue map;
  map.entries = {
      {std::string(R"({"a": 1})"), int64_t{2}}, {1.5, std::monostate()}, {std::nan(""), 4.0}};
  map.truncated = true;
  column.values = {map, MapValue()};
  EXPECT_EQ(
      rendered(response),
      R"({"job":"","as_of":"1970-01-01T00:00:00Z","results":[{"feature":"v.histogram",)"
      R"("values":[{"{\"a\": 1}":2,"1.5":null,"NaN":4.0},{}],"statuses":[],"freshness_ms":[],)"
      R"("resolution_us":[],"truncated":[true,false]}]})");
}

TEST(FeaturesResponse, IsAppended) {
  std::string out = "kept";
  render_features_response({}, &out);
  EXPECT_EQ(out, R"(kept{"job":"","as_of":"1970-01-01T00:00:00Z","results":[]})");
}

rc::Gen<FeatureValue> any_scalar() {
  return rc::gen::oneOf(
      rc::gen::map<int64_t>([](int64_t v) { return FeatureValue(v); }),
      rc::gen::map<uint64_t>([](uint64_t v) { return FeatureValue(std::bit_cast<double>(v)); }),
      rc::gen::map<double>([](double v) { return FeatureValue(v); }),
      rc::gen::map<bool>([](bool v) { return FeatureValue(v); }),
      rc::gen::map(rc::gen::container<std::string>(rc::gen::inRange<char>(0, 127)),
                   [](std::string v) { return FeatureValue(std::move(v)); }));
}

ScalarValue as_element(FeatureValue value) {
  return std::visit(
      [](auto v) -> ScalarValue {
        if constexpr (std::is_constructible_v<ScalarValue, decltype(v)>) return v;
        return int64_t{0};
      },
      std::move(value));
}

rc::Gen<FeatureValue> any_value() {
  const auto list = rc::gen::container<std::vector<FeatureValue>>(any_scalar());
  return rc::gen::oneOf(rc::gen::just(FeatureValue()), any_scalar(),
                        rc::gen::map(list, [](std::vector<FeatureValue> values) {
                          ListValue out;
                          for (FeatureValue& v : values) out.push_back(as_element(std::move(v)));
                          return FeatureValue(std::move(out));
                        }));
}

// Whether a JSON value read by another library is exactly the value that was rendered.
bool same(const json& got, const FeatureValue& value) {
  if (const auto* v = std::get_if<int64_t>(&value)) {
    return got.is_number_integer() && got.get<int64_t>() == *v;
  }
  if (const auto* v = std::get_if<double>(&value)) {
    if (std::isnan(*v)) return got == "NaN";
    if (std::isinf(*v)) return got == (*v > 0 ? "Infinity" : "-Infinity");
    return got.is_number_float() &&
           std::bit_cast<uint64_t>(got.get<double>()) == std::bit_cast<uint64_t>(*v);
  }
  if (const auto* v = std::get_if<bool>(&value)) return got == *v && got.is_boolean();
  if (const auto* v = std::get_if<std::string>(&value)) return got == *v;
  if (const auto* list = std::get_if<ListValue>(&value)) {
    if (!got.is_array() || got.size() != list->size()) return false;
    for (size_t i = 0; i < list->size(); ++i) {
      const auto element = std::visit([](const auto& v) { return FeatureValue(v); }, (*list)[i]);
      if (!same(got[i], element)) return false;
    }
    return true;
  }
  return got.is_null();
}

bool same(const json& got, const std::optional<int64_t>& value) {
  return value ? got.is_number_integer() && got.get<int64_t>() == *value : got.is_null();
}

RC_GTEST_PROP(FeaturesResponse, ReadsBackWithAnotherLibrary, ()) {
  FeaturesResponse response;
  response.job = *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
  response.as_of = *rc::gen::inRange<int64_t>(-1'000'000'000'000, 4'000'000'000'000'000);
  const auto columns = *rc::gen::inRange<size_t>(0, 5);
  const auto rows = *rc::gen::inRange<size_t>(1, 8);
  const auto counts = rc::gen::container<std::vector<std::optional<int64_t>>>(
      rows, rc::gen::map<std::pair<bool, int64_t>>([](std::pair<bool, int64_t> p) {
        return p.first ? std::optional<int64_t>(p.second) : std::nullopt;
      }));
  for (size_t c = 0; c < columns; ++c) {
    FeatureColumn column;
    column.name = "v." + *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
    column.values = *rc::gen::container<std::vector<FeatureValue>>(rows, any_value());
    column.statuses = *rc::gen::container<std::vector<FeatureStatus>>(
        rows, rc::gen::element(FeatureStatus::kPresent, FeatureStatus::kNotFound,
                               FeatureStatus::kNotReady));
    column.freshness_ms = *counts;
    column.resolution_us = *counts;
    response.results.push_back(std::move(column));
  }
  const json got = json::parse(rendered(response));
  RC_ASSERT(got["job"] == response.job);
  TimeUs as_of = 0;
  RC_ASSERT(parse_timestamp(got["as_of"].get<std::string>(), &as_of) && as_of == response.as_of);
  RC_ASSERT(got["results"].size() == columns);
  const char* const names[] = {"PRESENT", "NOT_FOUND", "NOT_READY"};
  for (size_t c = 0; c < columns; ++c) {
    const FeatureColumn& column = response.results[c];
    const json& read = got["results"][c];
    RC_ASSERT(read["feature"] == column.name);
    RC_ASSERT(read["values"].size() == rows);
    for (size_t r = 0; r < rows; ++r) {
      RC_ASSERT(same(read["values"][r], column.values[r]));
      RC_ASSERT(read["statuses"][r] == names[static_cast<size_t>(column.statuses[r])]);
      RC_ASSERT(same(read["freshness_ms"][r], column.freshness_ms[r]));
      RC_ASSERT(same(read["resolution_us"][r], column.resolution_us[r]));
    }
  }
}

}  // namespace
}  // namespace tidemill
