// Feast's POST /get-online-features, byte by byte as feast 0.66 writes and reads it.
#include "serving/feast_json.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>

namespace tidemill {
namespace {

using nlohmann::json;

constexpr ReadLimits kLimits{.rows = 100, .values = 1'000};

std::variant<FeastRequest, FeastFault> parse(const std::string& body) {
  return parse_feast_request(body, kLimits);
}

FeastRequest accepted(const std::string& body) {
  auto got = parse(body);
  if (const auto* fault = std::get_if<FeastFault>(&got)) {
    ADD_FAILURE() << body << ": " << fault->status << " " << fault->body;
    return {};
  }
  return std::get<FeastRequest>(std::move(got));
}

TEST(FeastRequest, IsWhatTheSdkSends) {
  const auto got = accepted(
      R"({"entities": {"customer_id": ["c2", "c1", "nope", "c1"]}, "full_feature_names": false, )"
      R"("include_feature_view_version_metadata": false, )"
      R"("features": ["customer:amount", "customer:count", "customer@latest:city"]})");
  ASSERT_EQ(got.features.size(), 3u);
  EXPECT_EQ(got.features[0].view, "customer");
  EXPECT_EQ(got.features[0].feature, "amount");
  EXPECT_EQ(got.features[2].view, "customer");
  EXPECT_EQ(got.features[2].feature, "city");
  EXPECT_EQ(got.service, "");
  ASSERT_EQ(got.entities.size(), 1u);
  EXPECT_EQ(got.entities[0].name, "customer_id");
  EXPECT_EQ(got.entities[0].values,
            (std::vector<FeastValue>{std::string("c2"), std::string("c1"), std::string("nope"),
                                     std::string("c1")}));
  EXPECT_FALSE(got.full_feature_names);
  EXPECT_EQ(got.rows(), 4u);
}

TEST(FeastRequest, EntitiesKeepTheirOrderAndTypes) {
  const auto got = accepted(
      R"({"feature_service":"s","features":["v:a"],"unknown":{"x":[1]},"full_feature_names":true,)"
      R"("entities":{"z":[1,2.5],"a":[true,null],"m":[[1],18446744073709551615],"z":["q",{}]}})");
  EXPECT_EQ(got.service, "s");
  EXPECT_TRUE(got.features.empty());  // the service wins
  EXPECT_TRUE(got.full_feature_names);
  ASSERT_EQ(got.entities.size(), 3u);
  EXPECT_EQ(got.entities[0].name, "z");
  EXPECT_EQ(got.entities[0].values, (std::vector<FeastValue>{std::string("q"), FeastValue()}));
  EXPECT_EQ(got.entities[1].name, "a");
  EXPECT_EQ(got.entities[1].values, (std::vector<FeastValue>{true, FeastValue()}));
  EXPECT_EQ(got.entities[2].values, (std::vector<FeastValue>{FeastValue(), FeastValue()}));
}

TEST(FeastRequest, FlagsAreLenient) {
  const std::string head = R"({"features":["v:a"],"entities":{"k":[1]},"full_feature_names":)";
  for (const char* yes : {"true", "1", "1.0", "\"yes\"", "\"On\"", "\"T\"", "\"1\""}) {
    EXPECT_TRUE(accepted(head + yes + "}").full_feature_names) << yes;
  }
  for (const char* no : {"false", "0", "\"no\"", "\"OFF\"", "\"f\"", "\"0\""}) {
    EXPECT_FALSE(accepted(head + no + "}").full_feature_names) << no;
  }
}

struct Refused {
  const char* body;
  int status;
  const char* answer;
};

class RefusedFeastRequests : public testing::TestWithParam<Refused> {};

TEST_P(RefusedFeastRequests, SayWhatIsWrong) {
  auto got = parse(GetParam().body);
  const auto* fault = std::get_if<FeastFault>(&got);
  ASSERT_NE(fault, nullptr) << GetParam().body;
  EXPECT_EQ(fault->status, GetParam().status);
  EXPECT_EQ(fault->body, GetParam().answer);
}

INSTANTIATE_TEST_SUITE_P(
    OfTheWrongShape, RefusedFeastRequests,
    testing::Values(
        Refused{
            "", 422,
            R"({"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]})"},
        Refused{
            R"({"features":["v:a",})", 422,
            R"({"detail":[{"type":"json_invalid","loc":["body",19],"msg":"JSON decode error",)"
            R"("input":{},"ctx":{"error":"The JSON document has an improper structure: missing )"
            R"(or superfluous commas, braces, missing keys, etc."}}]})"},
        Refused{
            "[1]", 422,
            R"({"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be )"
            R"(a valid dictionary or object to extract fields from","input":[1]}]})"},
        Refused{R"({"features": ["v:a"]})", 422,
                R"({"detail":[{"type":"missing","loc":["body","entities"],"msg":"Field required",)"
                R"("input":{"features":["v:a"]}}]})"},
        Refused{
            R"({"features":["v:a"],"entities":[{"k":1}]})", 422,
            R"({"detail":[{"type":"dict_type","loc":["body","entities"],"msg":"Input should be )"
            R"(a valid dictionary","input":[{"k":1}]}]})"},
        Refused{
            R"({"features":["v:a"],"entities":{"k":"c1"}})", 422,
            R"({"detail":[{"type":"list_type","loc":["body","entities","k"],"msg":"Input should )"
            R"(be a valid list","input":"c1"}]})"},
        Refused{
            R"({"features":"s","entities":{"k":["c1"]}})", 422,
            R"({"detail":[{"type":"list_type","loc":["body","features"],"msg":"Input should be )"
            R"(a valid list","input":"s"}]})"},
        Refused{
            R"({"features":["v:a",7],"entities":{"k":["c1"]}})", 422,
            R"({"detail":[{"type":"string_type","loc":["body","features",1],"msg":"Input should )"
            R"(be a valid string","input":7}]})"},
        Refused{R"({"feature_service":["s"],"entities":{"k":["c1"]}})", 422,
                R"({"detail":[{"type":"string_type","loc":["body","feature_service"],"msg":"Input )"
                R"(should be a valid string","input":["s"]}]})"},
        Refused{
            R"({"full_feature_names":"maybe","entities":{}})", 422,
            R"({"detail":[{"type":"bool_parsing","loc":["body","full_feature_names"],"msg":)"
            R"("Input should be a valid boolean, unable to interpret input","input":"maybe"}]})"}));

