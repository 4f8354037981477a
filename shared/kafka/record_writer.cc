#include "shared/kafka/record_writer.h"

#include <array>
#include <utility>

#include "shared/kafka/topic_queries.h"

namespace tidemill {
namespace {

constexpr int kCreateMs = 15'000;
constexpr int kConnectMs = 5'000;
constexpr int kPollMs = 100;

struct QueueDeleter {
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
};
struct NewTopicDeleter {
  void operator()(rd_kafka_NewTopic_t* topic) const { rd_kafka_NewTopic_destroy(topic); }
};
struct AdminOptionsDeleter {
  void operator()(rd_kafka_AdminOptions_t* options) const {
    rd_kafka_AdminOptions_destroy(options);
  }
};
struct EventDeleter {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};

Result<std::unique_ptr<KafkaClient>> producer(const proto::KafkaInput& input,
                                              KafkaClient::Deliveries* deliveries) {
  auto settings = expand_client_settings(input);
  if (!settings.ok()) return settings.error();
  return KafkaClient::create({.brokers = input.brokers(),
                              .producer = true,
                              .defaults = {{"client.id", "tidemill"},
                                           {"linger.ms", "20"},
                                           {"queue.buffering.max.messages", "200000"},
                                           {"queue.buffering.max.kbytes", "65536"},
                                           {"message.timeout.ms", "60000"},
                                           {"reconnect.backoff.max.ms", "1000"},
                                           {"partitioner", "murmur2_random"}},
                              .users = std::move(*settings),
                              .owned = {{"enable.idempotence", "true"}},
                              .deliveries = deliveries});
}

// The outcome of creating one topic.
Result<bool> outcome_of(const rd_kafka_event_t& event, const std::string& name) {
  const auto error = rd_kafka_event_error(const_cast<rd_kafka_event_t*>(&event));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return retryable_error("topic '" + name + "' cannot be created: " +
                           rd_kafka_event_error_string(const_cast<rd_kafka_event_t*>(&event)));
  }
  size_t count = 0;
  const auto* result = rd_kafka_event_CreateTopics_result(const_cast<rd_kafka_event_t*>(&event));
  const auto* const* topics = rd_kafka_CreateTopics_result_topics(result, &count);
  for (size_t i = 0; i < count; ++i) {
    const auto why = rd_kafka_topic_result_error(topics[i]);
    if (why == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return false;
    if (why == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const char* text = rd_kafka_topic_result_error_string(topics[i]);
    return user_error("topic '" + name +
                      "' cannot be created: " + (text == nullptr ? rd_kafka_err2str(why) : text));
  }
  return true;
}

class Writer : public KafkaRecordWriter, private KafkaClient::Deliveries {
 public:
  explicit Writer(std::string topic) : topic_(std::move(topic)) {}
  ~Writer() override {
    // What was not flushed is given up: its deliveries are still counted here.
    if (client_) rd_kafka_purge(client_->handle(), RD_KAFKA_PURGE_F_QUEUE);
    client_.reset();
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  Status connect(const proto::KafkaInput& input) {
    auto client = producer(input, this);
    if (!client.ok()) return client.error();
    client_ = std::move(*client);
    const auto state = query_topic(client_.get(), topic_, kConnectMs);
    if (!state.ok()) return state.error();
    if (state->kind == TopicState::Kind::kFound) return {};
    return user_error("topic '" + topic_ + "' cannot be written: " + state->reason);
  }

  Status write(const Record& record) override {
    for (;;) {
      if (failed_ > 0) return failure();
      const auto error = produce(record);
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
      if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        return user_error("a record cannot be written to topic '" + topic_ +
                          "': " + rd_kafka_err2str(error));
      }
      client_->poll(kPollMs);
    }
    if (++written_ % kRecordsPerPoll == 0) client_->poll(0);
    return {};
  }

  Status flush() override {
    while (failed_ == 0 && rd_kafka_outq_len(client_->handle()) > 0) {
      rd_kafka_flush(client_->handle(), kPollMs);
    }
    return failed_ == 0 ? Status() : failure();
  }

  uint64_t delivered() const override { return delivered_; }
  uint64_t failed() const override { return failed_; }

 private:
  static constexpr uint64_t kRecordsPerPoll = 1000;

  rd_kafka_resp_err_t produce(const Record& record) {
    const int32_t partition =
        record.partition ? static_cast<int32_t>(*record.partition) : RD_KAFKA_PARTITION_UA;
    const char* key = record.has_key ? record.key.data() : nullptr;
    const char* value = record.has_value ? record.value.data() : nullptr;
    return rd_kafka_producev(
        client_->handle(), RD_KAFKA_V_RKT(client_->topic(topic_)), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(const_cast<char*>(key), record.has_key ? record.key.size() : 0),
        RD_KAFKA_V_VALUE(const_cast<char*>(value), record.has_value ? record.value.size() : 0),
        RD_KAFKA_V_TIMESTAMP(record.timestamp_ms), RD_KAFKA_V_END);
  }

  void delivered(const rd_kafka_message_t& message) override {
    if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      ++delivered_;
      return;
    }
    if (failed_++ == 0) first_failure_ = rd_kafka_err2str(message.err);
  }

  Error failure() const {
    const std::string heard = client_->trouble().reason;
    return retryable_error(std::to_string(failed_) + " records could not be written to topic '" +
                           topic_ + "': " + first_failure_ +
                           (heard.empty() ? "" : " (" + heard + ")"));
  }

  const std::string topic_;
  std::unique_ptr<KafkaClient> client_;
  uint64_t written_ = 0;
  // Deliveries are served where this thread polls or flushes.
  uint64_t delivered_ = 0;
  uint64_t failed_ = 0;
  std::string first_failure_;
};

}  // namespace

Result<bool> create_topic(const proto::KafkaInput& input, uint32_t partitions) {
  auto client = producer(input, nullptr);
  if (!client.ok()) return client.error();
  const auto state = query_topic(client->get(), input.topic(), kConnectMs);
  if (!state.ok()) return state.error();
  if (state->kind == TopicState::Kind::kFound) return false;
  std::array<char, 512> why{};
  const std::unique_ptr<rd_kafka_NewTopic_t, NewTopicDeleter> topic(rd_kafka_NewTopic_new(
      input.topic().c_str(), static_cast<int>(partitions), -1, why.data(), why.size()));
  if (topic == nullptr)
    return user_error(std::string("the topic cannot be created: ") + why.data());
  rd_kafka_NewTopic_set_config(topic.get(), "retention.ms", "-1");
  rd_kafka_t* handle = (*client)->handle();
  const std::unique_ptr<rd_kafka_AdminOptions_t, AdminOptionsDeleter> options(
      rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS));
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), kCreateMs, why.data(), why.size());
  const std::unique_ptr<rd_kafka_queue_t, QueueDeleter> queue(rd_kafka_queue_new(handle));
  rd_kafka_NewTopic_t* topics[] = {topic.get()};
  rd_kafka_CreateTopics(handle, topics, 1, options.get(), queue.get());
  const std::unique_ptr<rd_kafka_event_t, EventDeleter> event(
      rd_kafka_queue_poll(queue.get(), 2 * kCreateMs));
  if (event == nullptr) {
    return retryable_error("topic '" + input.topic() + "' cannot be created: no answer");
  }
  auto created = outcome_of(*event, input.topic());
  if (!created.ok()) return created;
  // Other brokers learn of it a little later.
  const int64_t deadline = kafka_clock_ms() + kCreateMs;
  for (;;) {
    const auto now = query_topic(client->get(), input.topic(), kConnectMs);
    if (!now.ok()) return now.error();
    if (now->kind == TopicState::Kind::kFound) return created;
    if (kafka_clock_ms() > deadline) {
      return retryable_error("topic '" + input.topic() +
                             "' was created but cannot be seen: " + now->reason);
    }
    (*client)->poll(kPollMs);
  }
}

Result<std::unique_ptr<KafkaRecordWriter>> KafkaRecordWriter::open(const proto::KafkaInput& input) {
  auto writer = std::make_unique<Writer>(input.topic());
  if (Status connected = writer->connect(input); !connected.ok()) return connected.error();
  return std::unique_ptr<KafkaRecordWriter>(std::move(writer));
}

}  // namespace tidemill
