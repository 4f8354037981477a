// NDJSON records: each class of value, good and bad, and the order of fields.
#include <gtest/gtest.h>

#include "tests/unit/source/source_fixture.h"

namespace tidemill::test {
namespace {

constexpr auto kNdjson = proto::FilesInput::NDJSON;
using Row = std::vector<std::string>;

const std::string kTime = "\"at\":\"2018-04-01T00:00:31Z\"";

// The values of the only record, or its reason as the only value.
Row one(const std::string& record) {
  const auto events = read_text(kNdjson, record + "\n");
  if (!events.ok()) return {"error: " + events.error().message()};
  if (events->rows.size() == 1 && events->bad.empty()) return events->rows.begin()->second;
  if (events->bad.size() == 1 && events->rows.empty()) return {events->bad.begin()->second};
  return {"not one record"};
}

TEST(Ndjson, ReadsEachTypeInAnyOrder) {
  const Row expected{"1", "2018-04-01T00:00:31Z", "'ann'", "1.5", "true", "7"};
  EXPECT_EQ(
      one(R"({"id":1,"at":"2018-04-01T00:00:31Z","name":"ann","amount":1.5,"ok":true,"n":7})"),
      expected);
  EXPECT_EQ(one(R"( { "n" : 7 , "ok" : true , "amount" : 1.5 , "name" : "ann" ,)"
                R"( "at" : "2018-04-01T00:00:31Z" , "id" : 1 } )"),
            expected);
  EXPECT_EQ(one(R"({"more":{"id":5,"at":[1,{"n":2}]},"id":1,"at":"2018-04-01T00:00:31Z","x":"}",)"
                R"("name":"ann","amount":1.5,"idx":3,"ok":true,"i":2,"n":7,"y":null})"),
            expected);
  EXPECT_EQ(one(R"({"i\u0064":1,"at":"2018-04-01T00\u003a00:31Z","name":"\u0061nn","amount":15e-1,)"
                R"("ok":true,"n":7})"),
            expected);
}

TEST(Ndjson, MissingFieldsAndNullsAreNull) {
  const Row expected{"null", "2018-04-01T00:00:31Z", "null", "null", "null", "null"};
  EXPECT_EQ(one("{" + kTime + "}"), expected);
  EXPECT_EQ(one("{" + kTime + R"(,"id":null,"name":null,"amount":null,"ok":null,"n":null})"),
            expected);
}

TEST(Ndjson, UndoesEscapes) {
  EXPECT_EQ(one("{" + kTime + R"(,"name":"a\"b\\\n\u00e9\ud83d\ude00/\/","n":1})")[2],
            "'a\"b\\\n\xC3\xA9\xF0\x9F\x98\x80//'");
  EXPECT_EQ(one("{" + kTime + R"(,"name":""})")[2], "''");
  EXPECT_EQ(one("{" + kTime + ",\"name\":\"caf\xC3\xA9\"}")[2], "'caf\xC3\xA9'");
}