#define FEAST_ERROR(CLASS, MESSAGE)                                                         \
  R"("{\"module\": \"feast.errors\", \"class\": \")" CLASS R"(\", \"message\": \")" MESSAGE \
  R"(\"}")"

INSTANTIATE_TEST_SUITE_P(
    ThatCannotBeAnswered, RefusedFeastRequests,
    testing::Values(
        Refused{R"({"entities":{"k":["c1"]}})", 400,
                FEAST_ERROR("FeastError", "No features specified for retrieval")},
        Refused{R"({"features":[],"feature_service":"","entities":{"k":["c1"]}})", 400,
                FEAST_ERROR("FeastError", "No features specified for retrieval")},
        Refused{R"({"features":null,"feature_service":null,"entities":{"k":["c1"]}})", 400,
                FEAST_ERROR("FeastError", "No features specified for retrieval")},
        Refused{R"({"features":["amount"],"entities":{"k":["c1"]}})", 400,
                FEAST_ERROR("FeastError",
                            "Invalid feature reference 'amount'. Expected format: "
                            "'<feature_view>:<feature>'")},
        Refused{R"({"features":["v@v1:amount"],"entities":{"k":["c1"]}})", 400,
                FEAST_ERROR("VersionedOnlineReadNotSupported",
                            "Invalid feature reference 'v@v1:amount': a view of a job has one "
                            "version; write '<feature_view>:<feature>'")},
        Refused{R"({"features":["v:a"],"entities":{"k":["c1","c2"],"l":[1]}})", 400,
                FEAST_ERROR("FeastError",
                            "All entity rows must have the same columns: entities.l has 1 values, "
                            "entities.k has 2")},
        Refused{R"({"features":["v:a"],"entities":{"k":[]}})", 400,
                FEAST_ERROR("FeastError", "entities.k: is empty; ask for at least one row")}));

