// A small job, row blocks for it, and the messages between its readers, key partitions and
// replicas, written by hand.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "shared/dead_letter/dead_letter.h"
#include "shared/plan/plan.h"
#include "shared/window/partition_state.h"
#include "shared/wire/frames.h"
#include "shared/wire/source_batch.h"

namespace tidemill::test {

inline constexpr int64_t kSecond = 1'000'000;
inline constexpr int64_t kHour = 3'600 * kSecond;
inline constexpr TimeUs kStart = 1'522'540'800 * kSecond;  // 2018-04-01T00:00:00Z

// Two source partitions with max_out_of_orderness 10s, allowed_lateness 1h, a view `customer` with
// count_1h and amount_sum_1h. Leading edge: event times.
std::shared_ptr<const Plan> small_plan();
std::shared_ptr<const Plan> plan_of(const std::string& yaml);

struct TestRow {
  std::string key;
  TimeUs time = kStart;
  double amount = 1;
};

// Row blocks of table 0, which has the amount as its only column: one block, or none for no rows.
Buffer block_of(const std::vector<TestRow>& rows, uint16_t table = 0,
                const std::string& entity = "customer_id");
Buffer broken_block();

struct BatchOptions {
  uint32_t source = 0;
  uint64_t session = 1;
  uint64_t seq = 0;
  uint64_t reader_epoch = 1;
  SourcePosition end;
  int64_t read_wall_us = 0;
  bool main_read = true;
  bool idle = false;
  uint32_t tables = 0;  // of the reader's plan
};
// A batch with one part, for key partition 0.
SourceBatch batch_of(const BatchOptions& options, const Buffer& blocks);

// Dead letters in memory; what a later epoch opens finds what earlier ones left. `failing`: appends
// fail.
class MemoryDeadLetters : public DeadLetterStorage {
 public:
  Result<std::unique_ptr<DeadLetterWriter>> open(const std::string& job_name, JobId job,
                                                 SourcePartitionId source_partition,
                                                 Epoch epoch) override;
  std::map<std::pair<uint64_t, std::string>, DeadLetter> letters;  // by (offset, view)
  size_t appended = 0;                                             // repeats counted
  bool failing = false;
};

// The key's count_1h at `as_of`; -1 if the key has no rows.
int64_t count_at(const Plan& plan, const PartitionState& state, const std::string& key,
                 TimeUs as_of);

}  // namespace tidemill::test
