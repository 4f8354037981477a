// What the micro benchmarks work on: card transactions, jobs over them, and rows of windows. All of
// it follows from fixed seeds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/buffer.h"
#include "shared/columns/column.h"
#include "shared/plan/plan.h"

namespace tidemill::micro {

inline constexpr TimeUs kStart = 1'522'540'800'000'000;  // 2018-04-01

class Random {
 public:
  uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }

 private:
  uint64_t state_ = 88172645463325252u;
};

// Transactions of 100,000 customers at 10,000 terminals, customers by Zipf's law, 100 a second: a
// source of one partition, without files.
proto::Source transactions(uint64_t events);
// They as one batch.
EventBatch transaction_batch(uint64_t events);

// They as text, in a file that is gone with the object.
class TransactionFile {
 public:
  TransactionFile(proto::FilesInput::Format format, uint64_t events, bool compressed = false);
  ~TransactionFile();
  TransactionFile(const TransactionFile&) = delete;
  TransactionFile& operator=(const TransactionFile&) = delete;

  const std::string& path() const { return path_; }
  proto::Source source() const;

 private:
  proto::FilesInput::Format format_;
  std::string path_;
};

std::shared_ptr<const Plan> plan_of(const std::string& yaml);
// The job of bench/run over a file: 26 features of customers and terminals, 128 key partitions.
std::shared_ptr<const Plan> card_job(const TransactionFile& file);
// A job of one view of customers, whose table has the amount as its only column: `aggregations` are
// lines of YAML, each with its own indentation of 6. No key has so many rows that any are folded.
std::shared_ptr<const Plan> amounts_job(const std::string& aggregations);

// Rows of the one table of an amounts_job.
class AmountRows {
 public:
  explicit AmountRows(const Plan& plan) : seed_((*plan.tables())[0].entity_seed) {}
  void add(std::string_view key, TimeUs time, double amount);
  size_t size() const { return times_.size(); }
  // Those that were added, as one block; none are left.
  Buffer take();

 private:
  uint64_t seed_;
  std::vector<std::string> keys_;
  std::vector<TimeUs> times_;
  Column amounts_;
};

}  // namespace tidemill::micro
