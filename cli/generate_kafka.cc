#include "cli/generate_kafka.h"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "cli/progress.h"
#include "shared/kafka/client_settings.h"
#include "shared/kafka/record_writer.h"
#include "shared/kafka/topic_offsets.h"
#include "shared/source/transaction_writer.h"

namespace tidemill {
namespace {

constexpr int64_t kMicrosPerMilli = 1000;
// Events are written live in bunches of those that are due: a wait for each would cost more than
// making it.
constexpr int64_t kBunchUs = 2 * kMicrosPerMilli;

Result<proto::KafkaInput> target(const GenerateOptions& options) {
  proto::KafkaInput to;
  to.set_brokers(options.kafka);
  to.set_topic(options.topic);
  for (const std::string& setting : options.client) {
    const size_t equals = setting.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return user_error("--client is '" + setting + "'; write NAME=VALUE");
    }
    (*to.mutable_client())[setting.substr(0, equals)] = setting.substr(equals + 1);
  }
  if (Status checked = check_client_settings(to); !checked.ok()) return checked.error();
  return to;
}

// The topic is there, with as many partitions as asked for.
Status prepare_topic(const proto::KafkaInput& to, uint32_t partitions) {
  const auto created = create_topic(to, partitions);
  if (!created.ok()) return created.error();
  if (*created) return {};
  const auto described = describe_topic(to);
  if (!described.ok()) return described.error();
  if (described->size() == partitions) return {};
  return user_error("topic '" + to.topic() + "' has " + std::to_string(described->size()) +
                    " partitions, not " + std::to_string(partitions) + "; write --partitions " +
                    std::to_string(described->size()) + ", or another topic");
}

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Returns at the time or after it; at once only if it is over.
class LiveClock {
 public:
  void wait_until(TimeUs time) {
    if (time <= reached_) return;
    reached_ = now_us();
    if (time <= reached_) return;
    std::this_thread::sleep_for(std::chrono::microseconds(time - reached_ + kBunchUs));
    reached_ = now_us();
    wait_until(time);  // a sleep is by another clock
  }

 private:
  static TimeUs now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  TimeUs reached_ = 0;  // this much of the clock has been seen to be over
};

// One partition of the generator, record by record.
class RecordSource {
 public:
  RecordSource(const GenerateOptions& options, TransactionGenerator generator, uint32_t partition)
      : json_(options.format != "csv"),
        by_customer_(options.partition_key == "customer_id"),
        now_(options.timestamps == "now"),
        live_(options.live),
        partition_(partition),
        generator_(std::move(generator)),
        writer_(generator_) {}
  RecordSource(const RecordSource&) = delete;
  RecordSource& operator=(const RecordSource&) = delete;

  // Valid until the next.
  KafkaRecordWriter::Record record(uint64_t offset) {
    const Transaction transaction = generator_.at(offset);
    if (live_) clock_.wait_until(transaction.event_time);
    value_.clear();
    json_ ? writer_.append_json(offset, &value_) : writer_.append_csv(offset, &value_);
    value_.pop_back();
    key_ = std::to_string(transaction.customer);
    KafkaRecordWriter::Record record;
    if (!by_customer_) record.partition = partition_;
    record.key = key_;
    record.has_key = true;
    record.value = value_;
    // Rounded up: an event later than its record would not count as having been by then.
    record.timestamp_ms =
        now_ ? now_ms() : (transaction.event_time + kMicrosPerMilli - 1) / kMicrosPerMilli;
    return record;
  }

 private:
  const bool json_;
  const bool by_customer_;
  const bool now_;
  const bool live_;
  const uint32_t partition_;
  const TransactionGenerator generator_;
  TransactionWriter writer_;
  LiveClock clock_;
  std::string key_;
  std::string value_;
};

}  // namespace

Status generate_to_kafka(const GenerateOptions& options, const proto::GeneratorInput& input) {
  const auto to = target(options);
  if (!to.ok()) return to.error();
  std::vector<std::unique_ptr<RecordSource>> sources;
  for (uint32_t partition = 0; partition < options.partitions; ++partition) {
    auto generator = TransactionGenerator::create(input, partition);
    if (!generator.ok()) return generator.error();
    sources.push_back(std::make_unique<RecordSource>(options, std::move(*generator), partition));
  }
  if (Status prepared = prepare_topic(*to, options.partitions); !prepared.ok()) return prepared;
  const auto writer = KafkaRecordWriter::open(*to);
  if (!writer.ok()) return writer.error();
  Progress progress("generate", "events", options.events * options.partitions, !options.quiet);
  for (uint64_t offset = 0; offset < options.events; ++offset) {
    for (const auto& source : sources) {
      if (Status wrote = (*writer)->write(source->record(offset)); !wrote.ok()) return wrote;
    }
    progress.update((*writer)->delivered());
  }
  Status flushed = (*writer)->flush();
  progress.update((*writer)->delivered());
  return flushed;
}

}  // namespace tidemill
