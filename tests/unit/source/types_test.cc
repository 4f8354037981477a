// Columns of type date, bytes and json, from CSV and from NDJSON.
#include <gtest/gtest.h>

#include "shared/source/source_cursor.h"
#include "tests/unit/source/source_fixture.h"

namespace tidemill::test {
namespace {

using Row = std::vector<std::string>;

// The sample's columns name, amount and n as bytes, json and date.
Row one(proto::FilesInput::Format format, const std::string& text) {
  const TemporaryFile file(text);
  proto::Source source = sample_source(format, file.path());
  source.mutable_schema(2)->set_type(proto::BYTES);
  source.mutable_schema(3)->set_type(proto::JSON);
  source.mutable_schema(5)->set_type(proto::DATE);
  const auto events = read_all(source, 0, {}, {});
  if (!events.ok()) return {"error: " + events.error().message()};
  if (events->rows.size() == 1 && events->bad.empty()) return events->rows.begin()->second;
  if (events->bad.size() == 1 && events->rows.empty()) return {events->bad.begin()->second};
  return {"not one record"};
}
Row csv(const std::string& fields) {
  return one(proto::FilesInput::CSV,
             "id,ok,at,name,amount,n\n,,2018-04-01T00:00:31Z," + fields + "\n");
}
Row ndjson(const std::string& fields) {
  return one(proto::FilesInput::NDJSON, R"({"at":"2018-04-01T00:00:31Z",)" + fields + "}\n");
}
Row row(const std::string& bytes, const std::string& json, const std::string& date) {
  return {"null", "2018-04-01T00:00:31Z", bytes, json, "null", date};
}

TEST(Types, OfCsv) {
  EXPECT_EQ(csv(R"(\x6162,"{""a"": [1, ""x""]}",1970-01-11)"),
            row("'ab'", R"('{"a": [1, "x"]}')", "10"));
  EXPECT_EQ(csv(R"(a\134\\b,12.50,1969-12-31)"), row("'a\\\\b'", "'12.50'", "-1"));
  EXPECT_EQ(csv(",,"), row("null", "null", "null"));
}

// The sample's column amount as a decimal.
std::string decimal(proto::FilesInput::Format format, const std::string& text) {
  const bool csv = format == proto::FilesInput::CSV;
  const TemporaryFile file(csv ? "id,ok,at,name,amount,n\n,,2018-04-01T00:00:31Z,," + text + ",\n"
                               : R"({"at":"2018-04-01T00:00:31Z","amount":)" + text + "}\n");
  proto::Source source = sample_source(format, file.path());
  proto::Field* amount = nullptr;
  int index = 0;
  for (int i = 0; i < source.schema_size(); ++i) {
    if (source.schema(i).name() != "amount") continue;
    amount = source.mutable_schema(i);
    index = i;
  }
  amount->set_type(proto::DECIMAL);
  amount->mutable_details()->set_kind(proto::DECIMAL);
  amount->mutable_details()->set_precision(30);
  amount->mutable_details()->set_scale(2);
  const auto events = read_all(source, 0, {}, {});
  if (!events.ok()) return "error: " + events.error().message();
  if (!events->bad.empty()) return events->bad.begin()->second;
  return events->rows.begin()->second[static_cast<size_t>(index)];
}

TEST(Types, DecimalsHaveTheDigitsOfTheText) {
  for (const auto format : {proto::FilesInput::CSV, proto::FilesInput::NDJSON}) {
    EXPECT_EQ(decimal(format, "12.5"), "12.50");
    EXPECT_EQ(decimal(format, "-0.005"), "-0.01");
    EXPECT_EQ(decimal(format, "1e3"), "1000.00");
    EXPECT_EQ(decimal(format, "1234567890123456789012345678.99"), "1234567890123456789012345678.99");
    EXPECT_EQ(decimal(format, "0.1000000000000000055511151231257827"), "0.10");
    for (const char* text : {"12345678901234567890123456789", "1e30"}) {
      EXPECT_NE(decimal(format, text).find("is not a decimal(30, 2)"), std::string::npos);
    }
  }
  EXPECT_EQ(decimal(proto::FilesInput::NDJSON, R"("7.125")"), "7.13");
  EXPECT_EQ(decimal(proto::FilesInput::NDJSON, "null"), "null");
  EXPECT_EQ(decimal(proto::FilesInput::CSV, ""), "null");
  for (const char* text : {"true", "[1]", R"("12,5")", "{}", R"("")"}) {
    EXPECT_NE(decimal(proto::FilesInput::NDJSON, text).find("column 'amount'"), std::string::npos)
        << text;
  }
}

TEST(Types, OfNdjson) {
  EXPECT_EQ(ndjson(R"("name":"\\x6162","amount":{"a" : [1, "x\n"]} ,"n":"1970-01-11")"),
            row("'ab'", R"('{"a" : [1, "x\n"]}')", "10"));
  EXPECT_EQ(ndjson(R"("n":"1969-12-31","amount":[ 1 , 2.50 ],"name":"plain")"),
            row("'plain'", "'[ 1 , 2.50 ]'", "-1"));
  EXPECT_EQ(ndjson(R"("amount":"text")"), row("null", "'\"text\"'", "null"));
  EXPECT_EQ(ndjson(R"("amount":null)"), row("null", "null", "null"));
}

TEST(Types, SayWhatIsWrong) {
  const auto expect = [](const Row& got, const std::string& message) {
    ASSERT_EQ(got.size(), 1u);
    EXPECT_NE(got[0].find(message), std::string::npos) << got[0];
  };
  expect(csv(R"(\x616,,)"), R"(column 'name': '\x616' is not of type bytes)");
  expect(csv(",{a},"), "column 'amount': '{a}' is not valid JSON");
  expect(csv(",,2018-02-30"), "column 'n': '2018-02-30' is not a date; write a day such as");
  expect(ndjson(R"("amount":{"a":tru})"), "column 'amount'");
  expect(ndjson(R"("n":5)"), "column 'n': '5' is not a date");
}

// A record that turns out bad is kept as it came, though bytes before were written over.
TEST(Types, BadRecordsStayAsTheyWere) {
  const Row bad = csv(R"(\x6162,{a},)");
  ASSERT_EQ(bad.size(), 1u);
  EXPECT_NE(bad[0].find(R"(31Z,\x6162,{a},)"), std::string::npos) << bad[0];
}

}  // namespace
}  // namespace tidemill::test
