#include "shared/kafka/topic.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "shared/kafka/queue_bounds.h"
#include "shared/obs/log.h"

namespace tidemill {
namespace {

constexpr int kCycleMs = 1000;
constexpr int kSuspiciousCycleMs = 300;
constexpr int kQueryMs = 2000;
constexpr int kSinglePartitionMs = 500;
constexpr int kVerifyEveryMs = 2000;
constexpr int kCommitEveryMs = 1000;
constexpr int kConsumerLingerMs = 10'000;
// A new leader may not know for a moment how far the one before had got.
constexpr int64_t kConfirmOffsetsMs = 1500;
// Metadata may lack a topic for a moment, while a controller or leader changes.
constexpr int64_t kConfirmMissingMs = 3000;
// Reading goes on from what is queued; beyond this it says that it stands still.
constexpr int64_t kUnreachableMs = 2000;

constexpr int64_t kMessageBytesMax = 1'000'000;  // librdkafka's own default of message.max.bytes

std::vector<KafkaSetting> connection_defaults() {
  return {{"client.id", "tidemill"},
          {"reconnect.backoff.ms", "100"},
          {"reconnect.backoff.max.ms", "1000"},
          {"socket.timeout.ms", "10000"},
          {"socket.keepalive.enable", "true"},
          {"socket.nagle.disable", "true"},
          {"topic.metadata.refresh.interval.ms", "2000"},
          {"fetch.error.backoff.ms", "100"}};
}

// No offset is ever stored, committed or reset by the client itself.
std::vector<KafkaSetting> consumer_owned() {
  return {{"enable.auto.commit", "false"},
          {"enable.auto.offset.store", "false"},
          {"auto.offset.reset", "error"},
          {"enable.partition.eof", "true"},
          {"check.crcs", "true"},
          {"allow.auto.create.topics", "false"},
          // Else a lost connection would be no error.
          {"log.connection.close", "true"}};
}

// Memory is bounded by partition. A partition whose queue is full is asked for again when the
// broker's connection wakes up, so a fetch must not wait long for the others.
std::vector<KafkaSetting> consumer_defaults(int64_t partitions,
                                            const std::vector<KafkaSetting>& users) {
  std::vector<KafkaSetting> settings = connection_defaults();
  settings.emplace_back("fetch.wait.max.ms", "100");
  settings.emplace_back("statistics.interval.ms", "1000");  // of which the queues are accounted for
  int64_t message_bytes = kMessageBytesMax;
  for (const auto& [name, value] : users) {
    if (name != "message.max.bytes") continue;  // it is a number, or the client refuses it
    std::from_chars(value.data(), value.data() + value.size(), message_bytes);
  }
  for (KafkaSetting& setting : queue_settings(partitions, kafka_queues_bound(), message_bytes)) {
    settings.push_back(std::move(setting));
  }
  return settings;
}

std::vector<KafkaSetting> prober_owned(const std::string& group) {
  std::vector<KafkaSetting> settings = consumer_owned();
  settings.emplace_back("group.id", group);
  settings.emplace_back("fetch.wait.max.ms", "10");
  settings.emplace_back("max.partition.fetch.bytes", "65536");
  settings.emplace_back("queued.min.messages", "1");
  return settings;
}

}  // namespace

KafkaTopic::~KafkaTopic() = default;

Status KafkaTopic::connect() {
  auto settings = expand_client_settings(input_);
  if (!settings.ok()) return settings.error();
  settings_ = std::move(*settings);
  return make_prober();
}

Status KafkaTopic::make_prober() {
  auto prober = KafkaClient::create({.brokers = input_.brokers(),
                                     .defaults = connection_defaults(),
                                     .users = settings_,
                                     .owned = prober_owned(input_.group())});
  if (!prober.ok()) return prober.error();
  prober_ = std::move(*prober);
  return {};
}

// --- readers
// --------------------------------------------------------------------------------------

Result<std::shared_ptr<KafkaTopic::Watch>> KafkaTopic::watch(uint32_t partition, uint64_t offset,
                                                             const RecordIdentity& last,
                                                             int patience_ms) {
  auto watch = std::make_shared<Watch>();
  watch->position = {input_.topic(), partition, offset, last != RecordIdentity{}};
  watch->last = last;
  std::unique_lock lock(mutex_);
  const int64_t deadline = kafka_clock_ms() + patience_ms;
  watches_.insert(watch);
  idle_since_ms_ = 0;
  kicked_ = true;
  work_.notify_all();
  // While the brokers are away there is no use in waiting for each of many partitions.
  while (watch->cleared < watch->doubts && !watch->changed && !unreachable_) {
    const int64_t left = deadline - kafka_clock_ms();
    if (left <= 0) break;
    cycle_.wait_for(lock, std::chrono::milliseconds(left));
  }
  if (watch->cleared == watch->doubts) return watch;
  watches_.erase(watch);
  if (watch->changed) return *watch->changed;
  if (unreachable_) return *unreachable_;
  return retryable_error("partition " + std::to_string(partition) + " of topic '" + input_.topic() +
                         "' cannot be looked at yet" +
                         (watch->trouble.empty() ? "" : ": " + watch->trouble));
}

void KafkaTopic::unwatch(const std::shared_ptr<Watch>& watch) {
  const std::lock_guard lock(mutex_);
  watches_.erase(watch);
}

KafkaTopic::Sight KafkaTopic::look(Watch* watch, uint64_t offset, const RecordIdentity& last,
                                   bool doubt) {
  const std::lock_guard lock(mutex_);
  watch->position.offset = offset;
  watch->position.anything_read = watch->position.anything_read || last != RecordIdentity{};
  watch->last = last;
  if (doubt) {
    ++watch->doubts;
    kicked_ = true;
    work_.notify_all();
  }
  Sight sight;
  sight.error = watch->changed;
  if (!sight.error && unreachable_ && kafka_clock_ms() - unreachable_since_ms_ > kUnreachableMs) {
    sight.error = unreachable_;
  }
  sight.cleared = watch->cleared == watch->doubts;
  sight.high = watch->high;
  sight.sampled_ms = watch->sampled_ms;
  sight.watches = watches_.size();
  return sight;
}

Result<KafkaClient*> KafkaTopic::lease(uint32_t partition) {
  const std::lock_guard lock(consumers_mutex_);
  for (const auto& consumer : consumers_) {
    if (consumer->retired || !consumer->partitions.insert(partition).second) continue;
    return consumer->client.get();
  }
  auto client =
      KafkaClient::create({.brokers = input_.brokers(),
                           .defaults = consumer_defaults(input_.start_offsets_size(), settings_),
                           .users = settings_,
                           .owned = consumer_owned()});
  if (!client.ok()) return client.error();
  consumers_.push_back(std::make_unique<Consumer>());
  consumers_.back()->client = std::move(*client);
  consumers_.back()->partitions.insert(partition);
  return consumers_.back()->client.get();
}

void KafkaTopic::give_back(KafkaClient* client, uint32_t partition, bool stopped) {
  const std::lock_guard lock(consumers_mutex_);
  for (const auto& consumer : consumers_) {
    if (consumer->client.get() != client) continue;
    consumer->partitions.erase(partition);
    consumer->unused_since_ms = kafka_clock_ms();
    consumer->retired = consumer->retired || !stopped;
  }
}

bool KafkaTopic::gone(uint32_t partition) const {
  const std::lock_guard lock(mutex_);
  return missing_since_ms_ != 0 || (partitions_ != 0 && partition >= partitions_);
}

void KafkaTopic::commit(uint32_t partition, uint64_t offset) {
  const std::lock_guard lock(mutex_);
  to_commit_[partition] = offset;
}

uint32_t KafkaTopic::partitions() const {
  const std::lock_guard lock(mutex_);
  return partitions_;
}

// --- the topic's thread
// ---------------------------------------------------------------------------

bool KafkaTopic::wait() {
  std::unique_lock lock(mutex_);
  const bool suspicious = std::any_of(watches_.begin(), watches_.end(), [](const auto& watch) {
    return watch->suspect_since_ms != 0 || watch->cleared < watch->doubts;
  });
  work_.wait_for(lock, std::chrono::milliseconds(suspicious ? kSuspiciousCycleMs : kCycleMs),
                 [this] { return stopped_ || kicked_; });
  return !stopped_;
}

void KafkaTopic::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  work_.notify_all();
}

