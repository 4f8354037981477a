#include "shared/source/transaction_generator.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "shared/source/exact_math.h"

namespace tidemill {
namespace {

constexpr int64_t kCycleUs = 600 * kMicrosPerSecond;  // one burst in each
constexpr int64_t kRiskPeriodDays = 7;
constexpr uint64_t kTieChain = 64;  // an offset that this divides is no tie
constexpr uint64_t kMostIds = uint64_t{1} << 32;
constexpr uint32_t kMostPartitions = 4096;
constexpr TimeUs kLastTime = 253'402'300'799 * kMicrosPerSecond;   // 9999-12-31T23:59:59Z
constexpr TimeUs kFirstTime = -62'135'596'800 * kMicrosPerSecond;  // 0001-01-01T00:00:00Z
constexpr double kTwoTo32 = 4294967296.0;
constexpr double kTwoTo64 = 18446744073709551616.0;

// What a draw is for: each gives numbers independent of the others'.
enum Purpose : uint64_t {
  kJitter = 1,
  kTie,
  kLate,
  kLateness,
  kBurst,
  kCustomer,
  kCustomerRun,
  kTerminal,
  kTerminalRun,
  kCustomerMean,
  kAmount,
  kLargeAmount,
  kCompromised,
  kMalformed,
  kPartition,
};

// SplitMix64's output function (Steele, Lea and Flood, "Fast splittable pseudorandom number
// generators", OOPSLA 2014).
uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

uint64_t draw_from(uint64_t seed, uint64_t purpose, uint64_t about) {
  return mix(mix(seed + purpose * 0x9E3779B97F4A7C15) ^ (about * 0xD1342543DE82EF95));
}

// `share` of all hashes lie below the result.
uint64_t threshold(double share) {
  return share >= 1 ? UINT64_MAX : static_cast<uint64_t>(share * kTwoTo64);
}

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// What a customer's mean is multiplied by, times 2^16: 2^(-3.2 .. 3.2), 1024 steps.
constexpr size_t kAmountSteps = 1024;
const std::array<int64_t, kAmountSteps>& amount_factors() {
  static const std::array<int64_t, kAmountSteps> table = [] {
    std::array<int64_t, kAmountSteps> factors{};
    for (size_t i = 0; i < kAmountSteps; ++i) {
      const double exponent = (static_cast<double>(i) + 0.5) / kAmountSteps * 6.4 - 3.2;
      // Positive, and the same everywhere. NOLINTNEXTLINE(bugprone-incorrect-roundings)
      factors[i] = static_cast<int64_t>(exact_pow(2, exponent) * 65536 + 0.5);
    }
    return factors;
  }();
  return table;
}

Status check_share(const char* name, double share) {
  if (share >= 0 && share <= 1) return {};
  return user_error(std::string(name) + " is " + std::to_string(share) +
                    "; it is a share from 0 to 1");
}

Status check(const proto::GeneratorInput& in, uint32_t partition) {
  if (in.partitions() == 0) return user_error("generator: partitions is 0; it is at least 1");
  if (partition >= in.partitions()) {
    return user_error("generator: there is no partition " + std::to_string(partition) + ", only " +
                      std::to_string(in.partitions()));
  }
  if (in.partitions_at_most() != 0 &&
      (in.partitions_at_most() < in.partitions() || in.partitions_at_most() > kMostPartitions)) {
    return user_error("generator: partitions_at_most is 0, or from partitions to " +
                      std::to_string(kMostPartitions));
  }
  if (in.customers() < 1 || in.customers() > kMostIds || in.terminals() < 1 ||
      in.terminals() > kMostIds) {
    return user_error("generator: customers and terminals are from 1 to 4294967296");
  }
  if (!(in.zipf_exponent() >= 0 && in.zipf_exponent() <= 10)) {
    return user_error("generator: zipf_exponent is from 0 (uniform) to 10");
  }
  if (!(in.events_per_second() >= 1e-6 && in.events_per_second() <= 1e9)) {
    return user_error("generator: events_per_second is from 0.000001 to 1000000000");
  }
  const std::pair<const char*, double> shares[] = {
      {"generator: late_share", in.late_share()},
      {"generator: tie_share", in.tie_share()},
      {"generator: burst_share", in.burst_share()},
      {"generator: fraud_share", in.fraud_share()},
      {"generator: malformed_share", in.malformed_share()}};
  for (const auto& [name, share] : shares) {
    Status status = check_share(name, share);
    if (!status.ok()) return status;
  }
  if (in.late_by_us() < 0 || (in.late_share() > 0 && in.late_by_us() == 0)) {
    return user_error("generator: late_by says by how much late events are late; write 1h, say");
  }
  if (in.burst_share() > 0 && !(in.burst_factor() >= 1 && in.burst_factor() <= 1e6)) {
    return user_error("generator: burst_factor is from 1 to 1000000");
  }
  if (in.start_time_us() > kLastTime || in.start_time_us() < kFirstTime ||
      in.late_by_us() >= in.start_time_us() - kFirstTime) {
    return user_error("generator: all event times must lie in the years 1 to 9999");
  }
  return {};
}

}  // namespace

Result<TransactionGenerator> TransactionGenerator::create(const proto::GeneratorInput& input,
                                                          uint32_t partition) {
  Status checked = check(input, partition);
  if (!checked.ok()) return checked.error();
  TransactionGenerator generator(input, partition);
  if (input.events() > 0 && input.events() > generator.end_) {
    return user_error("generator: " + std::to_string(input.events()) +
                      " events would reach beyond the year 9999; raise events_per_second");
  }
  if (input.events() > 0) generator.end_ = input.events();
  return generator;
}

TransactionGenerator::TransactionGenerator(const proto::GeneratorInput& in, uint32_t partition)
    : seed_(mix(in.seed() + 0x9E3779B97F4A7C15)),
      partition_seed_(draw_from(seed_, kPartition, partition)),
      partition_(partition),
      partitions_(std::max(in.partitions(), in.partitions_at_most())),
      customers_(in.customers(), in.zipf_exponent()),
      terminals_(in.terminals(), in.zipf_exponent()),
      start_time_(in.start_time_us()),
      ties_(threshold(in.tie_share())),
      late_(threshold(in.late_share())),
      malformed_(threshold(in.malformed_share())),
      fraud_half_(threshold(in.fraud_share() / 2)),
      late_by_us_(static_cast<uint64_t>(in.late_by_us())) {
  const double period_us = 1e6 * partitions_ / in.events_per_second();
  period_ = static_cast<unsigned __int128>(period_us * kTwoTo32);
  jitter_us_ = std::max<uint64_t>(1, static_cast<uint64_t>(period_ >> 32));
  // As many as there is time for, and ids. A burst moves an event within its cycle.
  const int64_t time_left =
      std::max<int64_t>(0, kLastTime - start_time_ - kCycleUs - static_cast<int64_t>(jitter_us_));
  const auto by_time = (static_cast<unsigned __int128>(time_left) << 32) / period_;
  const uint64_t by_id = (uint64_t{1} << 63) / partitions_ - 1;
  end_ = by_time > by_id ? by_id : static_cast<uint64_t>(by_time);
  if (in.burst_share() > 0) set_bursts(in.burst_share(), in.burst_factor());
}

void TransactionGenerator::set_bursts(double share, double factor) {
  const double mean_rate = 1 - share + share * factor;
  burst_us_ = static_cast<int64_t>(share * kCycleUs);
  burst_even_us_ = static_cast<int64_t>(share * factor / mean_rate * kCycleUs);
  if (burst_us_ <= 0 || burst_even_us_ >= kCycleUs) burst_even_us_ = 0;
}

uint64_t TransactionGenerator::draw(uint64_t purpose, uint64_t about) const {
  return draw_from(partition_seed_, purpose, about);
}

bool TransactionGenerator::malformed(uint64_t offset) const {
  return malformed_ != 0 && draw(kMalformed, offset) < malformed_;
}

// Even time runs at the mean rate. Within a cycle it is stretched outside of the burst and pressed
// together inside, so that the cycle is as long as before.
int64_t TransactionGenerator::with_bursts(int64_t even_time) const {
  if (burst_even_us_ == 0) return even_time;
  const int64_t cycle = even_time / kCycleUs;
  const int64_t at = even_time % kCycleUs;
  const int64_t quiet_even = kCycleUs - burst_even_us_;
  const int64_t quiet = kCycleUs - burst_us_;
  const auto before = static_cast<int64_t>(scale_hash(
      draw_from(seed_, kBurst, static_cast<uint64_t>(cycle)), static_cast<uint64_t>(quiet_even)));
  const int64_t begin = cycle * kCycleUs;
  if (at < before) return begin + at * quiet / quiet_even;
  const int64_t burst_begin = begin + before * quiet / quiet_even;
  const int64_t in_burst = at - before;
  if (in_burst < burst_even_us_) return burst_begin + in_burst * burst_us_ / burst_even_us_;
  return burst_begin + burst_us_ + (in_burst - burst_even_us_) * quiet / quiet_even;
}

TimeUs TransactionGenerator::event_time(uint64_t offset) const {
  // A tie has the time of the offset before, which may be a tie itself.
  while (ties_ != 0 && offset % kTieChain != 0 && draw(kTie, offset) < ties_) --offset;
  auto even = static_cast<int64_t>((period_ * offset) >> 32);
  even += static_cast<int64_t>(scale_hash(draw(kJitter, offset), jitter_us_));
  TimeUs time = start_time_ + with_bursts(even);
  if (late_ != 0 && draw(kLate, offset) < late_) {
    time -= 1 + static_cast<int64_t>(scale_hash(draw(kLateness, offset), late_by_us_));
  }
  return time;
}

// Around the customer's mean, from 5.00 to 100.00, the amounts spread by powers of two. The power
// is the sum of four even draws: nearly normal, so that the amounts are nearly log-normal.
int64_t TransactionGenerator::amount_cents(uint64_t offset, uint64_t customer) const {
  const auto mean =
      500 + static_cast<int64_t>(scale_hash(draw_from(seed_, kCustomerMean, customer), 9501));
  const uint64_t bits = draw(kAmount, offset);
  const uint64_t sum =
      (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48);
  const int64_t factor = amount_factors()[sum * kAmountSteps >> 18];
  return std::max<int64_t>(1, mean * factor >> 16);
}

bool TransactionGenerator::compromised(uint64_t terminal, TimeUs time) const {
  // Terminals change on different days.
  const int64_t day = floor_divide(time, kMicrosPerDay) + static_cast<int64_t>(terminal % 7);
  const auto period = static_cast<uint64_t>(floor_divide(day, kRiskPeriodDays));
  return draw_from(seed_, kCompromised, mix(terminal) + period) < fraud_half_;
}

Transaction TransactionGenerator::at(uint64_t offset) const {
  Transaction t;
  t.transaction_id = static_cast<int64_t>(offset * partitions_ + partition_);
  t.event_time = event_time(offset);
  t.customer = customers_.rank(draw(kCustomer, offset), draw(kCustomerRun, offset));
  t.terminal = terminals_.rank(draw(kTerminal, offset), draw(kTerminalRun, offset));
  t.amount_cents = amount_cents(offset, t.customer);
  if (fraud_half_ != 0) {
    const uint64_t large = draw(kLargeAmount, offset);
    if (large < fraud_half_) {
      t.amount_cents *= 4 + static_cast<int64_t>(offset % 4);
      t.is_fraud = true;
    } else {
      t.is_fraud = compromised(t.terminal, t.event_time);
    }
  }
  return t;
}

const std::array<proto::Field, 6>& transaction_schema() {
  static const std::array<proto::Field, 6> schema = [] {
    std::array<proto::Field, 6> fields;
    const std::pair<const char*, proto::ColumnType> columns[] = {
        {"transaction_id", proto::INT64}, {"event_time", proto::TIMESTAMP},
        {"customer_id", proto::STRING},   {"terminal_id", proto::STRING},
        {"amount", proto::DOUBLE},        {"is_fraud", proto::BOOL}};
    for (size_t i = 0; i < fields.size(); ++i) {
      fields[i].set_name(columns[i].first);
      fields[i].set_type(columns[i].second);
    }
    return fields;
  }();
  return schema;
}

}  // namespace tidemill