TEST(Ndjson, SaysWhatIsWrong) {
  const struct {
    std::string record;
    const char* reason;
  } cases[] = {
      {"{" + kTime + R"(,"id":"1"})", "column 'id': '\"1\"' is not an int64; write a whole num"},
      {"{" + kTime + R"(,"id":1.0})", "column 'id': '1.0' is not an int64"},
      {"{" + kTime + R"(,"id":9223372036854775808})", "column 'id': '9223372036854775808'"},
      {"{" + kTime + R"(,"id":true})", "column 'id': 'true' is not an int64"},
      {"{" + kTime + R"(,"n":2147483648})", "column 'n': '2147483648' is not an int32"},
      {"{" + kTime + R"(,"amount":"1.5"})", "column 'amount': '\"1.5\"' is not a double"},
      {"{" + kTime + R"(,"amount":1e999})", "column 'amount': '1e999' is not a double"},
      {"{" + kTime + R"(,"amount":01})", "column 'amount': '01' is not a double"},
      {"{" + kTime + R"(,"amount":NaN})", "column 'amount': 'NaN' is not a double"},
      {"{" + kTime + R"(,"amount":{"v":1}})", "column 'amount': '{' is not a double"},
      {"{" + kTime + R"(,"ok":1})", "column 'ok': '1' is not a bool; write true or false"},
      {"{" + kTime + R"(,"ok":nul})", "column 'ok': 'nul' is not a bool"},
      {"{" + kTime + R"(,"name":5})", "column 'name': '5' is not a string; write text in UTF-8"},
      {"{" + kTime + R"(,"name":["a"]})", "column 'name': '[' is not a string"},
      {"{" + kTime + R"(,"name":"\ud83d"})", "column 'name': '\"\\ud83d\"' is not a string"},
      {R"({"at":1522540831000000})", "column 'at': '1522540831000000' is not a timestamp; write"},
      {R"({"at":"2018-04-01"})", "column 'at': '\"2018-04-01\"' is not a timestamp"},
      {R"({"id":1})", "column 'at' is empty; every event needs its time"},
      {R"({"at":null})", "column 'at' is empty; every event needs its time"},
      {"{}", "column 'at' is empty; every event needs its time"},
      {"{" + kTime + R"(,"id":1,"id":1})", "column 'id' occurs twice in the record"},
      {"{" + kTime + ",\"name\":\"\xFF\"}", "the record is not valid UTF-8"},
      {"{" + kTime + "} {}", "the record has text behind its JSON object"},
      {"{" + kTime + "}}", "the record has text behind its JSON object"},
      {"{" + kTime, "the record is not a JSON object on one line"},
      {"{\"at\":\"2018-04-01T00:00:31Z", "the record is not a JSON object on one line"},
      {"[1]", "the record is not a JSON object on one line"},
      {"hello", "the record is not a JSON object on one line"},
      {"   ", "the record is not a JSON object on one line"},
      {"{" + kTime + " \"id\":1}", "the record is not valid JSON"},
      {"{at:1}", "the record is not valid JSON"},
  };
  for (const auto& c : cases) {
    const Row got = one(c.record);
    ASSERT_EQ(got.size(), 1U) << c.record << " gave " << got[0];
    EXPECT_EQ(got[0].rfind(c.reason, 0), 0U) << c.record << ": " << got[0];
  }
}

TEST(Ndjson, KeepsTheHeadOfABadRecordAsItWas) {
  EXPECT_EQ(one(R"({"name":"\u0061\u0062","at":7})")[0],
            "column 'at': '7' is not a timestamp; write RFC 3339 text such as "
            R"(2018-04-01T00:00:31Z | {"name":"\u0061\u0062","at":7})");
}

TEST(Ndjson, ABadRecordLeavesItsNeighboursAlone) {
  const std::string good = "{" + kTime + "}\n";
  for (const char* bad : {"{\"at\":\"", "{", "}", "\"", "\\", "[[[[", "{\"at\":\"\\", "\xFF"}) {
    const auto events = read_text(kNdjson, good + bad + "\r\n" + good + "\n" + good);
    ASSERT_TRUE(events.ok());
    EXPECT_EQ(events->rows.size(), 3U) << bad;
    ASSERT_EQ(events->bad.size(), 1U) << bad;
    EXPECT_EQ(events->bad.begin()->first, good.size()) << bad;
  }
}

// Readers use a batch again. What the record before left behind the end of the file does not
// change why the last record is bad.
TEST(Ndjson, TheLastRecordWithoutANewlineDoesNotSeeWhatWasReadBefore) {
  const std::string open_object = "{" + kTime + ",\"x\":{\"y\":[1]}";
  const TemporaryFile file("{" + kTime + ",\"name\":\"}}}}}}}}}}\"}\n" + open_object);
  auto cursor = SourceCursor::open(sample_source(kNdjson, file.path()), 0, 0, {});
  ASSERT_TRUE(cursor.ok());
  EventBatch batch;
  ASSERT_TRUE((*cursor)->read(1, 1 << 20, &batch).ok());
  EXPECT_EQ(batch.rows(), 1U);
  ASSERT_TRUE((*cursor)->read(1, 1 << 20, &batch).ok());
  ASSERT_EQ(batch.bad.size(), 1U);
  EXPECT_EQ(batch.bad[0].message + " | " + batch.bad[0].bytes, one(open_object)[0]);
}

TEST(Ndjson, AnEmptyFileIsFinished) {
  const auto events = read_text(kNdjson, "");
  ASSERT_TRUE(events.ok());
  EXPECT_EQ(events->end, 0U);
}

}  // namespace
}  // namespace tidemill::test
