#include "shared/kafka/partition_reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include "shared/kafka/topic.h"

namespace tidemill {
namespace {

constexpr int kOpenMs = 6000;
constexpr int kBacklogWaitMs = 50;
constexpr int kGatherMs = 20;  // to fill a batch while records are known to come
constexpr int kEndWaitMs = 5;
constexpr int kWakeMs = 200;
constexpr int64_t kEndFreshMs = 3000;
constexpr size_t kChunk = 1024;

class Reader : public KafkaPartitionReader {
 public:
  Reader(std::shared_ptr<KafkaTopic> topic, std::shared_ptr<KafkaTopic::Watch> watch,
         uint32_t partition, uint64_t offset, const RecordIdentity& last)
      : topic_(std::move(topic)),
        watch_(std::move(watch)),
        partition_(partition),
        offset_(offset),
        last_(last) {}
  ~Reader() override;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Status consume_start();
  Status read(size_t max_records, size_t max_bytes, KafkaRecords* out) override;
  void give_back(size_t first, KafkaRecords* records) override;
  void read_until(uint64_t offset) override { until_ = offset; }
  uint32_t partitions() const override { return topic_->partitions(); }
  uint64_t log_end_offset() const override { return end_seen_; }
  void commit(uint64_t offset) override { topic_->commit(partition_, offset); }

 private:
  int32_t number() const { return static_cast<int32_t>(partition_); }
  rd_kafka_topic_t* handle() const { return client_->topic(topic_->name()); }

  void consume_stop();
  Status restart();
  // The client has met an error since the last time: a lost connection, behind which may be another
  // log, or a topic that is missing.
  bool hears_alarm();
  // Takes what is queued into messages_, waiting for the first up to `timeout_ms`.
  Status take(size_t records, int timeout_ms);
  Status take_one(rd_kafka_message_t* message);
  // Takes up to a batch; waits, if it may, while there is little and more is known to come.
  Status gather(size_t max_records, size_t max_bytes, bool may_wait);
  bool queued() const { return next_ < messages_.size(); }
  void give(size_t max_records, size_t max_bytes, KafkaRecords* out);
  bool more_is_coming() const;
  void wake_connection();
  bool at_end(const KafkaTopic::Sight& sight) const;
  int end_wait_ms() const;

  std::shared_ptr<KafkaTopic> topic_;
  std::shared_ptr<KafkaTopic::Watch> watch_;
  const uint32_t partition_;
  KafkaClient* client_ = nullptr;
  uint64_t first_missing_events_ = 0;  // the client had told of before
  uint64_t alarms_ = 0;

