#include "shared/kafka/topic_queries.h"

#include <algorithm>
#include <string>

#include "shared/base/bytes.h"
#include "shared/base/hash.h"

namespace tidemill {
namespace {

constexpr int64_t kFirstSliceMs = 250;  // a refusal is noticed after this much
constexpr size_t kHashedValueBytes = 256;

struct MetadataDeleter {
  void operator()(const rd_kafka_metadata_t* metadata) const {
    rd_kafka_metadata_destroy(metadata);
  }
};
using Metadata = std::unique_ptr<const rd_kafka_metadata_t, MetadataDeleter>;

TopicState state_of(const rd_kafka_metadata_topic_t& topic) {
  switch (topic.err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
      if (topic.partition_cnt > 0) {
        return {TopicState::Kind::kFound, static_cast<uint32_t>(topic.partition_cnt), {}};
      }
      return {TopicState::Kind::kMissing, 0, "it has no partitions"};
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      return {TopicState::Kind::kMissing, 0, "the brokers do not know it"};
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return {TopicState::Kind::kRefused, 0,
              "the brokers do not let this user read it; give the user READ and DESCRIBE on it"};
    default:
      return {TopicState::Kind::kRefused, 0, rd_kafka_err2str(topic.err)};
  }
}

rd_kafka_resp_err_t fetch_metadata(KafkaClient* client, const std::string& topic, int timeout_ms,
                                   Metadata* metadata) {
  const int64_t deadline = kafka_clock_ms() + timeout_ms;
  for (int64_t slice_ms = kFirstSliceMs;; slice_ms *= 2) {  // an answer may be slow
    const int64_t left = deadline - kafka_clock_ms();
    if (left <= 0) return RD_KAFKA_RESP_ERR__TIMED_OUT;
    const rd_kafka_metadata_t* got = nullptr;
    const auto error = rd_kafka_metadata(client->handle(), 0, client->topic(topic), &got,
                                         static_cast<int>(std::min(left, slice_ms)));
    client->poll(0);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      metadata->reset(got);
      return error;
    }
    if (error != RD_KAFKA_RESP_ERR__TRANSPORT && error != RD_KAFKA_RESP_ERR__TIMED_OUT) {
      return error;
    }
    if (client->trouble().refused) return error;
  }
}

// The next message or error, null after the timeout. Not rd_kafka_consume: it also returns the
// markers of transactions (2.0.2), the batch call does not.
KafkaMessage consume_one(rd_kafka_topic_t* topic, int32_t partition, int timeout_ms) {
  rd_kafka_message_t* message = nullptr;
  rd_kafka_consume_batch(topic, partition, timeout_ms, &message, 1);
  return KafkaMessage(message);
}

// Stops consuming at the end of the scope, and drops what was fetched.
class Consuming {
 public:
  Consuming(KafkaClient* client, rd_kafka_topic_t* topic, int32_t partition)
      : client_(client),
        events_(client->missing_topic_events()),
        topic_(topic),
        partition_(partition) {}
  Consuming(const Consuming&) = delete;
  Consuming& operator=(const Consuming&) = delete;
  ~Consuming() {
    // One that is gone is left alone: after stopping it, 2.0.2 cannot destroy the client.
    if (client_->missing_topic_events() != events_) return;
    rd_kafka_consume_stop(topic_, partition_);
    consume_one(topic_, partition_, 0);
  }

 private:
  KafkaClient* client_;
  uint64_t events_;
  rd_kafka_topic_t* topic_;
  int32_t partition_;
};

}  // namespace

Result<TopicState> query_topic(KafkaClient* client, const std::string& topic, int timeout_ms) {
  Metadata metadata;
  const auto error = fetch_metadata(client, topic, timeout_ms, &metadata);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return client->unreachable(error);
  client->clear_trouble();
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    if (metadata->topics[i].topic == topic) return state_of(metadata->topics[i]);
  }
  return TopicState{TopicState::Kind::kMissing, 0, "the brokers do not know it"};
}

Result<std::vector<OffsetAnswer>> query_offsets(KafkaClient* client, const std::string& topic,
                                                const std::vector<uint32_t>& partitions,
                                                int64_t which, int timeout_ms) {
  std::vector<OffsetAnswer> answers;
  if (partitions.empty()) return answers;
  const KafkaOffsetList list(
      rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const uint32_t partition : partitions) {
    auto* entry = rd_kafka_topic_partition_list_add(list.get(), topic.c_str(),
                                                    static_cast<int32_t>(partition));
    entry->offset = which;
  }
  const auto error = rd_kafka_offsets_for_times(client->handle(), list.get(), timeout_ms);
  client->poll(0);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return retryable_error(std::string("the offsets of the topic cannot be had: ") +
                           rd_kafka_err2str(error));
  }
  for (const uint32_t partition : partitions) {
    const auto* entry = rd_kafka_topic_partition_list_find(list.get(), topic.c_str(),
                                                           static_cast<int32_t>(partition));
    OffsetAnswer answer;
    if (entry->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      answer.error = rd_kafka_err2str(entry->err);
    } else if (entry->offset >= 0) {
      answer.offset = entry->offset;
    }
    answers.push_back(std::move(answer));
  }
  return answers;
}

RecordIdentity identity_of(const rd_kafka_message_t& message) {
  const auto* key = static_cast<const char*>(message.key);
  const auto* value = static_cast<const char*>(message.payload);
  rd_kafka_timestamp_type_t type{};
  ByteWriter writer;
  writer.put(rd_kafka_message_timestamp(&message, &type));
  writer.put(key == nullptr ? UINT64_MAX : uint64_t{message.key_len});
  writer.put(value == nullptr ? UINT64_MAX : uint64_t{message.len});
  std::string text(writer.bytes().begin(), writer.bytes().end());
  if (key != nullptr) text.append(key, message.key_len);
  if (value != nullptr) text.append(value, std::min(message.len, kHashedValueBytes));
  return {static_cast<uint64_t>(message.offset), hash_bytes(text, 0)};
}

Result<std::optional<RecordIdentity>> query_record(KafkaClient* client, const std::string& topic,
                                                   uint32_t partition, uint64_t offset,
                                                   int timeout_ms) {
  rd_kafka_topic_t* handle = client->topic(topic);
  const auto number = static_cast<int32_t>(partition);
  if (rd_kafka_consume_start(handle, number, static_cast<int64_t>(offset)) != 0) {
    return retryable_error(rd_kafka_err2str(rd_kafka_last_error()));
  }
  const Consuming consuming(client, handle, number);
  const int64_t deadline = kafka_clock_ms() + timeout_ms;
  for (;;) {
    const int64_t left = deadline - kafka_clock_ms();
    if (left <= 0) return retryable_error("no answer from the broker that leads the partition");
    const KafkaMessage message = consume_one(handle, number, static_cast<int>(left));
    if (message == nullptr) continue;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return std::optional<RecordIdentity>();
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return retryable_error(rd_kafka_message_errstr(message.get()));
    }
    const RecordIdentity found = identity_of(*message);
    if (found.offset != offset) return std::optional<RecordIdentity>();
    return std::optional<RecordIdentity>(found);
  }
}

}  // namespace tidemill
