// KafkaClient: one handle of librdkafka: a main thread, and a thread and connection for each broker
// it talks to. For this module alone: other headers of it do not show librdkafka.
//
// thread-safe. Destroying it may block for some seconds. Before, whatever was consumed with it must
// have been freed.
#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "shared/base/memory_account.h"
#include "shared/base/result.h"
#include "shared/kafka/client_settings.h"
#include "shared/kafka/log_limiter.h"

namespace tidemill {

// A monotonic clock, in milliseconds.
int64_t kafka_clock_ms();

class KafkaClient {
 public:
  // Counts what becomes of produced records. Called from poll(), or where librdkafka blocks.
  class Deliveries {
   public:
    virtual ~Deliveries() = default;
    virtual void delivered(const rd_kafka_message_t& message) = 0;
  };
  struct Config {
    std::string brokers;
    bool producer = false;
    std::vector<KafkaSetting> defaults = {};  // the user's settings go over these
    std::vector<KafkaSetting> users = {};
    std::vector<KafkaSetting> owned = {};  // and these over all
    Deliveries* deliveries = nullptr;      // outlives the client
  };

  static Result<std::unique_ptr<KafkaClient>> create(const Config& config);
  ~KafkaClient();
  KafkaClient(const KafkaClient&) = delete;
  KafkaClient& operator=(const KafkaClient&) = delete;

  rd_kafka_t* handle() const { return handle_; }
  // The topic's object, made at its first use. One topic a client.
  rd_kafka_topic_t* topic(const std::string& name);
  // Serves what librdkafka has to say: errors, deliveries, outcomes of commits.
  void poll(int timeout_ms);

  // What was heard last of the brokers, for people; empty if nothing bad since the last success.
  struct Trouble {
    std::string reason;
    bool refused = false;  // credentials or certificates: waiting does not help
  };
  Trouble trouble() const;
  void clear_trouble();
  // How often it was told that the topic, or a partition of it, is not there.
  uint64_t missing_topic_events() const { return heard_->missing_topic_events; }
  // How many errors there were, of any kind.
  uint64_t alarms() const { return heard_->alarms; }
  // How many commits the brokers refused, or did not answer.
  uint64_t failed_commits() const { return heard_->failed_commits; }
  // An error in which the brokers were not reached: what was heard, else what `error` means.
  Error unreachable(rd_kafka_resp_err_t error) const;

 private:
  // What librdkafka's threads call into; outlives the client, if destroying the handle takes long.
  struct Heard {
    Deliveries* deliveries = nullptr;
    KafkaLogLimiter log_limiter;
    std::mutex mutex;
    Trouble trouble;
    std::atomic<uint64_t> missing_topic_events = 0;
    std::atomic<uint64_t> alarms = 0;
    std::atomic<uint64_t> failed_commits = 0;
    HeldMemory queued{MemoryConsumer::kKafka};  // under the mutex
  };

  explicit KafkaClient(const Config& config)
      : brokers_(config.brokers), heard_(std::make_shared<Heard>()) {
    heard_->deliveries = config.deliveries;
  }

  static int on_statistics(rd_kafka_t* handle, char* json, size_t length, void* heard);
  static void on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text);
  static void on_error(rd_kafka_t* handle, int error, const char* reason, void* heard);
  static void on_commit(rd_kafka_t* handle, rd_kafka_resp_err_t error,
                        rd_kafka_topic_partition_list_t* offsets, void* heard);
  static void on_delivery(rd_kafka_t* handle, const rd_kafka_message_t* message, void* heard);
  void destroy_consumer();

  const std::string brokers_;
  const std::shared_ptr<Heard> heard_;
  rd_kafka_t* handle_ = nullptr;
  std::mutex mutex_;
  rd_kafka_topic_t* topic_ = nullptr;
};

struct KafkaMessageDeleter {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
using KafkaMessage = std::unique_ptr<rd_kafka_message_t, KafkaMessageDeleter>;

struct KafkaOffsetListDeleter {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
using KafkaOffsetList = std::unique_ptr<rd_kafka_topic_partition_list_t, KafkaOffsetListDeleter>;

}  // namespace tidemill
