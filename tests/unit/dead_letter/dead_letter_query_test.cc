#include "shared/dead_letter/dead_letter_query.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "shared/dead_letter/letter_scan.h"
#include "tests/simulation/memory_letter_files.h"
#include "tests/unit/dead_letter/letters.h"

namespace tidemill {
namespace {

using nlohmann::json;
using test::MemoryLetterFiles;

using Keys = std::vector<std::tuple<uint32_t, uint64_t, std::string>>;

void write(const std::shared_ptr<MemoryLetterFiles>& files, uint32_t partition, uint64_t epoch,
           const std::vector<DeadLetter>& letters) {
  const auto writer = open_writer(files, epoch, partition);
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->append(letters).ok());
}

DeadLetterPage page_of(const std::shared_ptr<MemoryLetterFiles>& files,
                       const DeadLetterQuery& query) {
  auto page = read_dead_letters(*files, "cards", kTestJob, query);
  EXPECT_TRUE(page.ok()) << page.error().message();
  return std::move(page).value();
}

// All pages, one after the other.
Keys all_keys(const std::shared_ptr<MemoryLetterFiles>& files, DeadLetterQuery query) {
  Keys keys;
  for (;;) {
    const DeadLetterPage page = page_of(files, query);
    EXPECT_LE(page.letters.size(), query.limit);
    for (const DeadLetter& l : page.letters) {
      keys.emplace_back(l.source_partition.value, l.offset, l.view);
    }
    if (page.next.empty()) return keys;
    query.after = page.next;
  }
}

class SomeLetters : public testing::Test {
 protected:
  void SetUp() override {
    write(files_, 0, 1, {letter_at(4, "", 0), letter_at(8, "v", 0), letter_at(8, "w", 0)});
    write(files_, 2, 1, {letter_at(0, "w", 2)});
    std::vector<DeadLetter> other{letter_at(1, "", 10), letter_at(2, "", 10)};
    for (DeadLetter& letter : other) letter.source = "terminals";
    other[1].reason = BadReason::kFuture;
    write(files_, 10, 3, other);
  }
  std::shared_ptr<MemoryLetterFiles> files_ = std::make_shared<MemoryLetterFiles>();
};

TEST_F(SomeLetters, AreMergedInOrderAPageAtATime) {
  const Keys all{{0, 4, ""}, {0, 8, "v"}, {0, 8, "w"}, {2, 0, "w"}, {10, 1, ""}, {10, 2, ""}};
  for (size_t limit = 1; limit <= 7; ++limit) {
    DeadLetterQuery query;
    query.limit = limit;
    EXPECT_EQ(all_keys(files_, query), all) << limit;
  }
}

TEST_F(SomeLetters, AreChosenByReasonViewAndSource) {
  DeadLetterQuery query;
  query.limit = 1;
  query.view = "w";
  EXPECT_EQ(all_keys(files_, query), (Keys{{0, 8, "w"}, {2, 0, "w"}}));
  query.view.reset();
  query.source = "terminals";
  EXPECT_EQ(all_keys(files_, query), (Keys{{10, 1, ""}, {10, 2, ""}}));
  query.reason = BadReason::kFuture;
  EXPECT_EQ(all_keys(files_, query), (Keys{{10, 2, ""}}));
  query.view = "w";
  EXPECT_EQ(all_keys(files_, query), (Keys{}));
}

TEST_F(SomeLetters, AreCountedOnAllPages) {
  DeadLetterQuery query;
  query.limit = 1;
  const auto counts = [&] {
    std::map<std::string, uint64_t> out;
    for (const DeadLetterCount& c : page_of(files_, query).counts) {
      out[c.source + " " + reason_name(c.reason) + " " + c.view] = c.letters;
    }
    return out;
  };
  const std::map<std::string, uint64_t> all{{"terminals future ", 1},
                                            {"terminals unparsable ", 1},
                                            {"transactions expression v", 1},
                                            {"transactions expression w", 2},
                                            {"transactions unparsable ", 1}};
  EXPECT_EQ(counts(), all);
  query.limit = 0;
  EXPECT_EQ(counts(), all);
  EXPECT_TRUE(page_of(files_, query).letters.empty());
  query.view = "w";
  EXPECT_EQ(counts(), (std::map<std::string, uint64_t>{{"transactions expression w", 2}}));
  query.counts = false;
  EXPECT_TRUE(counts().empty());
}

TEST_F(SomeLetters, AreJson) {
  DeadLetterQuery query;
  query.limit = 2;
  query.source = "transactions";
  const json answer = json::parse(to_json(page_of(files_, query), query));
  EXPECT_EQ(answer["dead_letters"][1], json::parse(R"({"source":"transactions",
      "source_partition":0,"partition":0,"offset":8,"view":"v","reason":"expression",
      "message":"no number: \"x\"\n at offset 8","size":17,"bytes":"AP97CmJiYmJiYmJi"})"));
  EXPECT_EQ(answer["next"], "0.8.v");
  EXPECT_EQ(answer["counts"][0], json::parse(R"({"source":"transactions","reason":"unparsable",
      "view":"","count":1})"));
  query.after = "2.0.w";
  query.counts = false;
  EXPECT_EQ(json::parse(to_json(page_of(files_, query), query)),
            json::parse(R"({"dead_letters":[],"next":null})"));
}

TEST_F(SomeLetters, OfAnotherJobAreNotThere) {
  EXPECT_TRUE(read_dead_letters(*files_, "cards", JobId(8), {})->letters.empty());
  EXPECT_TRUE(read_dead_letters(*files_, "card", kTestJob, {})->letters.empty());
  files_->put("cards-7/notes.txt", "no letters");
  EXPECT_EQ(all_keys(files_, {}).size(), 6u);
}

TEST_F(SomeLetters, APageOfLargeOnesIsShorter) {
  std::vector<DeadLetter> large(200, letter_at(0, "", 11));
  for (size_t i = 0; i < large.size(); ++i) {
    large[i].offset = i;
    large[i].bytes = std::string(kBadRecordBytes, 'x');
  }
  write(files_, 11, 1, large);
  DeadLetterQuery query;
  query.limit = DeadLetterQuery::kLimitMax;
  const DeadLetterPage page = page_of(files_, query);
  EXPECT_LT(page.letters.size(), 150u);
  EXPECT_NE(page.next, "");
  EXPECT_EQ(all_keys(files_, query).size(), 206u);
}

TEST(DeadLetterQueries, ComeFromParameters) {
  auto query = parse_dead_letter_query({{"reason", "future"}, {"view", "v"}, {"limit", "7"}});
  ASSERT_TRUE(query.ok());
  EXPECT_EQ(query->reason, BadReason::kFuture);
  EXPECT_EQ(query->view, "v");
  EXPECT_EQ(query->limit, 7u);
  EXPECT_TRUE(query->counts);
  query = parse_dead_letter_query({{"after", "0.8.v"}, {"source", "s"}});
  ASSERT_TRUE(query.ok());
  EXPECT_FALSE(query->counts);
  EXPECT_TRUE(parse_dead_letter_query({{"after", "0.8.v"}, {"counts", "true"}})->counts);
  for (const auto& [name, value] : std::map<std::string, std::string>{{"reason", "late"},
                                                                      {"after", "8.v"},
                                                                      {"limit", "10001"},
                                                                      {"counts", "yes"},
                                                                      {"views", "v"}}) {
    const auto refused = parse_dead_letter_query({{name, value}});
    ASSERT_FALSE(refused.ok()) << name;
    EXPECT_EQ(refused.error().code(), ErrorCode::kUser);
    EXPECT_EQ(refused.error().message().find(name + ": "), 0u) << refused.error().message();
  }
}

// A page that begins anywhere begins behind its token, in files too long to be read through.
RC_GTEST_PROP(LetterScan, SeeksBehindAnyKey, ()) {
  const auto files = std::make_shared<MemoryLetterFiles>();
  std::vector<DeadLetter> letters;
  uint64_t offset = 0;
  const size_t count = *rc::gen::inRange<size_t>(0, 60);
  for (size_t i = 0; i < count; ++i) {
    offset += *rc::gen::inRange<uint64_t>(1, 5);
    letters.push_back(letter_at(offset));
    letters.back().bytes = std::string(*rc::gen::element<size_t>(0, 10, 5'000, 60'000), 'x');
  }
  RC_ASSERT(open_writer(files, 1)->append(letters).ok());
  const LetterKey key{*rc::gen::inRange<uint64_t>(0, offset + 3),
                      *rc::gen::element<std::string>("", "a")};
  LetterScan scan(files.get(), "cards-7/" + to_file_name({3, 1}));
  RC_ASSERT(scan.seek_behind(key).ok());
  for (const DeadLetter& letter : letters) {
    if (LetterKey{letter.offset, letter.view} <= key) continue;
    const auto found = scan.next();
    RC_ASSERT(found.ok());
    RC_ASSERT(*found);
    RC_ASSERT(scan.head().key.offset == letter.offset);
  }
  const auto more = scan.next();
  RC_ASSERT(more.ok());
  RC_ASSERT(!*more);
}

}  // namespace
}  // namespace tidemill
