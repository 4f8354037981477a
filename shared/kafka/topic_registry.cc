// The topics that this process reads, and their threads.
#include <algorithm>
#include <thread>

#include "shared/kafka/topic.h"

namespace tidemill {
namespace {

constexpr int64_t kLingerMs = 10'000;

class TopicRegistry {
 public:
  TopicRegistry() = default;
  TopicRegistry(const TopicRegistry&) = delete;
  TopicRegistry& operator=(const TopicRegistry&) = delete;
  ~TopicRegistry() {
    std::map<std::string, Entry> entries;
    {
      const std::lock_guard lock(mutex_);
      entries.swap(entries_);
    }
    for (auto& [key, entry] : entries) entry.topic->stop();
    for (auto& [key, entry] : entries) entry.thread.join();
    reap();
  }

  Result<std::shared_ptr<KafkaTopic>> get(const proto::KafkaInput& input) {
    reap();
    const std::string key = key_of(input);
    const std::lock_guard lock(mutex_);
    if (const auto found = entries_.find(key); found != entries_.end()) return found->second.topic;
    auto topic = std::make_shared<KafkaTopic>(input);
    if (Status connected = topic->connect(); !connected.ok()) return connected.error();
    Entry& entry = entries_[key];
    entry.topic = topic;
    entry.thread = std::thread([this, key, topic] { run(key, topic); });
    return topic;
  }

 private:
  struct Entry {
    std::shared_ptr<KafkaTopic> topic;
    std::thread thread;
  };
  // The registry's, its thread's closure and the thread's argument.
  static constexpr long kOwnReferences = 2;

  static std::string key_of(const proto::KafkaInput& input) {
    const std::map<std::string, std::string> client(input.client().begin(), input.client().end());
    std::string key;
    const auto add = [&key](const std::string& part) {
      key += std::to_string(part.size()) + ":" + part;
    };
    for (const auto* part : {&input.brokers(), &input.topic(), &input.group()}) add(*part);
    for (const auto& [name, value] : client) {
      add(name);
      add(value);
    }
    return key;
  }

  void run(const std::string& key, const std::shared_ptr<KafkaTopic>& topic) {
    while (topic->wait()) {
      topic->run_cycle();
      const std::lock_guard lock(mutex_);
      const auto entry = entries_.find(key);
      if (entry == entries_.end()) return;  // the registry ends
      if (topic->idle_ms(topic.use_count() <= kOwnReferences) < kLingerMs) continue;
      ended_.push_back(std::move(entry->second.thread));
      entries_.erase(entry);
      return;
    }
  }

  void reap() {
    std::vector<std::thread> ended;
    {
      const std::lock_guard lock(mutex_);
      ended.swap(ended_);
    }
    for (std::thread& thread : ended) thread.join();
  }

  std::mutex mutex_;
  std::map<std::string, Entry> entries_;
  std::vector<std::thread> ended_;  // left alone by their threads
};

}  // namespace

Result<std::shared_ptr<KafkaTopic>> KafkaTopic::get(const proto::KafkaInput& input) {
  static TopicRegistry registry;
  return registry.get(input);
}

}  // namespace tidemill
