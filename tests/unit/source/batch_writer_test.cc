#include "shared/source/batch_writer.h"

#include <gtest/gtest.h>

#include "tests/unit/source/source_fixture.h"

namespace tidemill::test {
namespace {

TEST(Printable, KeepsUtf8AndReplacesTheRest) {
  EXPECT_EQ(printable("plain", 200), "plain");
  EXPECT_EQ(printable("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", 200),
            "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80");
  EXPECT_EQ(printable("\xFFx\xC3", 200), "?x?");
  EXPECT_EQ(printable("\xC0\xAF", 200), "??");            // overlong
  EXPECT_EQ(printable("\xED\xA0\x80", 200), "???");       // a surrogate
  EXPECT_EQ(printable("\xF4\x90\x80\x80", 200), "????");  // above U+10FFFF
}

TEST(Printable, CutsAtACharacter) {
  EXPECT_EQ(printable("ab\xC3\xA9z", 3), "ab");
  EXPECT_EQ(printable("ab\xC3\xA9z", 4), "ab\xC3\xA9");
  EXPECT_EQ(printable("abc", 0), "");
}

TEST(BatchWriter, AnUncommittedRowLeavesNothing) {
  const auto source = sample_source(proto::FilesInput::CSV, "");
  EventBatch batch;
  BatchWriter writer(source.schema(), 10, 5, &batch);
  writer.set_int(0, 1);
  writer.bad(10, BadReason::kUnparsable, "because", "text");
  for (size_t column = 0; column < 6; ++column) writer.set_null(column);
  writer.set_int(0, 2);
  writer.commit(11);
  writer.finish(12, true);
  ASSERT_EQ(batch.rows(), 1U);
  EXPECT_EQ(batch.columns[0].ints, std::vector<int64_t>{2});
  EXPECT_EQ(batch.columns[2].nulls, std::vector<uint8_t>{1});
  EXPECT_EQ(batch.columns[2].strings, std::vector<std::string_view>{std::string_view{}});
  EXPECT_EQ(batch.bad.size(), 1U);
  EXPECT_EQ(batch.end_offset, 12U);
}

TEST(BatchWriter, ABatchOfAnotherSchemaIsTakenOver) {
  EventBatch batch;
  proto::Source source = sample_source(proto::FilesInput::CSV, "");
  BatchWriter(source.schema(), 0, 100, &batch).finish(0, false);
  source.mutable_schema()->RemoveLast();
  source.mutable_schema(0)->set_type(proto::STRING);
  BatchWriter writer(source.schema(), 0, 100, &batch);
  for (size_t column = 0; column < 5; ++column) writer.set_null(column);
  writer.set_string(0, "x");
  writer.commit(0);
  writer.finish(1, false);
  EXPECT_EQ(batch.columns.size(), 5U);
  EXPECT_EQ(batch.columns[0].strings, std::vector<std::string_view>{"x"});
  EXPECT_TRUE(batch.columns[0].ints.empty());
}

TEST(BatchWriter, GrowsToManyRows) {
  const auto source = sample_source(proto::FilesInput::CSV, "");
  EventBatch batch;
  BatchWriter writer(source.schema(), 0, 5000, &batch);
  for (uint64_t i = 0; !writer.full(); ++i) {
    for (size_t column = 0; column < 6; ++column) writer.set_null(column);
    writer.set_int(0, static_cast<int64_t>(i));
    writer.commit(i);
  }
  writer.finish(5000, false);
  ASSERT_EQ(batch.rows(), 5000U);
  EXPECT_EQ(batch.columns[0].ints[4999], 4999);
}

}  // namespace
}  // namespace tidemill::test
