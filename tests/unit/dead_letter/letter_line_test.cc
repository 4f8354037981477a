#include "shared/dead_letter/letter_line.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/dead_letter/letters.h"

namespace tidemill {
namespace {

std::string line_of(const DeadLetter& letter) {
  std::string line;
  append_letter_line(letter, &line);
  return line;
}

TEST(LetterLine, IsOneObjectOfJson) {
  DeadLetter letter = letter_at(12, "customer_risk");
  letter.bytes = "id,\"\xff";
  letter.size = 70'000;
  EXPECT_EQ(line_of(letter),
            R"({"offset":12,"view":"customer_risk","reason":"expression","source":"transactions",)"
            R"("source_partition":3,"partition":3,"message":"no number: \"x\"\n at offset 12",)"
            R"("size":70000,"bytes":"aWQsIv8="})"
            "\n");
}

RC_GTEST_PROP(LetterLine, ReadsBackAsWritten, ()) {
  DeadLetter letter =
      letter_at(*rc::gen::arbitrary<uint64_t>(), "", *rc::gen::arbitrary<uint32_t>());
  letter.view = *rc::gen::element<std::string>("", "v", "customer_2");
  letter.reason = *rc::gen::element(BadReason::kUnparsable, BadReason::kOversized,
                                    BadReason::kFuture, BadReason::kExpression);
  letter.bytes = *rc::gen::arbitrary<std::string>();
  letter.size = *rc::gen::arbitrary<uint64_t>();
  const std::string line = line_of(letter);
  RC_ASSERT(line.back() == '\n' && line.find('\n') == line.size() - 1);
  const auto read = parse_letter_line(std::string_view(line).substr(0, line.size() - 1));
  RC_ASSERT(read.has_value());
  RC_ASSERT(same(*read, letter));
}

TEST(LetterLine, IsCutToItsLimits) {
  DeadLetter letter = letter_at(1);
  letter.bytes = std::string(kBadRecordBytes + 1, '\xff');
  letter.message = std::string(kLetterMessageBytes + 1, '\x01');  // six bytes each as JSON
  const std::string line = line_of(letter);
  const auto read = parse_letter_line(std::string_view(line).substr(0, line.size() - 1));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->bytes.size(), kBadRecordBytes);
  EXPECT_EQ(read->message.size(), kLetterMessageBytes);
}

// Any line that is cut or spoilt is refused by one of the two readings, or still says the same key.
TEST(LetterLine, WhatIsNotOneIsRefused) {
  const std::string whole = line_of(letter_at(12, "v"));
  const std::string line = whole.substr(0, whole.size() - 1);
  for (size_t bytes = 0; bytes < line.size(); ++bytes) {
    EXPECT_FALSE(parse_letter_head(line.substr(0, bytes))) << bytes;
  }
  for (const char* text :
       {"", "{}", "null", R"({"offset":1,"view":"v","reason":"other","source":"s"})",
        R"({"offset":-1,"view":"v","reason":"future","source":"s"})",
        R"({"offset":99999999999999999999,"view":"","reason":"future","source":""})"}) {
    EXPECT_FALSE(parse_letter_head(text)) << text;
  }
  std::string number = line;
  number.replace(number.find("\"size\":"), 7, "\"sizes\":");
  EXPECT_TRUE(parse_letter_head(number));
  EXPECT_FALSE(parse_letter_line(number));
  std::string base64 = line;
  base64[base64.size() - 4] = '!';
  EXPECT_FALSE(parse_letter_line(base64));
}

TEST(LetterLine, ReasonsHaveNames) {
  for (const BadReason reason : {BadReason::kUnparsable, BadReason::kOversized, BadReason::kFuture,
                                 BadReason::kExpression}) {
    EXPECT_EQ(parse_reason(reason_name(reason)), reason);
  }
  EXPECT_FALSE(parse_reason("late"));
}

}  // namespace
}  // namespace tidemill
