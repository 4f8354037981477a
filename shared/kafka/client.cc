#include "shared/kafka/client.h"

#include <array>
#include <future>
#include <thread>
#include <utility>

#include "shared/base/assert.h"
#include "shared/kafka/queue_bounds.h"
#include "shared/obs/log.h"

namespace tidemill {
namespace {

constexpr int kDestroyMs = 2000;

// Levels of syslog. An error of a broker or the network is no error of ours: a warning at most.
LogLevel level_of(int syslog_level) {
  constexpr int kWarning = 4;
  constexpr int kInfo = 6;
  if (syslog_level <= kWarning) return LogLevel::kWarning;
  return syslog_level <= kInfo ? LogLevel::kInfo : LogLevel::kDebug;
}

Status set_all(rd_kafka_conf_t* conf, const std::vector<KafkaSetting>& settings) {
  for (const auto& [name, value] : settings) {
    std::array<char, 512> why{};
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size()) !=
        RD_KAFKA_CONF_OK) {
      // Not what librdkafka says: it repeats the value, which may be a secret.
      return user_error("the Kafka client does not take the value of its setting '" + name + "'");
    }
  }
  return {};
}

}  // namespace

int64_t kafka_clock_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Result<std::unique_ptr<KafkaClient>> KafkaClient::create(const Config& config) {
  std::unique_ptr<KafkaClient> client(new KafkaClient(config));
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set_opaque(conf, client->heard_.get());
  rd_kafka_conf_set_log_cb(conf, &KafkaClient::on_log);
  rd_kafka_conf_set_error_cb(conf, &KafkaClient::on_error);
  if (config.producer) {
    rd_kafka_conf_set_dr_msg_cb(conf, &KafkaClient::on_delivery);
  } else {
    rd_kafka_conf_set_stats_cb(conf, &KafkaClient::on_statistics);
    rd_kafka_conf_set_offset_commit_cb(conf, &KafkaClient::on_commit);
  }
  for (const auto* settings : {&config.defaults, &config.users, &config.owned}) {
    if (Status set = set_all(conf, *settings); !set.ok()) {
      rd_kafka_conf_destroy(conf);
      return set.error();
    }
  }
  if (Status set = set_all(conf, {{"bootstrap.servers", config.brokers}}); !set.ok()) {
    rd_kafka_conf_destroy(conf);
    return set.error();
  }
  std::array<char, 512> why{};
  client->handle_ = rd_kafka_new(config.producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf,
                                 why.data(), why.size());
  if (client->handle_ == nullptr) {
    rd_kafka_conf_destroy(conf);
    return user_error(std::string("the Kafka client cannot be set up: ") + why.data());
  }
  return client;
}

KafkaClient::~KafkaClient() {
  if (topic_ != nullptr) rd_kafka_topic_destroy(topic_);
  if (handle_ == nullptr) return;
  rd_kafka_type(handle_) == RD_KAFKA_PRODUCER ? rd_kafka_destroy(handle_) : destroy_consumer();
}

// 2.0.2 may never return from destroying a consumer (#4527): then only a thread waits for it.
void KafkaClient::destroy_consumer() {
  auto destroyed = std::make_shared<std::promise<void>>();
  auto done = destroyed->get_future();
  std::thread([handle = handle_, heard = heard_, destroyed] {
    // No group was joined, so there is none to leave.
    rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    destroyed->set_value();
  }).detach();
  if (done.wait_for(std::chrono::milliseconds(kDestroyMs)) == std::future_status::ready) return;
  log_event(LogLevel::kWarning, "kafka_client_not_destroyed", {{"brokers", brokers_}});
}

rd_kafka_topic_t* KafkaClient::topic(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (topic_ == nullptr) topic_ = rd_kafka_topic_new(handle_, name.c_str(), nullptr);
  ASSERT(topic_ != nullptr && name == rd_kafka_topic_name(topic_));
  return topic_;
}

void KafkaClient::poll(int timeout_ms) { rd_kafka_poll(handle_, timeout_ms); }

KafkaClient::Trouble KafkaClient::trouble() const {
  const std::lock_guard lock(heard_->mutex);
  return heard_->trouble;
}

void KafkaClient::clear_trouble() {
  const std::lock_guard lock(heard_->mutex);
  heard_->trouble = {};
}

Error KafkaClient::unreachable(rd_kafka_resp_err_t error) const {
  const Trouble last = trouble();
  const std::string reason = last.reason.empty() ? rd_kafka_err2str(error) : last.reason;
  if (last.refused) {
    return retryable_error("the Kafka brokers " + brokers_ + " refuse the connection: " + reason +
                           "; check the security settings under 'client'");
  }
  return retryable_error("the Kafka brokers " + brokers_ + " cannot be reached: " + reason +
                         "; check that they run and that 'brokers' names them");
}

// Called from poll(). Gives the text back to librdkafka.
int KafkaClient::on_statistics(rd_kafka_t*, char* json, size_t length, void* opaque) {
  auto* self = static_cast<Heard*>(opaque);
  const std::lock_guard lock(self->mutex);
  self->queued.resize(queued_bytes({json, length}));
  return 0;
}

void KafkaClient::on_log(const rd_kafka_t* handle, int level, const char* facility,
                         const char* text) {
  auto* self = static_cast<Heard*>(rd_kafka_opaque(handle));
  uint64_t suppressed = 0;
  if (!self->log_limiter.pass(facility, kafka_clock_ms(), &suppressed)) return;
  log_event(level_of(level), "kafka_client",
            {{"client", rd_kafka_name(handle)},
             {"about", facility},
             {"text", text},
             {"left_out", suppressed}});
}

void KafkaClient::on_error(rd_kafka_t*, int error, const char* reason, void* opaque) {
  auto* self = static_cast<Heard*>(opaque);
  ++self->alarms;
  if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
      error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION) {
    ++self->missing_topic_events;
    return;
  }
  const std::lock_guard lock(self->mutex);
  const bool refused =
      error == RD_KAFKA_RESP_ERR__AUTHENTICATION || error == RD_KAFKA_RESP_ERR__SSL;
  // That all brokers are down follows from what was said of the last one, and says less.
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !self->trouble.reason.empty()) return;
  if (self->trouble.refused && !refused) return;
  self->trouble = {reason, refused};
}

void KafkaClient::on_commit(rd_kafka_t* handle, rd_kafka_resp_err_t error,
                            rd_kafka_topic_partition_list_t* offsets, void* opaque) {
  auto* self = static_cast<Heard*>(opaque);
  for (int i = 0; error == RD_KAFKA_RESP_ERR_NO_ERROR && offsets != nullptr && i < offsets->cnt;
       ++i) {
    error = offsets->elems[i].err;
  }
  uint64_t suppressed = 0;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR__NO_OFFSET) return;
  ++self->failed_commits;
  if (!self->log_limiter.pass("commit", kafka_clock_ms(), &suppressed)) return;
  log_event(LogLevel::kWarning, "kafka_commit_failed",
            {{"client", rd_kafka_name(handle)},
             {"reason", rd_kafka_err2str(error)},
             {"left_out", suppressed}});
}

void KafkaClient::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto* self = static_cast<Heard*>(opaque);
  if (self->deliveries != nullptr) self->deliveries->delivered(*message);
}

}  // namespace tidemill
