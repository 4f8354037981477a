// KafkaTopic: one topic as this process sees it. All its read positions share connections and
// threads: a consuming client holds every partition at most once, so there are as many as one
// partition has read positions at a time. A thread of the topic's own asks the brokers about once a
// second where the partitions begin and end and whether the last record read is still the same, so
// that reading never waits for an answer; and commits to the consumer group.
//
// thread-safe. Lives for a while after its last use, so that who tries again finds it connected.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/columns/column.h"
#include "shared/kafka/client.h"
#include "shared/kafka/log_checks.h"
#include "shared/kafka/topic_queries.h"

namespace tidemill {

class KafkaTopic {
 public:
  // A read position, as the topic's thread watches it. Members are the topic's.
  struct Watch {
    LogPosition position;
    RecordIdentity last;
    // Reasons to look again, counted; reading waits until `cleared` has caught up.
    uint64_t doubts = 1;
    uint64_t cleared = 0;
    uint64_t low = 0;
    uint64_t high = 0;       // as the brokers said at sampled_ms, before which nothing is known
    int64_t sampled_ms = 0;  // 0: never
    int64_t verified_ms = 0;
    int64_t suspect_since_ms = 0;  // 0: nothing is wrong
    std::string trouble;           // why it cannot be looked at; empty if it was
    std::optional<Error> changed;  // for good
  };
  // What a reader is told. Times are of kafka_clock_ms().
  struct Sight {
    std::optional<Error> error;  // reading ends
    bool cleared = false;        // no doubt is open
    uint64_t high = 0;
    int64_t sampled_ms = 0;
    size_t watches = 1;  // read positions of the topic in this process
  };

  // The topic of `input` in this process; its start and offsets play no part.
  static Result<std::shared_ptr<KafkaTopic>> get(const proto::KafkaInput& input);
  explicit KafkaTopic(const proto::KafkaInput& input) : input_(input) {}
  ~KafkaTopic();

  const std::string& name() const { return input_.topic(); }

  // Watches a position from now on, first of all whether it is there: waits for that for
  // `patience_ms`. Errors: kSourceChanged, or it cannot be said now.
  Result<std::shared_ptr<Watch>> watch(uint32_t partition, uint64_t offset,
                                       const RecordIdentity& last, int patience_ms);
  void unwatch(const std::shared_ptr<Watch>& watch);
  // Says where reading is now, and whether something seems wrong.
  Sight look(Watch* watch, uint64_t offset, const RecordIdentity& last, bool doubt);

  // A client with which nobody consumes the partition, until it is given back: `stopped`, or to be
  // destroyed once nobody uses it.
  Result<KafkaClient*> lease(uint32_t partition);
  void give_back(KafkaClient* client, uint32_t partition, bool stopped);
  // The brokers have said that the partition is not there, and not yet that it is again.
  bool gone(uint32_t partition) const;

  // Progress of the consumer group: the next commit takes it along.
  void commit(uint32_t partition, uint64_t offset);
  uint32_t partitions() const;

  // The life of the topic's thread; the registry's.
  Status connect();
  void run_cycle();
  // Waits for the next cycle; false once stopped.
  bool wait();
  void stop();
  // How long nobody has used it; `idle` says whether nobody does.
  int64_t idle_ms(bool idle);

 private:
  struct Consumer {
    std::unique_ptr<KafkaClient> client;
    std::set<uint32_t> partitions;
    int64_t unused_since_ms = 0;
    bool retired = false;  // no new partitions
  };
  // A watch at the beginning of a cycle.
  struct Look {
    std::shared_ptr<Watch> watch;
    LogPosition position;
    RecordIdentity last;
    uint64_t doubts = 0;
    bool verify = false;
  };

  Status make_prober();
  std::vector<Look> begin_cycle(bool* away);
  bool check_topic(const std::vector<Look>& looks);
  void check_offsets(const std::vector<Look>& looks);
  void query_each(const std::vector<uint32_t>& partitions, std::vector<OffsetAnswer>* low,
                  std::vector<OffsetAnswer>* high);
  void judge(const Look& look, const OffsetAnswer& low, const OffsetAnswer& high);
  void verify(const Look& look);
  // The fault has been there since `*since_ms`: for good, if long enough.
  void suspect(Watch* watch, const std::string& why);
  static void doubt(Watch* watch);
  void cannot_look(const std::vector<Look>& looks, const Error& error);
  void send_commits();
  void forget_failed_commits();
  void drop_unused_consumers();

  const proto::KafkaInput input_;
  std::vector<KafkaSetting> settings_;
  // The topic's thread's own.
  std::unique_ptr<KafkaClient> prober_;
  bool prober_spoilt_ = false;

  mutable std::mutex mutex_;
  std::condition_variable work_;   // for the topic's thread
  std::condition_variable cycle_;  // ended
  bool stopped_ = false;
  bool kicked_ = false;
  uint64_t cycles_ = 0;
  int64_t unreachable_since_ms_ = 0;  // 0: the brokers answer
  std::optional<Error> unreachable_;
  int64_t missing_since_ms_ = 0;
  int64_t idle_since_ms_ = 0;
  uint32_t partitions_ = 0;
  std::set<std::shared_ptr<Watch>> watches_;
  std::map<uint32_t, uint64_t> to_commit_;
  std::map<uint32_t, uint64_t> committed_;  // as far as is known
  uint64_t failed_commits_ = 0;             // that were heard of
  int64_t commit_at_ms_ = 0;

  std::mutex consumers_mutex_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
};

}  // namespace tidemill
