// What the tests of states on disk share: a key partition that changes at random, written to a
// PartitionDisk and kept in a PartitionState beside it, which says what must be on disk.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "shared/state/partition_disk.h"
#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {

// Table 0 has a column of every type and lifetime windows, table 1 a double.
TableSchemas state_schemas();

PartitionDiskConfig state_config(std::shared_ptr<Disk> disk, const TableSchemas& schemas,
                                 const std::string& directory = "/data/job-00000007/k-42");

std::unique_ptr<PartitionDisk> open(const PartitionDiskConfig& config);
::testing::AssertionResult good(const Status& status);

// A directory of its own on the machine's disk, for as long as it lives.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

using ImageMap = std::map<std::tuple<uint16_t, uint64_t, std::string>, std::vector<uint8_t>>;

// Empty, or the first key whose images differ.
std::string difference(const ImageMap& expected, const ImageMap& actual);
// Images by key, of bytes that hold them one after another.
ImageMap split_images(std::span<const uint8_t> bytes);
// An image without rows and without base.
bool removes_key(const std::vector<uint8_t>& image);
// Scans, and reads every key and one that is not there, and expects what the state says.
void expect_state(PartitionDisk* disk, const class ChangingState& state);
// All images of a scan.
Result<ImageMap> scan_images(PartitionDisk* disk, std::optional<uint64_t> since = std::nullopt,
                             bool* whole = nullptr, size_t max_bytes = 1000);

// A key partition's owner without sources: makes increments and knows what comes of them.
class ChangingState {
 public:
  ChangingState(TableSchemas schemas, uint64_t seed);

  // What happened since the last increment, which is remembered as the newest.
  Increment change();
  // Row blocks alone, of `rows` rows of keys of table 1.
  Increment change_rows(size_t rows, size_t keys);
  // Of the increments to come.
  void raise_horizon(TimeUs horizon) { horizon_ = horizon; }
  // Takes back the increments after a version, as a crash does.
  void go_back(uint64_t version);

  // What must be on disk at the newest version. Not of keys without rows.
  ImageMap images() const;
  uint64_t version() const { return history_.back().head.stamp().version; }
  const StateHead& head() const { return history_.back().head; }
  // Keys that changed after a version.
  std::vector<StateKey> changed_since(uint64_t version) const;
  std::vector<StateKey> changed_in(const Increment& increment) const;
  // Of the increment that ended at a version.
  const Increment& increment(uint64_t version) const;
  // A new owner, with an epoch of its own.
  void change_owner() { ++epoch_; }
  // Likewise, which went on from an older state and has caught up: its versions have fallen.
  void change_owner_behind(uint64_t version);
  // What images() was at a version.
  ImageMap images_at(uint64_t version) const;

 private:
  StateChange random_rows_change();
  StateChange random_images_change();
  std::vector<KeyedRow> random_keyed(uint16_t table, size_t rows, size_t keys);
  Increment begin();
  void end(const Increment& increment);

  TableSchemas schemas_;
  Random random_;
  uint64_t epoch_ = 1;
  std::optional<uint64_t> parted_at_;  // version at which the next increment's owner parted
  TimeUs clock_ = kStart;
  TimeUs horizon_ = kMinTime;
  std::vector<Increment> history_;  // the first is the state of nothing
};

}  // namespace tidemill::testing
