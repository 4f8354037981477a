#include "shared/state/pending_changes.h"

#include <gtest/gtest.h>

#include <string>

namespace tidemill {
namespace {

struct Entry {
  StateChange change;
};

Entry of_bytes(size_t count) {
  return {{StateChange::Kind::kRows, Buffer(std::string(count, 'x'))}};
}

// What a read that comes behind the write finds on disk.
TEST(PendingChanges, KnowUntilWhereTheyAreWritten) {
  PendingChanges<Entry> changes;
  EXPECT_EQ(changes.written_until_bytes(), 0u);
  changes.add(of_bytes(100));
  EXPECT_EQ(changes.written_until_bytes(), 0u);
  EXPECT_EQ(changes.begin_writing().size(), 1u);
  changes.add(of_bytes(20));
  EXPECT_EQ(changes.written_until_bytes(), 100u);
  EXPECT_EQ(changes.come_bytes(), 120u);
  changes.end_writing(true);
  EXPECT_EQ(changes.written_until_bytes(), 100u);
  EXPECT_EQ(changes.bytes(), 20u);
  changes.begin_writing();
  changes.end_writing(false);
  EXPECT_EQ(changes.written_until_bytes(), 100u);
  changes.clear();
  EXPECT_EQ(changes.written_until_bytes(), 120u);
}

TEST(PendingChanges, GoOnBeingWrittenWhereTheyAreTakenOver) {
  PendingChanges<Entry> changes;
  for (const size_t bytes : {5, 7, 11}) changes.add(of_bytes(bytes));
  changes.take_over_writing(2);
  EXPECT_EQ(changes.written_until_bytes(), 12u);
  changes.end_writing(true);
  EXPECT_EQ(changes.bytes(), 11u);
}

}  // namespace
}  // namespace tidemill
