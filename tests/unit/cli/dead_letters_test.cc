#include "cli/dead_letters.h"

#include <nlohmann/json.hpp>

#include "shared/dead_letter/base64.h"
#include "tests/unit/cli/fake_server.h"
#include "tests/unit/cli/outcome.h"

namespace tidemill::cli {
namespace {

std::string letter(int offset, const std::string& bytes, uint64_t size) {
  return R"({"source":"cards","source_partition":4,"partition":1,"offset":)" +
         std::to_string(offset) + R"(,"view":"v","reason":"expression","message":"no\nnumber",)" +
         R"("size":)" + std::to_string(size) + R"(,"bytes":")" + encode_base64(bytes) + "\"}";
}

std::string page(const std::string& letters, const std::string& next) {
  return R"({"dead_letters":[)" + letters + R"(],"next":)" + next +
         R"(,"counts":[{"source":"cards","reason":"expression","view":"v","count":1200},)" +
         R"({"source":"cards","reason":"future","view":"","count":34}]})";
}

class DeadLetters : public testing::Test {
 protected:
  DeadLetters() { command_.job = "a/b"; }
  void answer(const std::string& parameters, const std::string& body) {
    server_.answer("GET /v1/jobs/a%2Fb/dead-letters?" + parameters, 200, body);
  }

  FakeServer server_;
  GlobalOptions global_{server_.url(), false};
  GlobalOptions json_{server_.url(), true};
  DeadLettersCommand command_;
};

TEST_F(DeadLetters, AreATable) {
  answer("limit=2", page(letter(7, "1,\x01\xc3\xa4,x", 6) + "," +
                             letter(123, std::string(59, 'y') + "\xc3\xa4z", 62),
                         R"("4.123.v")"));
  command_.limit = 2;
  const Outcome got = outcome(command_, global_);
  EXPECT_EQ(got.exit, ExitCode::kOk);
  const std::string y(59, 'y');
  EXPECT_EQ(got.out,
            "SOURCE  PARTITION  OFFSET  VIEW  REASON      MESSAGE    RECORD\n"
            "cards           1       7  v     expression  no?number  1,?\xc3\xa4,x\n"
            "cards           1     123  v     expression  no?number  " +
                y + "...\n");
  EXPECT_EQ(got.err, "2 of 1,234 dead letters; more with --limit N or --all\n");
}

TEST_F(DeadLetters, AreChosenOnTheServer) {
  answer("limit=3&reason=future&view=v&source=s%20t", page("", "null"));
  command_.limit = 3;
  command_.reason = "future";
  command_.view = "v";
  command_.source = "s t";
  const Outcome got = outcome(command_, global_);
  EXPECT_EQ(got.exit, ExitCode::kOk) << got.err;
  EXPECT_EQ(got.out, "");
  EXPECT_EQ(got.err, "there are no such dead letters\n");
}

TEST_F(DeadLetters, ArePagedThroughAsLinesOfJson) {
  answer("limit=1000", page(letter(7, "a", 1), R"("4.7.v")"));
  answer("limit=1000&after=4.7.v",
         R"({"dead_letters":[)" + letter(8, "b", 1) + R"(],"next":null})");
  command_.all = true;
  const Outcome got = outcome(command_, json_);
  EXPECT_EQ(got.err, "");
  ASSERT_EQ(std::count(got.out.begin(), got.out.end(), '\n'), 2);
  EXPECT_EQ(nlohmann::json::parse(got.out.substr(0, got.out.find('\n'))),
            nlohmann::json::parse(letter(7, "a", 1)));
}

TEST_F(DeadLetters, ALimitEndsThePages) {
  answer("limit=2", page(letter(7, "a", 1), R"("4.7.v")"));  // a page may be shorter
  answer("limit=1&after=4.7.v",
         R"({"dead_letters":[)" + letter(8, "b", 1) + R"(],"next":"4.8.v"})");
  command_.limit = 2;
  command_.raw = true;
  EXPECT_EQ(outcome(command_, global_).out, "a\nb\n");
}

TEST_F(DeadLetters, RawAreTheRecordsAndSayWhatIsCut) {
  answer("limit=20",
         page(letter(7, std::string("\x00\xff", 2), 2) + "," + letter(8, "b", 70'000), "null"));
  command_.raw = true;
  const Outcome got = outcome(command_, global_);
  EXPECT_EQ(got.out, std::string("\x00\xff\n", 3) + "b\n");
  EXPECT_NE(got.err.find("1 of the records are longer than what is kept"), std::string::npos)
      << got.err;
  EXPECT_EQ(outcome(command_, json_).exit, ExitCode::kUsage);
}

TEST_F(DeadLetters, AreCounted) {
  answer("limit=0", page("", "null"));
  command_.counts = true;
  EXPECT_EQ(outcome(command_, global_).out,
            "SOURCE  REASON      VIEW  COUNT\n"
            "cards   expression  v     1,200\n"
            "cards   future               34\n");
  EXPECT_EQ(outcome(command_, json_).out.substr(0, 13), "{\"count\":1200");
  command_.raw = true;
  EXPECT_EQ(outcome(command_, global_).exit, ExitCode::kUsage);
}

TEST_F(DeadLetters, OfAnUnknownJobFail) {
  command_.job = "other";
  EXPECT_EQ(outcome(command_, global_).exit, ExitCode::kFailed);
}

}  // namespace
}  // namespace tidemill::cli