TEST(FeastRequest, TakesExactlyTheRowsAllowed) {
  json request = {{"features", {"v:a"}}, {"entities", {{"k", json::array()}}}};
  for (size_t i = 0; i < kLimits.rows; ++i) request["entities"]["k"].push_back(i);
  EXPECT_EQ(accepted(request.dump()).rows(), kLimits.rows);
  request["entities"]["k"].push_back(0);
  const auto got = parse(request.dump());
  EXPECT_EQ(std::get<FeastFault>(got).body,
            FEAST_ERROR("FeastError", "entities.k: more than 100 rows; split the request"));
}

TEST(FeastRequest, LongInputsAreNotRepeated) {
  const auto got = parse(json{{"features", std::string(2'000, 'x')}, {"entities", {}}}.dump());
  EXPECT_TRUE(json::parse(std::get<FeastFault>(got).body)["detail"][0]["input"].is_null());
}

RC_GTEST_PROP(FeastRequest, SurvivesAnyBytes, ()) {
  std::string body = R"({"entities":{"k":["1",2,true],"l":[1.5,null,[]]},"features":["v:a","w:b"],)"
                     R"("full_feature_names":"no","feature_service":null})";
  const auto changes = *rc::gen::container<std::vector<std::pair<size_t, char>>>(
      rc::gen::pair(rc::gen::inRange<size_t>(0, body.size()), rc::gen::arbitrary<char>()));
  for (const auto& [at, c] : changes) body[at] = c;
  const auto got = parse(body);
  if (const auto* fault = std::get_if<FeastFault>(&got)) {
    RC_ASSERT(fault->status >= 400 && fault->status < 500);
    RC_ASSERT(json::accept(fault->body));
  }
}

TEST(FeastFaults, AreTextOfJsonInJson) {
  const FeastFault got = feast_fault(404, "FeatureViewNotFoundException",
                                     "Feature view nope does not exist in project demo");
  EXPECT_EQ(got.status, 404);
  EXPECT_EQ(got.body,
            R"("{\"module\": \"feast.errors\", \"class\": \"FeatureViewNotFoundException\", )"
            R"(\"message\": \"Feature view nope does not exist in project demo\"}")");
  const std::string odd = "a \"b\" \\ \n \u00e9 \x01";
  const json detail =
      json::parse(json::parse(feast_fault(400, "FeastError", odd).body).get<std::string>());
  EXPECT_EQ(detail["message"], odd);
}

// --- answers -------------------------------------------------------------------------------------

constexpr TimeUs kAsOf = 1'772'360'430'123'456;  // 2026-03-01T10:20:30.123456Z

FeatureColumn column(std::string name, ColumnType type, std::vector<FeatureValue> values) {
  FeatureColumn out;
  out.name = std::move(name);
  out.type = type;
  out.values = std::move(values);
  out.statuses.assign(out.values.size(), FeatureStatus::kPresent);
  return out;
}

std::string values_of(ColumnType type, std::vector<FeatureValue> values) {
  FeaturesResponse response;
  response.results.push_back(column("f", type, std::move(values)));
  std::string out;
  render_feast_response({}, response, &out);
  const std::string begin = R"({"results":[{"values":[)";
  EXPECT_TRUE(out.starts_with(begin));
  return out.substr(begin.size(), out.find(R"(],"statuses")") - begin.size());
}

TEST(FeastResponse, IsFeastsOwnBytes) {
  FeaturesResponse response;
  response.as_of = kAsOf;
  const FeatureValue missing;
  response.results = {column("count", ColumnType::kInt64,
                             {int64_t{0}, int64_t{7}, int64_t{0}, int64_t{7}, INT64_MAX}),
                      column("amount", ColumnType::kDouble, {0.1, 12.5, missing, 12.5, 1e22}),
                      column("city", ColumnType::kString,
                             {std::string(), std::string("Oslo"), missing, std::string("Oslo"),
                              std::string("São \"P\"/\u2028\\")})};
  for (FeatureColumn& c : response.results) c.statuses[2] = FeatureStatus::kNotFound;
  const EntityColumn keys{"customer_id",
                          {std::string("c2"), std::string("c1"), std::string("nope"),
                           std::string("c1"), std::string("c4")}};
  const std::string epoch = R"("1970-01-01T00:00:00Z")";
  const std::string time = R"("2026-03-01T10:20:30.123456Z")";
  const std::string found =
      R"("statuses":["PRESENT","PRESENT","NOT_FOUND","PRESENT","PRESENT"],"event_timestamps":[)" +
      time + "," + time + "," + epoch + "," + time + "," + time + "]}";
  std::string got;
  render_feast_response({{keys, ColumnType::kString}}, response, &got);
  EXPECT_EQ(
      got,
      R"({"results":[{"values":["c2","c1","nope","c1","c4"],)"
      R"("statuses":["PRESENT","PRESENT","PRESENT","PRESENT","PRESENT"],"event_timestamps":[)" +
          epoch + "," + epoch + "," + epoch + "," + epoch + "," + epoch + "]}," +
          R"({"values":[0,7,null,7,9223372036854775807],)" + found + "," +
          R"({"values":[0.1,12.5,null,12.5,1e+22],)" + found + "," +
          "{\"values\":[\"\",\"Oslo\",null,\"Oslo\",\"São \\\"P\\\"/\u2028\\\\\"]," + found +
          R"(],"metadata":{"feature_names":["customer_id","count","amount","city"]}})");
}

// The SDK takes it for null.
TEST(FeastResponse, AValueThatIsNotCompleteYetIsOutsideItsAge) {
  FeaturesResponse response;
  response.results = {column("count", ColumnType::kInt64, {int64_t{3}, int64_t{7}})};
  response.results[0].complete_since_us = {std::nullopt, kAsOf};
  std::string got;
  render_feast_response({}, response, &got);
  EXPECT_NE(got.find(R"("values":[3,7],"statuses":["PRESENT","OUTSIDE_MAX_AGE"])"),
            std::string::npos)
      << got;
}

TEST(FeastResponse, TimesHaveAsFewDigitsAsFit) {
  for (const auto& [time, text] :
       {std::pair<TimeUs, const char*>{1'772'360'430'000'000, "2026-03-01T10:20:30Z"},
        {1'772'360'430'500'000, "2026-03-01T10:20:30.500Z"},
        {1'772'360'430'000'001, "2026-03-01T10:20:30.000001Z"}}) {
    FeaturesResponse response;
    response.as_of = time;
    response.results.push_back(column("f", ColumnType::kInt64, {int64_t{1}}));
    std::string got;
    render_feast_response({}, response, &got);
    EXPECT_EQ(got, R"({"results":[{"values":[1],"statuses":["PRESENT"],"event_timestamps":[")" +
                       std::string(text) + R"("]}],"metadata":{"feature_names":["f"]}})");
  }
}

TEST(FeastResponse, DoublesAreAsPythonWritesThem) {
  EXPECT_EQ(
      values_of(ColumnType::kDouble, {3.0, 0.1, 1e16, 1e15, 0.0001, 0.00001, 1.5e-7, 5e-324, -0.0,
                                      0.0, -2.5, 9999999999999998.0, 1e22, 1.7976931348623157e308,
                                      123456.789, 1e5, -1e100, double(0.1F)}),
      "3.0,0.1,1e+16,1000000000000000.0,0.0001,1e-05,1.5e-07,5e-324,-0.0,0.0,-2.5,"
      "9999999999999998.0,1e+22,1.7976931348623157e+308,123456.789,100000.0,-1e+100,"
      "0.10000000149011612");
}

RC_GTEST_PROP(FeastResponse, DoublesReadBackAsTheSameBitsAndAreNeverIntegers, (uint64_t bits)) {
  const auto value = std::bit_cast<double>(bits);
  RC_PRE(std::isfinite(value));
  std::string text;
  append_python_double(value, &text);
  RC_ASSERT(text.find_first_of(".e") != std::string::npos);
  RC_ASSERT(std::bit_cast<uint64_t>(json::parse(text).get<double>()) == bits);
}

TEST(FeastResponse, WhatJsonCannotSayIsNull) {
  EXPECT_EQ(values_of(ColumnType::kDouble, {std::nan(""), INFINITY, -INFINITY, FeatureValue()}),
            "null,null,null,null");
  EXPECT_EQ(values_of(ColumnType::kBool, {true, false}), "true,false");
}

TEST(FeastResponse, DecimalsAreDoubles) {
  EXPECT_EQ(values_of(ColumnType::kDecimal,
                      {std::string("12.30"), std::string("100"), FeatureValue(),
                       ListValue{std::string("0.10"), std::string("-2.50")}}),
            "12.3,100.0,null,[0.1,-2.5]");
}

TEST(FeastResponse, TimestampsAreSecondsRoundedDown) {
  EXPECT_EQ(values_of(ColumnType::kTimestamp,
                      {int64_t{1'772'355'600'000'000}, int64_t{1'772'355'600'999'999}, int64_t{-1},
                       ListValue{int64_t{1'500'000}, int64_t{2'000'000}}}),
            "1772355600,1772355600,-1,[1,2]");
}

TEST(FeastResponse, ListsAreArraysUnlessTheSdkCannotTakeThem) {
  EXPECT_EQ(values_of(ColumnType::kDouble,
                      {ListValue{1.5, 2.0}, ListValue{}, ListValue{1.0, std::nan("")},
                       ListValue{INFINITY}, FeatureValue()}),
            "[1.5,2.0],null,null,null,null");
  EXPECT_EQ(values_of(ColumnType::kString, {ListValue{std::string("a"), std::string("\"b")}}),
            R"(["a","\"b"])");
  EXPECT_EQ(values_of(ColumnType::kInt64, {ListValue{int64_t{1}, int64_t{1} << 40}}),
            "[1,1099511627776]");
  EXPECT_EQ(values_of(ColumnType::kBool, {ListValue{true, false}}), "[true,false]");
}

TEST(FeastResponse, KeysOfEveryType) {
  std::string got;
  render_feast_response({{{"b", {true}}, ColumnType::kBool},
                         {{"i", {int64_t{-5}}}, ColumnType::kInt64},
                         {{"s", {std::string("2018-04-01T00:00:00Z")}}, ColumnType::kString},
                         {{"t", {std::string("2018-04-01T00:00:00Z")}}, ColumnType::kTimestamp}},
                        {}, &got);
  const json answer = json::parse(got);
  EXPECT_EQ(answer["metadata"]["feature_names"], (json{"b", "i", "s", "t"}));
  EXPECT_EQ(answer["results"][0]["values"], json{true});
  EXPECT_EQ(answer["results"][1]["values"], json{-5});
  EXPECT_EQ(answer["results"][2]["values"], json{"2018-04-01T00:00:00Z"});
  EXPECT_EQ(answer["results"][3]["values"], json{1'522'540'800});
}

}  // namespace
}  // namespace tidemill
