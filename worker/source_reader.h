// SourceReader: reads one source partition under one grant and forwards its rows to key partitions
// by session.
//
// Two read positions: the main one, which most sessions follow, and at most one catch-up read for
// sessions that opened behind it. A session gets each record exactly once, because a read forwards
// to it only what lies at or past its position. When the catch-up read reaches the main position
// its sessions join the main read. A link without credit makes a read wait if it carries more than
// a quarter of the read's sessions; otherwise its sessions are closed, and catch up later.
// A read that nobody follows any more ends, and starts again where sessions stand.
//
// No part of a session reaches across one of its cuts: loads end at the least cut before their
// sessions. A batch that was loaded before such a session came does not go to it; that session
// catches up.
//
// Dead letters are written by the main read, before its batch is forwarded: what lies before its
// start has been marked, and so written, by an earlier epoch.
//
// shard-affine: part of the ReaderHost actor.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proto/control.pb.h"
#include "shared/member/cluster_view.h"
#include "shared/runtime/runtime.h"
#include "shared/wire/link.h"
#include "shared/wire/source_batch.h"
#include "worker/applied_offset.h"
#include "worker/config.h"
#include "worker/memory_bounds.h"
#include "worker/reader_session.h"
#include "worker/source_load.h"

namespace tidemill {

class SourceReader {
 public:
  SourceReader(Runtime& runtime, ActorId self, const WorkerConfig& config, JobId job,
               std::shared_ptr<const Plan> plan, SourcePartitionId source, Epoch epoch,
               std::shared_ptr<DeadLetterStorage> dead_letters);
  // Before it is dropped while the process goes on.
  void close();

  void on_open(const ActorAddress& from, const OpenSessions& message);
  void on_ack(const ActorAddress& from, const BatchAck& message);
  void on_loaded(std::unique_ptr<BatchLoaded> loaded);
  // Regularly: marks on silent links, stalled links, pacing, retries after an error.
  void on_tick();
  // The plan has grown, knows more of its files, or has other views: what is read from now on is
  // evaluated by it.
  void set_plan(std::shared_ptr<const Plan> plan);
  // Closes what went to nodes that are gone. `credit_bytes`: of each link, from now on. `bounds`:
  // of each batch.
  void on_view(const ClusterState& view, int64_t credit_bytes, const ReadBounds& bounds);

  Epoch epoch() const { return epoch_; }
  proto::ReaderReport report() const;
  void add_costs(proto::JobReport* report) const;

 private:
  using Session = ReaderSession;
  struct Read {
    bool active = false;
    bool loading = false;
    uint64_t generation = 0;
    SourcePosition position;  // everything below has been forwarded to this read's sessions
    std::unique_ptr<BatchLoader> loader;
    bool outdated = false;               // the loader is of a former revision of the plan
    std::unique_ptr<LoadedBatch> ready;  // loaded, not yet sent
    std::unique_ptr<LoadedBatch> spare;
    int64_t retry_at_us = 0;
    std::string error;  // of the last load; empty if it succeeded
  };
  // Sessions by (host, key partition), so that a message's parts lie together.
  using SessionsOfLink = std::map<KeyPartitionId, Session>;

  Session* find(KeyPartitionId k);
  void open(const ActorAddress& from, const OpenSessions::Session& asked);
  bool all_open() const;
  void start_main_if_ready();
  void start_catch_up_if_needed();
  void restart(Read* read, const SourcePosition& from);
  void pump();
  uint64_t load_until(const Read& read) const;
  void load(Read* read);
  void on_failed(Read* read, const BatchLoaded& loaded);
  void count(const BatchLoaded& loaded);
  void note_idleness(const LoadedBatch& batch);
  bool idle() const;
  // Up to where everything that was read has been applied; 0: not known now.
  uint64_t applied_offset() const;
  bool takes_part(const Read& read, const LoadedBatch& batch, const Session& s) const;
  void leave_behind();
  bool may_send(Read* read);
  void end(Read* read);
  bool due(const Read& read);
  void adapt_pace(const LoadedBatch& batch);
  void send(Read* read);
  void send_to(const ActorAddress& host, const Read& read, const LoadedBatch& batch);
  void send_mark(const ActorAddress& host);
  void join_main();
  void close_sessions(const ActorAddress& host, bool catching_up);
  void close_all_sessions(const ActorAddress& host);
  size_t open_sessions() const;

  Runtime& runtime_;
  ActorId self_;
  const WorkerConfig& config_;
  JobId job_;
  std::shared_ptr<const Plan> plan_;
  SourcePartitionId source_;
  Epoch epoch_;
  ReadBounds bounds_;
  double replay_speed_ = 0;
  bool follow_ = false;  // a finished file is looked at now and then: it may have grown

  struct LastOpened {
    ActorAddress host;
    uint64_t id = 0;
  };
  std::vector<Epoch> registered_;  // greatest epoch seen, by key partition
  std::vector<LastOpened> last_opened_;
  std::vector<NodeId> owners_;  // by key partition, as of the view; node 0: nobody
  std::map<ActorAddress, SessionsOfLink> sessions_;
  std::map<ActorAddress, SendLink> links_;
  int64_t credit_bytes_ = 0;
  Read main_;
  Read catch_up_;
  int64_t first_open_us_ = -1;
  int64_t pace_start_us_ = -1;  // monotonic time and event time at which pacing began
  TimeUs pace_event_time_ = 0;
  size_t paced_records_ = 64;
  std::shared_ptr<ReaderDeadLetters> dead_letters_;
  AppliedOffset applied_;
  int64_t at_end_since_us_ = -1;  // the main read has stood at the log's end since; -1: it does not
  int64_t at_end_seen_us_ = 0;    // when the log was last asked
  uint64_t records_ = 0;
  uint64_t null_keys_ = 0;
  uint64_t tombstones_ = 0;
  SourceCursor::LogInfo log_;
  std::optional<DeadLetterCounts> dead_letter_counts_;  // nothing until a load has read them
  StageCost read_cost_, evaluate_cost_, scatter_cost_;
  std::vector<std::string> bad_samples_;
  std::string changed_;  // how the log is not the one read before; nothing is read any more
};

}  // namespace tidemill
