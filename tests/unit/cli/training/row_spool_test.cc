#include "cli/training/row_spool.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <numeric>

#include "shared/columns/row_block_writer.h"

namespace tidemill::training {
namespace {

struct TestRow {
  TimeUs time;
  int64_t number;
};

// A block of rows with a string, a flag and a number, all of which say the row's number.
TimedBlock block_of(const std::vector<TestRow>& rows) {
  const size_t n = rows.size();
  std::vector<uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::vector<TimeUs> times;
  std::vector<uint64_t> hashes;
  std::vector<std::string> texts;
  Column number, text, even;
  number.type = ColumnType::kInt64;
  text.type = ColumnType::kString;
  even.type = ColumnType::kBool;
  for (const TestRow& row : rows) {
    times.push_back(row.time);
    hashes.push_back(static_cast<uint64_t>(row.number));
    texts.push_back("row " + std::to_string(row.number));
    number.ints.push_back(row.number);
    even.bools.push_back(row.number % 2 == 0);
  }
  std::vector<std::string_view> keys(texts.begin(), texts.end());
  for (size_t i = 0; i < n; ++i) {
    number.nulls.push_back(rows[i].number % 3 == 0);
    text.nulls.push_back(0);
    even.nulls.push_back(0);
    text.strings.push_back(keys[i]);
  }
  const Column* const columns[] = {&number, &text};
  const Column* const filters[] = {&even};
  ByteWriter out;
  begin_timed_block(times, &out);
  write_row_block(0, {order, hashes, times, keys, columns, filters}, &out);
  return TimedBlock(finish_timed_block(&out));
}

void expect_row(const RowBlockView& rows, uint32_t row) {
  const auto number = static_cast<int64_t>(rows.key_hashes()[row]);
  const std::string text = "row " + std::to_string(number);
  RC_ASSERT(rows.key(row) == text);
  RC_ASSERT(rows.columns()[0].is_null(row) == (number % 3 == 0));
  RC_ASSERT(number % 3 == 0 || rows.columns()[0].ints[row] == number);
  RC_ASSERT(rows.columns()[1].string_at(row) == text);
  RC_ASSERT(rows.passes(0, row) == (number % 2 == 0));
}

constexpr size_t kStreams = 3;

struct Added {
  std::vector<std::vector<TestRow>> streams = std::vector<std::vector<TestRow>>(kStreams);
};

Added fill(RowSpool* spool) {
  Added out;
  const auto blocks = *rc::gen::inRange(0, 30);
  int64_t number = 0;
  for (int b = 0; b < blocks; ++b) {
    const auto stream = *rc::gen::inRange<size_t>(0, kStreams);
    const auto times = *rc::gen::nonEmpty(
        rc::gen::container<std::vector<TimeUs>>(rc::gen::inRange<TimeUs>(-50, 50)));
    std::vector<TestRow> rows;
    for (const TimeUs time : times) rows.push_back({time, number++});
    out.streams[stream].insert(out.streams[stream].end(), rows.begin(), rows.end());
    RC_ASSERT(spool->add(stream, block_of(rows)).ok());
  }
  return out;
}

std::string directory() { return std::filesystem::temp_directory_path().string(); }

RC_GTEST_PROP(RowSpool, GivesEveryRowOnceInOrderOfTime, ()) {
  const auto budget = *rc::gen::element<uint64_t>(0, 2'000, 1 << 20);
  RowSpool spool(kStreams, budget, directory());
  const Added added = fill(&spool);
  for (size_t s = 0; s < kStreams; ++s) {
    auto merge = spool.open(s);
    RC_ASSERT(merge.ok());
    std::multiset<std::pair<TimeUs, uint64_t>> got;
    TimeUs last = kMinTime;
    // In steps, as a join reads.
    for (TimeUs until = -60; until < 120; until += *rc::gen::inRange(1, 40)) {
      for (;;) {
        const auto row = (*merge)->next_row(until);
        RC_ASSERT(row.ok());
        if (row->block == nullptr) break;
        RC_ASSERT(row->time() >= last && row->time() <= until);
        last = row->time();
        expect_row(row->block->rows(), row->row);
        got.emplace(row->time(), row->block->rows().key_hashes()[row->row]);
      }
    }
    std::multiset<std::pair<TimeUs, uint64_t>> wanted;
    for (const TestRow& row : added.streams[s]) {
      wanted.emplace(row.time, static_cast<uint64_t>(row.number));
    }
    RC_ASSERT(got == wanted);
  }
}

RC_GTEST_PROP(RowSpool, BlocksComeBeforeAnyOfTheirRowsIsNeeded, ()) {
  const auto budget = *rc::gen::element<uint64_t>(0, 2'000, 1 << 20);
  RowSpool spool(kStreams, budget, directory());
  const Added added = fill(&spool);
  for (size_t s = 0; s < kStreams; ++s) {
    auto merge = spool.open(s);
    RC_ASSERT(merge.ok());
    size_t given = 0;
    for (TimeUs until = -60; until <= 60; ++until) {
      for (;;) {
        const auto block = (*merge)->next_block(until);
        RC_ASSERT(block.ok());
        if (*block == nullptr) break;
        RC_ASSERT((*block)->first() <= until && (*block)->sorted());
        given += (*block)->times().size();
      }
      const auto due =
          static_cast<size_t>(std::count_if(added.streams[s].begin(), added.streams[s].end(),
                                            [&](const TestRow& row) { return row.time <= until; }));
      RC_ASSERT(given >= due);
    }
    RC_ASSERT(given == added.streams[s].size());
  }
}

TEST(RowSpool, SaysWhereItCannotSpill) {
  RowSpool spool(1, 0, "/no/such/directory");
  const Status added = spool.add(0, block_of({{1, 1}}));
  ASSERT_FALSE(added.ok());
  EXPECT_NE(added.error().message().find("--spill-dir"), std::string::npos);
}

}  // namespace
}  // namespace tidemill::training