int64_t KafkaTopic::idle_ms(bool idle) {
  const std::lock_guard lock(mutex_);
  const int64_t now = kafka_clock_ms();
  if (!idle || idle_since_ms_ == 0) idle_since_ms_ = now;
  return now - idle_since_ms_;
}

void KafkaTopic::run_cycle() {
  bool away = false;
  const std::vector<Look> looks = begin_cycle(&away);
  // Whoever found the brokers away comes again, and asks whether they are still.
  if ((away || !looks.empty()) && check_topic(looks)) check_offsets(looks);
  send_commits();
  prober_->poll(0);
  forget_failed_commits();
  drop_unused_consumers();
  const std::lock_guard lock(mutex_);
  ++cycles_;
  cycle_.notify_all();
}

std::vector<KafkaTopic::Look> KafkaTopic::begin_cycle(bool* away) {
  const std::lock_guard lock(mutex_);
  *away = unreachable_.has_value();
  kicked_ = false;
  const int64_t now = kafka_clock_ms();
  std::vector<Look> looks;
  for (const auto& watch : watches_) {
    if (watch->changed) continue;
    const bool due = watch->cleared < watch->doubts || now - watch->verified_ms >= kVerifyEveryMs;
    looks.push_back({watch, watch->position, watch->last, watch->doubts,
                     due && watch->last != RecordIdentity{}});
  }
  return looks;
}

