// CSV records: each class of value, good and bad, and the grammar of quotes.
#include <gtest/gtest.h>

#include "tests/unit/source/source_fixture.h"

namespace tidemill::test {
namespace {

constexpr auto kCsv = proto::FilesInput::CSV;
const std::string kHeader = "id,at,name,amount,ok,n\n";
const std::string kGood = "1,2018-04-01T00:00:31Z,ann,1.5,true,7";

// The values of the only record, or its reason as the only value.
std::vector<std::string> one(const std::string& record, const std::string& header = kHeader) {
  const auto events = read_text(kCsv, header + record + "\n");
  if (!events.ok()) return {"error: " + events.error().message()};
  if (events->rows.size() == 1 && events->bad.empty()) return events->rows.begin()->second;
  if (events->bad.size() == 1 && events->rows.empty()) return {events->bad.begin()->second};
  return {"not one record"};
}

using Row = std::vector<std::string>;

TEST(Csv, ReadsEachType) {
  EXPECT_EQ(one(kGood), (Row{"1", "2018-04-01T00:00:31Z", "'ann'", "1.5", "true", "7"}));
  EXPECT_EQ(one("-5,2018-04-01 00:00:31.25+01:00,,,,"),
            (Row{"-5", "2018-03-31T23:00:31.250Z", "null", "null", "null", "null"}));
  EXPECT_EQ(one(",2018-04-01T00:00:31Z,\"\",1e3,F,-2147483648"),
            (Row{"null", "2018-04-01T00:00:31Z", "''", "1000", "false", "-2147483648"}));
  EXPECT_EQ(one("\"1\",\"2018-04-01T00:00:31Z\",\"a,b\"\"c\n\"\"\",\"1.5\",\"1\",\"\""),
            (Row{"1", "2018-04-01T00:00:31Z", "'a,b\"c\n\"'", "1.5", "true", "null"}));
}

TEST(Csv, SaysWhatIsWrong) {
  const struct {
    const char* record;
    const char* reason;
  } cases[] = {
      {"x,2018-04-01T00:00:31Z,a,1,t,1", "column 'id': 'x' is not an int64; write a whole number"},
      {"1.5,2018-04-01T00:00:31Z,a,1,t,1", "column 'id': '1.5' is not an int64"},
      {"9223372036854775808,2018-04-01T00:00:31Z,a,1,t,1", "column 'id': '9223372036854775808'"},
      {"1,2018-04-01T00:00:31Z,a,1,t,2147483648", "column 'n': '2147483648' is not an int32"},
      {"1,2018-04-01T00:00:31Z,a,1,t,-2147483649", "column 'n': '-2147483649' is not an int32"},
      {"1,2018-04-01T00:00:31Z,a,1.x,t,1", "column 'amount': '1.x' is not a double"},
      {"1,2018-04-01T00:00:31Z,a,1e999,t,1", "column 'amount': '1e999' is not a double"},
      {"1,2018-04-01T00:00:31Z,a,1,yes,1", "column 'ok': 'yes' is not a bool; write true or"},
      {"1,1522540831,a,1,t,1", "column 'at': '1522540831' is not a timestamp; write RFC 3339"},
      {"1,2018-02-30T00:00:00Z,a,1,t,1", "column 'at': '2018-02-30T00:00:00Z' is not a timest"},
      {"1,,a,1,t,1", "column 'at' is empty; every event needs its time"},
      {"1,2018-04-01T00:00:31Z,\xFF,1,t,1", "column 'name': '?' is not a string; write text in"},
      {"1,2018-04-01T00:00:31Z,a,1,t", "the record has 5 fields; the header names 6"},
      {"1,2018-04-01T00:00:31Z,a,1,t,1,", "the record has 7 fields; the header names 6"},
      {"1", "the record has 1 field; the header names 6"},
      {"1,2018-04-01T00:00:31Z,\"a\"b,1,t,1", "field 3 has text behind its closing quote"},
      {"1,2018-04-01T00:00:31Z,\"a,1,t,1", "a quote is opened and not closed within 1 MB"},
  };
  for (const auto& c : cases) {
    const Row got = one(c.record);
    ASSERT_EQ(got.size(), 1U) << c.record;
    EXPECT_EQ(got[0].rfind(c.reason, 0), 0U) << c.record << ": " << got[0];
  }
}

TEST(Csv, KeepsTheHeadOfABadRecordAsItWas) {
  EXPECT_EQ(one("1,2018-04-01T00:00:31Z,\"a\"\"b\"\"c\",z,t,1")[0],
            "column 'amount': 'z' is not a double; write a number such as 12.5 | "
            "1,2018-04-01T00:00:31Z,\"a\"\"b\"\"c\",z,t,1");
}

TEST(Csv, RefusesEventsAfterTheLatest) {
  const TemporaryFile file(kHeader + kGood + "\n" + "2,2018-04-01T00:00:31.000001Z,,,,\n");
  proto::Source source = sample_source(kCsv, file.path());
  source.set_not_after_us(1'522'540'831'000'000);
  const auto events = read_all(source, 0, {});
  ASSERT_TRUE(events.ok());
  EXPECT_EQ(events->rows.size(), 1U);
  ASSERT_EQ(events->bad.size(), 1U);
  EXPECT_EQ(events->bad.begin()->second.rfind("column 'at': 2018-04-01T00:00:31.000001Z is after "
                                              "2018-04-01T00:00:31Z",
                                              0),
            0U);
}

TEST(Csv, TheHeaderOrdersAndSelects) {
  EXPECT_EQ(one("x,7,true,1.5,ann,2018-04-01T00:00:31Z,1", "more,n,ok,amount,name,at,id\r\n"),
            (Row{"1", "2018-04-01T00:00:31Z", "'ann'", "1.5", "true", "7"}));
  EXPECT_EQ(one(kGood, "\xEF\xBB\xBFid,\"at\",name,amount,ok,n\n"),
            (Row{"1", "2018-04-01T00:00:31Z", "'ann'", "1.5", "true", "7"}));
  // What is not in the schema may hold anything.
  EXPECT_EQ(one(kGood + ",\xFF", "id,at,name,amount,ok,n,more\n").size(), 6U);
}

TEST(Csv, RefusesAWrongHeader) {
  const struct {
    const char* header;
    const char* message;
  } cases[] = {
      {"id,at,name,amount,ok\n", "does not name column 'n' of the schema; it names: id, at, na"},
      {"id,at,name,amount,ok,n,id\n", "names column 'id' twice"},
      {"\n", "the first line is empty"},
      {"", "the first line of a CSV file names its columns"},
      {"id,at,\"name,amount,ok,n\n", "a quote that is not closed"},
  };
  for (const auto& c : cases) {
    const auto events = read_text(kCsv, c.header);
    ASSERT_FALSE(events.ok()) << c.header;
    EXPECT_NE(events.error().message().find(c.message), std::string::npos)
        << events.error().message();
  }
}

TEST(Csv, LinesEndWithAndWithoutCarriageReturnOrNotAtAll) {
  const std::string second = "2,2018-04-01T00:00:32Z,bob,2,f,";
  for (const char* end : {"\n", "\r\n", "\n\n", "\r\n\r\n"}) {
    for (const char* last : {"", "\n", "\r\n", "\n\n"}) {
      const auto events = read_text(kCsv, kHeader + kGood + end + second + last);
      ASSERT_TRUE(events.ok());
      ASSERT_EQ(events->rows.size(), 2U);
      EXPECT_TRUE(events->bad.empty());
      EXPECT_EQ(events->rows.rbegin()->second[5], "null");
    }
  }
}

TEST(Csv, AnUnclosedQuoteCostsItsLineOnly) {
  const auto events =
      read_text(kCsv, kHeader + "1,2018-04-01T00:00:31Z,\"ann,1,t,1\n" + kGood + "\n" + kGood);
  ASSERT_TRUE(events.ok());
  EXPECT_EQ(events->rows.size(), 2U);
  EXPECT_EQ(events->bad.size(), 1U);
}

TEST(Csv, AnEmptyFileOfAHeaderIsFinished) {
  for (const char* header : {"id,at,name,amount,ok,n", "id,at,name,amount,ok,n\r\n"}) {
    const auto events = read_text(kCsv, header);
    ASSERT_TRUE(events.ok()) << events.error().message();
    EXPECT_TRUE(events->rows.empty());
    EXPECT_EQ(events->end, std::string(header).size());
  }
}

}  // namespace
}  // namespace tidemill::test
