#include "cli/training/result_spool.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>

namespace tidemill::training {
namespace {

RC_GTEST_PROP(ResultSpool, GivesResultsByRowWhateverTheirOrder, ()) {
  const auto rows = *rc::gen::inRange<uint64_t>(0, 5'000);
  const auto groups = *rc::gen::inRange<size_t>(1, 4);
  const auto budget = *rc::gen::element<uint64_t>(0, 10'000, 1 << 24);
  const std::string directory = std::filesystem::temp_directory_path().string();
  ResultSpool spool(rows, groups, 16, budget, directory);
  // Every (row, group) once, in an order that is not that of rows: a step prime to their number.
  const uint64_t count = rows * groups;
  ResultBatch first(&spool);
  ResultBatch second(&spool);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t at = (i * 7'919) % count;
    const uint64_t row = at / groups;
    const auto group = static_cast<uint32_t>(at % groups);
    ResultBatch& batch = i % 3 == 0 ? first : second;
    const std::string values(row % 5, static_cast<char>('a' + group));
    RC_ASSERT(batch.add(row, group, values + std::to_string(row)).ok());
  }
  RC_ASSERT(first.flush().ok() && second.flush().ok());
  uint64_t next = 0;
  ResultSpool::Bucket bucket;
  for (size_t b = 0; b < spool.buckets(); ++b) {
    RC_ASSERT(spool.read(b, &bucket).ok());
    RC_ASSERT(bucket.first_row == next);
    for (uint64_t i = 0; i < bucket.rows; ++i, ++next) {
      for (size_t g = 0; g < groups; ++g) {
        const std::string values(next % 5, static_cast<char>('a' + g));
        RC_ASSERT(bucket.values[i * groups + g] == values + std::to_string(next));
      }
    }
  }
  RC_ASSERT(next == rows);
}

}  // namespace
}  // namespace tidemill::training