void KafkaTopic::cannot_look(const std::vector<Look>& looks, const Error& error) {
  const std::lock_guard lock(mutex_);
  if (unreachable_since_ms_ == 0) {
    unreachable_since_ms_ = kafka_clock_ms();
    log_event(LogLevel::kWarning, "kafka_unreachable",
              {{"topic", input_.topic()}, {"reason", error.message()}});
  }
  unreachable_ = error;
  for (const Look& look : looks) {
    look.watch->trouble = error.message();
    doubt(look.watch.get());
  }
}

// Until it has been looked at again nothing more is given.
void KafkaTopic::doubt(Watch* watch) {
  if (watch->cleared == watch->doubts) ++watch->doubts;
}

bool KafkaTopic::check_topic(const std::vector<Look>& looks) {
  const auto state = query_topic(prober_.get(), input_.topic(), kQueryMs);
  if (!state.ok()) {
    cannot_look(looks, state.error());
    return false;
  }
  if (state->kind == TopicState::Kind::kRefused) {
    cannot_look(looks,
                retryable_error("topic '" + input_.topic() + "' cannot be read: " + state->reason));
    return false;
  }
  const std::lock_guard lock(mutex_);
  if (unreachable_since_ms_ != 0) {
    log_event(LogLevel::kInfo, "kafka_reachable_again", {{"topic", input_.topic()}});
  }
  unreachable_since_ms_ = 0;
  unreachable_.reset();
  const bool found = state->kind == TopicState::Kind::kFound;
  const int64_t now = kafka_clock_ms();
  if (found) {
    missing_since_ms_ = 0;
    partitions_ = state->partitions;
    return true;
  }
  if (missing_since_ms_ == 0) missing_since_ms_ = now;
  for (const Look& look : looks) {
    look.watch->trouble = state->reason;
    look.watch->suspect_since_ms = missing_since_ms_;
    doubt(look.watch.get());
    if (now - missing_since_ms_ < kConfirmMissingMs) continue;
    look.watch->changed = source_changed_error(refuse_missing_topic(look.position));
  }
  return false;
}

void KafkaTopic::check_offsets(const std::vector<Look>& looks) {
  std::set<uint32_t> known;
  for (const Look& look : looks) {
    const std::lock_guard lock(mutex_);
    if (look.position.partition < partitions_) {
      known.insert(look.position.partition);
    } else {
      suspect(look.watch.get(), refuse_missing_partition(look.position, partitions_));
    }
  }
  const std::vector<uint32_t> partitions(known.begin(), known.end());
  auto low = query_offsets(prober_.get(), input_.topic(), partitions, kFirstOffset, kQueryMs);
  auto high = low.ok()
                  ? query_offsets(prober_.get(), input_.topic(), partitions, kEndOffset, kQueryMs)
                  : low;
  std::vector<OffsetAnswer> lows;
  std::vector<OffsetAnswer> highs;
  if (high.ok()) {
    lows = std::move(*low);
    highs = std::move(*high);
  } else {
    query_each(partitions, &lows, &highs);
  }
  for (const Look& look : looks) {
    const auto at = std::lower_bound(partitions.begin(), partitions.end(), look.position.partition);
    if (at == partitions.end() || *at != look.position.partition) continue;
    const auto i = static_cast<size_t>(at - partitions.begin());
    judge(look, lows[i], highs[i]);
  }
}

// A partition without a leader makes the question about all of them fail.
void KafkaTopic::query_each(const std::vector<uint32_t>& partitions, std::vector<OffsetAnswer>* low,
                            std::vector<OffsetAnswer>* high) {
  for (const uint32_t partition : partitions) {
    for (auto [which, answers] : {std::pair{kFirstOffset, low}, std::pair{kEndOffset, high}}) {
      const auto answer =
          query_offsets(prober_.get(), input_.topic(), {partition}, which, kSinglePartitionMs);
      answers->push_back(answer.ok() ? answer->front()
                                     : OffsetAnswer{-1, answer.error().message()});
    }
  }
}

