// TransactionGenerator: card transactions as a pure function of (input, partition, offset): any
// event is computed from its offset alone, in constant time, with the same result on every
// machine. What the numbers mean: docs/generator.md.
// immutable, so thread-safe
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/base/time.h"
#include "shared/source/zipf.h"

namespace tidemill {

struct Transaction {
  int64_t transaction_id = 0;
  TimeUs event_time = 0;
  uint64_t customer = 0;  // from 1, the busiest
  uint64_t terminal = 0;  // from 1, the busiest
  int64_t amount_cents = 0;
  bool is_fraud = false;
};

class TransactionGenerator {
 public:
  // Refuses numbers that make no sense, saying what would.
  static Result<TransactionGenerator> create(const proto::GeneratorInput& input,
                                             uint32_t partition);

  // Offsets are 0 .. end() - 1.
  uint64_t end() const { return end_; }
  // The record at `offset` is one that no parser should take.
  bool malformed(uint64_t offset) const;
  Transaction at(uint64_t offset) const;

 private:
  TransactionGenerator(const proto::GeneratorInput& input, uint32_t partition);

  void set_bursts(double share, double factor);
  uint64_t draw(uint64_t purpose, uint64_t about) const;
  TimeUs event_time(uint64_t offset) const;
  int64_t with_bursts(int64_t even_time) const;
  int64_t amount_cents(uint64_t offset, uint64_t customer) const;
  bool compromised(uint64_t terminal, TimeUs time) const;

  uint64_t seed_ = 0;            // of the whole input: customers, terminals, bursts
  uint64_t partition_seed_ = 0;  // of this partition's events
  uint32_t partition_ = 0;
  uint32_t partitions_ = 1;
  uint64_t end_ = 0;
  ZipfTable customers_;
  ZipfTable terminals_;
  TimeUs start_time_ = 0;
  unsigned __int128 period_ = 0;  // us between events of this partition, times 2^32
  uint64_t jitter_us_ = 1;
  // A cycle of even time and where its burst goes; burst_even_us_ is 0 without bursts.
  int64_t burst_even_us_ = 0;
  int64_t burst_us_ = 0;
  // Shares, scaled to the range of a hash.
  uint64_t ties_ = 0;
  uint64_t late_ = 0;
  uint64_t malformed_ = 0;
  uint64_t fraud_half_ = 0;
  uint64_t late_by_us_ = 0;
};

// The names and types of a transaction's columns, in the order of their text.
const std::array<proto::Field, 6>& transaction_schema();

}  // namespace tidemill
