#include "shared/kafka/topic_offsets.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "shared/kafka/topic_queries.h"

namespace tidemill {
namespace {

constexpr int kConnectMs = 5000;
constexpr int kQueryMs = 5000;
constexpr int kRetryMs = 50;

// A client for a few questions about one topic.
class TopicInquiry {
 public:
  static Result<TopicInquiry> connect(const proto::KafkaInput& input) {
    auto settings = expand_client_settings(input);
    if (!settings.ok()) return settings.error();
    auto client = KafkaClient::create(
        {.brokers = input.brokers(),
         .defaults = {{"client.id", "tidemill"}, {"reconnect.backoff.max.ms", "500"}},
         .users = std::move(*settings),
         .owned = {{"allow.auto.create.topics", "false"}}});
    if (!client.ok()) return client.error();
    TopicInquiry inquiry(input.topic(), std::move(*client));
    Status found = inquiry.find();
    if (!found.ok()) return found.error();
    return inquiry;
  }

  uint32_t partitions() const { return static_cast<uint32_t>(partitions_.size()); }

  // For each partition; -1 where a time was asked for and no record is that late. A topic that was
  // only just made has no leaders yet: asked again for a while.
  Result<std::vector<int64_t>> offsets(int64_t which) {
    const int64_t deadline = kafka_clock_ms() + kQueryMs;
    for (;;) {
      auto found = offsets_now(which);
      if (found.ok() || kafka_clock_ms() >= deadline) return found;
      client_->poll(kRetryMs);
    }
  }

 private:
  TopicInquiry(std::string topic, std::unique_ptr<KafkaClient> client)
      : topic_(std::move(topic)), client_(std::move(client)) {}

  Result<std::vector<int64_t>> offsets_now(int64_t which) {
    const auto answers = query_offsets(client_.get(), topic_, partitions_, which, kQueryMs);
    if (!answers.ok()) return answers.error().within("topic '" + topic_ + "'");
    std::vector<int64_t> offsets;
    for (size_t i = 0; i < answers->size(); ++i) {
      const OffsetAnswer& answer = (*answers)[i];
      if (!answer.error.empty()) {
        return retryable_error("topic '" + topic_ + "' partition " + std::to_string(i) + ": " +
                               answer.error);
      }
      offsets.push_back(answer.offset);
    }
    return offsets;
  }

  Status find() {
    const auto state = query_topic(client_.get(), topic_, kConnectMs);
    if (!state.ok()) return state.error();
    if (state->kind == TopicState::Kind::kMissing) {
      return user_error("there is no topic '" + topic_ + "': " + state->reason +
                        "; create it, or correct 'topic'");
    }
    if (state->kind == TopicState::Kind::kRefused) {
      return user_error("topic '" + topic_ + "' cannot be read: " + state->reason);
    }
    partitions_.resize(state->partitions);
    std::iota(partitions_.begin(), partitions_.end(), 0U);
    return {};
  }

  std::string topic_;
  std::unique_ptr<KafkaClient> client_;
  std::vector<uint32_t> partitions_;
};

// Of the first record whose timestamp is at or after `start_us`, of each partition.
Result<std::vector<int64_t>> offsets_at(TopicInquiry* inquiry, int64_t start_us) {
  // Up to the next millisecond: a record between would be too early.
  const int64_t start_ms = start_us / 1000 + (start_us % 1000 > 0 ? 1 : 0);
  auto found = inquiry->offsets(std::max<int64_t>(start_ms, 0));
  if (!found.ok()) return found;
  const auto ends = inquiry->offsets(kEndOffset);
  if (!ends.ok()) return ends;
  for (size_t i = 0; i < found->size(); ++i) {
    if ((*found)[i] < 0) (*found)[i] = (*ends)[i];
  }
  return found;
}

Result<std::vector<int64_t>> start_offsets(TopicInquiry* inquiry, const proto::KafkaInput& input) {
  switch (input.start()) {
    case proto::KafkaInput::EARLIEST:
      return inquiry->offsets(kFirstOffset);
    case proto::KafkaInput::LATEST:
      return inquiry->offsets(kEndOffset);
    case proto::KafkaInput::TIMESTAMP:
      return offsets_at(inquiry, input.start_time_us());
    default:
      return user_error("'start' is not set; it is earliest, latest or a time");
  }
}

}  // namespace

Result<std::vector<PartitionOffsets>> describe_topic(const proto::KafkaInput& input) {
  auto inquiry = TopicInquiry::connect(input);
  if (!inquiry.ok()) return inquiry.error();
  const auto low = inquiry->offsets(kFirstOffset);
  if (!low.ok()) return low.error();
  const auto high = inquiry->offsets(kEndOffset);
  if (!high.ok()) return high.error();
  std::vector<PartitionOffsets> partitions(inquiry->partitions());
  for (size_t i = 0; i < partitions.size(); ++i) {
    partitions[i] = {static_cast<uint64_t>((*low)[i]), static_cast<uint64_t>((*high)[i])};
  }
  return partitions;
}

Status bind_kafka_source(proto::Source* source) {
  proto::KafkaInput* input = source->mutable_kafka();
  auto inquiry = TopicInquiry::connect(*input);
  if (!inquiry.ok()) return inquiry.error();
  const auto offsets = start_offsets(&*inquiry, *input);
  if (!offsets.ok()) return offsets.error();
  input->clear_start_offsets();
  for (const int64_t offset : *offsets) {
    input->add_start_offsets(static_cast<uint64_t>(std::max<int64_t>(offset, 0)));
  }
  return {};
}

}  // namespace tidemill