void KafkaTopic::suspect(Watch* watch, const std::string& why) {
  const int64_t now = kafka_clock_ms();
  if (watch->suspect_since_ms == 0) watch->suspect_since_ms = now;
  doubt(watch);
  if (now - watch->suspect_since_ms >= kConfirmOffsetsMs) {
    watch->changed = source_changed_error(why);
  }
}

void KafkaTopic::judge(const Look& look, const OffsetAnswer& low, const OffsetAnswer& high) {
  {
    const std::lock_guard lock(mutex_);
    Watch& watch = *look.watch;
    watch.trouble = low.error.empty() ? high.error : low.error;
    if (low.offset < 0 || high.offset < 0) return;
    const std::string refused = refuse_offsets(look.position, static_cast<uint64_t>(low.offset),
                                               static_cast<uint64_t>(high.offset));
    if (!refused.empty()) return suspect(&watch, refused);
    watch.suspect_since_ms = 0;
    watch.low = static_cast<uint64_t>(low.offset);
    watch.high = static_cast<uint64_t>(high.offset);
    watch.sampled_ms = kafka_clock_ms();
    const bool gone = look.last.offset < watch.low;
    if (!look.verify || gone) {
      watch.cleared = look.doubts;
      return;
    }
  }
  verify(look);
}

// Where the topic went missing meanwhile the prober was left consuming the partition
// (topic_queries.cc); were it to begin there again, 2.0.2 would end the process.
void KafkaTopic::verify(const Look& look) {
  if (prober_spoilt_) {
    const Status renewed = make_prober();
    const std::lock_guard lock(mutex_);
    if (!renewed.ok()) {
      look.watch->trouble = renewed.error().message();
      return;
    }
    prober_spoilt_ = false;
    failed_commits_ = 0;
    committed_.clear();
  }
  const uint64_t missing_before = prober_->missing_topic_events();
  const auto found = query_record(prober_.get(), input_.topic(), look.position.partition,
                                  look.last.offset, kQueryMs);
  prober_spoilt_ = prober_->missing_topic_events() != missing_before;
  const std::lock_guard lock(mutex_);
  Watch& watch = *look.watch;
  if (!found.ok()) {
    watch.trouble = found.error().message();
    return;
  }
  // What was compacted away, or lies behind markers alone, proves nothing.
  if (found->has_value() && **found != look.last) {
    watch.changed = source_changed_error(refuse_record(look.position, look.last));
    return;
  }
  watch.verified_ms = kafka_clock_ms();
  watch.cleared = look.doubts;
}

void KafkaTopic::send_commits() {
  const int64_t now = kafka_clock_ms();
  std::map<uint32_t, uint64_t> changed;
  {
    const std::lock_guard lock(mutex_);
    if (input_.group().empty() || unreachable_ || now < commit_at_ms_) return;
    for (const auto& [partition, offset] : std::exchange(to_commit_, {})) {
      const auto known = committed_.find(partition);
      if (known == committed_.end() || known->second != offset) changed[partition] = offset;
    }
    if (changed.empty()) return;
    commit_at_ms_ = now + kCommitEveryMs;
  }
  const KafkaOffsetList list(rd_kafka_topic_partition_list_new(static_cast<int>(changed.size())));
  for (const auto& [partition, offset] : changed) {
    rd_kafka_topic_partition_list_add(list.get(), input_.topic().c_str(),
                                      static_cast<int32_t>(partition))
        ->offset = static_cast<int64_t>(offset);
  }
  // What becomes of it is heard in the next cycles.
  if (rd_kafka_commit(prober_->handle(), list.get(), 1) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const std::lock_guard lock(mutex_);
  for (const auto& [partition, offset] : changed) committed_[partition] = offset;
}

// What was not committed is committed when its reader says it again: it is not kept here, as by
// then another process may have read and committed further.
void KafkaTopic::forget_failed_commits() {
  const uint64_t failed = prober_->failed_commits();
  if (failed == failed_commits_) return;
  failed_commits_ = failed;
  committed_.clear();
}

void KafkaTopic::drop_unused_consumers() {
  std::vector<std::unique_ptr<Consumer>> unused;
  const std::lock_guard lock(consumers_mutex_);
  const int64_t now = kafka_clock_ms();
  for (auto it = consumers_.begin(); it != consumers_.end();) {
    (*it)->client->poll(0);
    const bool old = (*it)->retired || now - (*it)->unused_since_ms > kConsumerLingerMs;
    if ((*it)->partitions.empty() && old) {
      unused.push_back(std::move(*it));
      it = consumers_.erase(it);
    } else {
      ++it;
    }
  }
}

}  // namespace tidemill