  uint64_t offset_;                     // of the next record to give
  uint64_t until_ = UINT64_MAX;         // a read that begins before it ends there
  RecordIdentity last_;                 // given before it
  RecordIdentity last_before_;          // given before the last read
  std::vector<KafkaMessage> given_;     // by the last read
  std::vector<KafkaMessage> messages_;  // taken from the client, not yet given, from next_ on
  size_t next_ = 0;
  size_t bytes_ = 0;          // of those
  uint64_t take_offset_ = 0;  // behind them
  int64_t eof_ms_ = 0;        // when the log's end was met at take_offset_; 0: it was not
  uint64_t end_seen_ = 0;
  size_t watches_ = 1;
  bool doubt_ = false;                         // something seems wrong; not said yet
  bool restart_ = false;                       // the client has given up on the partition
  HeldMemory memory_{MemoryConsumer::kKafka};  // of messages taken
};

Reader::~Reader() {
  given_.clear();
  messages_.clear();
  consume_stop();
  topic_->unwatch(watch_);
}

Status Reader::consume_start() {
  auto client = topic_->lease(partition_);
  if (!client.ok()) return client.error();
  client_ = *client;
  first_missing_events_ = client_->missing_topic_events();
  alarms_ = client_->alarms();
  take_offset_ = offset_;
  eof_ms_ = 0;
  if (rd_kafka_consume_start(handle(), number(), static_cast<int64_t>(offset_)) == 0) return {};
  return retryable_error(std::string("the partition cannot be consumed: ") +
                         rd_kafka_err2str(rd_kafka_last_error()));
}

// Started and stopped, never paused or sought: librdkafka 2.0.2 can then lose or misplace messages
// of its batch calls (#4208). Nothing is taken between the two.
//
// A partition that is gone is left as it is: after it was stopped, 2.0.2 could not destroy the
// client any more. So that client takes no other partitions.
void Reader::consume_stop() {
  if (client_ == nullptr) return;
  const bool stop =
      !topic_->gone(partition_) && client_->missing_topic_events() == first_missing_events_;
  if (stop) {
    rd_kafka_consume_stop(handle(), number());
    // Frees what was fetched and is now outdated.
    rd_kafka_message_t* none = nullptr;
    if (rd_kafka_consume_batch(handle(), number(), 0, &none, 1) == 1) {
      rd_kafka_message_destroy(none);
    }
  }
  topic_->give_back(std::exchange(client_, nullptr), partition_, stop);
}

bool Reader::hears_alarm() {
  client_->poll(0);
  const uint64_t alarms = client_->alarms();
  return std::exchange(alarms_, alarms) != alarms;
}

Status Reader::restart() {
  messages_.clear();
  next_ = bytes_ = 0;
  consume_stop();
  return consume_start();
}

Status Reader::take(size_t records, int timeout_ms) {
  // The batch call waits until it has all it is asked for: so it waits for one only.
  std::array<rd_kafka_message_t*, kChunk> chunk{};
  while (records > 0) {
    const size_t wanted = timeout_ms > 0 ? 1 : std::min(records, kChunk);
    const ssize_t got =
        rd_kafka_consume_batch(handle(), number(), timeout_ms, chunk.data(), wanted);
    if (got < 0) {
      return retryable_error(std::string("the partition cannot be consumed: ") +
                             rd_kafka_err2str(rd_kafka_last_error()));
    }
    Status status;
    for (ssize_t i = 0; i < got; ++i) {
      Status taken = take_one(chunk[static_cast<size_t>(i)]);
      if (!taken.ok() && status.ok()) status = taken;
    }
    if (!status.ok() || doubt_) return status;
    if (static_cast<size_t>(got) < wanted) return {};
    timeout_ms = 0;
    records -= static_cast<size_t>(got);
  }
  return {};
}

Status Reader::take_one(rd_kafka_message_t* raw) {
  KafkaMessage message(raw);
  const auto offset = static_cast<uint64_t>(std::max<int64_t>(message->offset, 0));
  switch (message->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      if (offset < take_offset_) return {};
      take_offset_ = offset + 1;
      eof_ms_ = 0;
      bytes_ += message->len;
      messages_.push_back(std::move(message));
      return {};
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      take_offset_ = std::max(take_offset_, offset);
      eof_ms_ = kafka_clock_ms();
      return {};
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      doubt_ = restart_ = true;
      return {};
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      doubt_ = true;
      return {};
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
      return {};  // the topic's thread says so, if it lasts
    default:
      return retryable_error("partition " + std::to_string(partition_) + " of topic '" +
                             topic_->name() + "' cannot be read at offset " +
                             std::to_string(take_offset_) + ": " +
                             rd_kafka_message_errstr(message.get()));
  }
}

bool Reader::more_is_coming() const {
  int64_t low = 0;
  int64_t high = 0;
  if (eof_ms_ != 0) return false;
  const auto known = rd_kafka_get_watermark_offsets(client_->handle(), topic_->name().c_str(),
                                                    number(), &low, &high);
  if (known != RD_KAFKA_RESP_ERR_NO_ERROR || high < 0) return end_seen_ > take_offset_;
  return static_cast<uint64_t>(high) > take_offset_ || end_seen_ > take_offset_;
}

// A connection whose queues were all full sleeps for up to a second; 2.0.2 has no setting for
// that. A question to the broker wakes it.
void Reader::wake_connection() {
  const auto answer = query_offsets(client_, topic_->name(), {partition_}, kEndOffset, kWakeMs);
  if (answer.ok() && answer->front().offset >= 0) {
    end_seen_ = std::max(end_seen_, static_cast<uint64_t>(answer->front().offset));
  }
}

// Readers share the threads that wait.
int Reader::end_wait_ms() const {
  return kEndWaitMs / static_cast<int>(std::max<size_t>(watches_, 1));
}

Status Reader::gather(size_t max_records, size_t max_bytes, bool may_wait) {
  messages_.erase(messages_.begin(), messages_.begin() + static_cast<ptrdiff_t>(next_));
  next_ = 0;
  const auto missing = [&] {
    const size_t have = messages_.size();
    return have < max_records && bytes_ < max_bytes ? max_records - have : 0;
  };
  const auto take_missing = [&](int timeout_ms) -> Status {
    Status status;
    const size_t before = messages_.size();
    for (size_t n = missing(); n > 0 && status.ok() && !doubt_; n = missing()) {
      const size_t had = messages_.size();
      status = take(std::min(n, kChunk), messages_.size() == before ? timeout_ms : 0);
      if (messages_.size() == had) break;
    }
    return status;
  };
  Status status = take_missing(0);
  if (!may_wait) return status;
  if (!queued() && status.ok() && !doubt_) {
    const bool coming = more_is_coming();
    if (coming) wake_connection();
    status = take_missing(coming ? kBacklogWaitMs : end_wait_ms());
  }
  const int64_t deadline = kafka_clock_ms() + kGatherMs;
  while (missing() > 0 && status.ok() && !doubt_ && more_is_coming()) {
    const int64_t left = deadline - kafka_clock_ms();
    if (left <= 0) break;
    status = take_missing(static_cast<int>(left));
  }
  // What was taken comes first; an error that lasts comes again.
  return queued() ? Status() : status;
}

void Reader::give(size_t max_records, size_t max_bytes, KafkaRecords* out) {
  const uint64_t limit = offset_ < until_ ? until_ : UINT64_MAX;
  const auto next_offset = [&] { return static_cast<uint64_t>(messages_[next_]->offset); };
  while (next_ < messages_.size() && out->records.size() < max_records && next_offset() < limit &&
         (out->records.empty() || out->value_bytes < max_bytes)) {
    KafkaMessage message = std::move(messages_[next_++]);
    rd_kafka_timestamp_type_t type{};
    KafkaRecord record;
    record.offset = static_cast<uint64_t>(message->offset);
    record.timestamp_ms = rd_kafka_message_timestamp(message.get(), &type);
    if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) record.timestamp_ms = -1;
    record.has_value = message->payload != nullptr;
    if (record.has_value) record.value = {static_cast<const char*>(message->payload), message->len};
    out->value_bytes += record.value.size();
    bytes_ -= message->len;
    out->records.push_back(record);
    given_.push_back(std::move(message));
  }
  if (!given_.empty()) {
    offset_ = out->records.back().offset + 1;
    last_ = identity_of(*given_.back());
  }
  if (!queued()) {
    offset_ = std::min(take_offset_, limit);
  } else if (next_offset() >= limit) {
    offset_ = limit;  // there are holes before it
  }
}

void Reader::give_back(size_t first, KafkaRecords* records) {
  if (first >= given_.size()) return;
  const auto from = given_.begin() + static_cast<ptrdiff_t>(first);
  offset_ = static_cast<uint64_t>((*from)->offset);
  last_ = first == 0 ? last_before_ : identity_of(*given_[first - 1]);
  for (auto each = from; each != given_.end(); ++each) {
    bytes_ += (*each)->len;
    records->value_bytes -=
        records->records[static_cast<size_t>(each - given_.begin())].value.size();
  }
  messages_.erase(messages_.begin(), messages_.begin() + static_cast<ptrdiff_t>(next_));
  next_ = 0;
  messages_.insert(messages_.begin(), std::move_iterator(from), std::move_iterator(given_.end()));
  given_.erase(from, given_.end());
  records->records.resize(first);
  records->end_offset = offset_;
  records->at_end = false;
  records->last = last_;
}

// The markers of an open transaction are behind what can be read, but not the log's end.
bool Reader::at_end(const KafkaTopic::Sight& sight) const {
  if (queued()) return false;
  int64_t low = 0;
  int64_t high = 0;
  const auto known = rd_kafka_get_watermark_offsets(client_->handle(), topic_->name().c_str(),
                                                    number(), &low, &high);
  if (known != RD_KAFKA_RESP_ERR_NO_ERROR || high < 0 || static_cast<uint64_t>(high) != offset_) {
    return false;
  }
  const int64_t now = kafka_clock_ms();
  if (eof_ms_ != 0 && now - eof_ms_ < kEndFreshMs) return true;
  return sight.sampled_ms != 0 && sight.high == offset_ && now - sight.sampled_ms < kEndFreshMs;
}

Status Reader::read(size_t max_records, size_t max_bytes, KafkaRecords* out) {
  given_.clear();
  last_before_ = last_;
  memory_.resize(bytes_);
  *out = {};
  out->end_offset = offset_;
  out->last = last_;
  if (client_ == nullptr) return retryable_error("the partition is not consumed");
  doubt_ = hears_alarm() || doubt_;
  const KafkaTopic::Sight sight =
      topic_->look(watch_.get(), offset_, last_, std::exchange(doubt_, false));
  watches_ = sight.watches;
  end_seen_ = std::max(end_seen_, sight.high);
  if (sight.error && (!sight.cleared || sight.error->code() == ErrorCode::kSourceChanged)) {
    return *sight.error;
  }
  if (!sight.cleared) return {};
  if (std::exchange(restart_, false)) {
    if (Status restarted = restart(); !restarted.ok()) return restarted;
  }
  Status gathered = gather(max_records, max_bytes, !sight.error);
  if (!gathered.ok()) return gathered;
  if (sight.error && !queued()) return *sight.error;
  // What was taken may be of another log: nothing is given before that is known.
  doubt_ = hears_alarm() || doubt_;
  memory_.resize(bytes_);  // of what is given now as well, until the next read
  if (doubt_) return {};
  give(max_records, std::max<size_t>(max_bytes, 1), out);
  end_seen_ = std::max(end_seen_, offset_);
  out->end_offset = offset_;
  out->last = last_;
  out->at_end = at_end(sight);
  return {};
}

}  // namespace

Result<std::unique_ptr<KafkaPartitionReader>> KafkaPartitionReader::open(
    const proto::KafkaInput& input, uint32_t partition, uint64_t offset,
    const RecordIdentity& last) {
  auto topic = KafkaTopic::get(input);
  if (!topic.ok()) return topic.error();
  auto watch = (*topic)->watch(partition, offset, last, kOpenMs);
  if (!watch.ok()) return watch.error();
  auto reader = std::make_unique<Reader>(*topic, *watch, partition, offset, last);
  if (Status started = reader->consume_start(); !started.ok()) return started.error();
  return std::unique_ptr<KafkaPartitionReader>(std::move(reader));
}

}  // namespace tidemill
