// ReplicaSet: the replicas of one shard and the disks that they are kept on: opens and restores
// them, writes increments, evicts keys that are on disk when memory is short, brings keys back for
// reads, and warms up what a restart has left on disk.
//
// All work on a disk runs on the blocking pool, on the lane of its key partition. A disk that fails
// stops nothing: the replica goes on in memory, and the write is tried again.
//
// shard-affine: part of the StoreShard actor.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "serving/config.h"
#include "serving/replica.h"
#include "shared/member/cluster_view.h"
#include "shared/member/memory_watch.h"
#include "shared/runtime/runtime.h"
#include "shared/snapshot/snapshots.h"
#include "shared/wire/take_over.h"

namespace tidemill {

struct ReplicaId {
  JobId job;
  KeyPartitionId key_partition;
  friend auto operator<=>(const ReplicaId&, const ReplicaId&) = default;
};

// An owner wants to begin with a replica's state.
struct HandOver {
  ActorAddress owner;
  Epoch epoch;  // of its grant, which is registered
  Stamp stamp;  // of the state that it wants
  bool uploading = false;
};

// Keys are being read from a replica's disk.
struct KeyRead {
  int64_t since_us = 0;     // the read before it was over by then
  uint64_t from_bytes = 0;  // it finds the changes that had come until then, in bytes
};

// A replica with its disk.
struct HeldReplica {
  ReplicaId id;
  uint64_t generation = 0;  // tells it from one of the same id before
  TableSchemas tables;
  std::unique_ptr<Replica> replica;
  std::shared_ptr<PartitionDisk> disk;  // null: not open, or not to be opened now
  bool opened = false;                  // what the disk held is restored, or cannot be had
  bool opening = false;
  int64_t next_open_us = 0;
  int64_t next_write_us = 0;
  uint64_t disk_rows = 0;
  std::deque<KeyRead> reads;  // one after another
  std::optional<HandOver> hand_over;
  BufferArena changes;  // those that are not on disk yet, if there is a memory budget
};

class ReplicaSet {
 public:
  struct Counts {
    uint64_t cold_reads = 0;
    uint64_t increments = 0;
    uint64_t failed_increments = 0;
  };

  ReplicaSet(Runtime& runtime, ActorId actor, uint16_t shards, const StoreConfig& config,
             StoreResources resources);
  ~ReplicaSet();

  void set_view(const ClusterState& view);
  // Null: there is none. It answers owners once it is opened.
  HeldReplica* find(ReplicaId id);
  const std::map<ReplicaId, HeldReplica>& all() const { return held_; }
  // Before a part of a message is applied. With a memory budget it gets bytes of its own, since a
  // slice keeps all of the message; and what it brings may have to stay out of memory.
  void prepare(HeldReplica* held, FramePart* part);
  // After a message: makes room if there is none.
  void applied();

  // Brings keys of one replica into memory, or finds that they are nowhere, and calls `done` in
  // that turn, when all of them are there, with null if that cannot be had (now): the keys are then
  // not to be answered.
  using Loaded = std::function<void(const HeldReplica* held)>;
  void load(ReplicaId id, std::vector<StateKey> keys, Loaded done);
  // Some keys of a table that are on disk.
  using Sampled = std::function<void(std::vector<std::string> keys)>;
  void sample(ReplicaId id, uint16_t table, size_t limit, Sampled done);

  // An owner wants this replica's state in snapshot storage; it is answered as it goes on.
  void hand_over(HeldReplica* held, const ActorAddress& owner, const StateWanted& wanted);

  // What came back from the blocking pool; false if it is not of here.
  bool receive(LocalPayload* payload);
  // What is due. Returns in how many microseconds to come again.
  int64_t tick();

  // What was held on disk when the process began can be read again, and stays so.
  bool ready();
  Counts counts_of(JobId job) const;
  // Nothing further is to come for now. More is accounted for than may be: what comes next has no
  // room until increments are written. Or keys are being read for long (a hot one is large), and
  // what has come meanwhile is applied together with them, in one turn.
  bool wants_no_more();
  uint64_t accounted_bytes() const;  // of states, of what is not on disk yet, of open files
  MemoryUse memory_use() const;      // the same, by consumer
  const MemoryWatch& memory() const { return memory_; }

 private:
  using Then = std::function<void(HeldReplica* held)>;  // null: the replica is gone
  using Work = std::function<Then(PartitionDisk& disk)>;
  using Held = std::map<ReplicaId, HeldReplica>;
  struct Done;
  struct WarmUp;

  // replica_set.cc
  void add(ReplicaId id, TableSchemas tables);
  void drop(Held::iterator it);
  void remove(ReplicaId id, std::shared_ptr<PartitionDisk> disk);
  void remove_strangers();
  void set_tables(HeldReplica* held, TableSchemas tables);
  void tell_disk_of_tables(const HeldReplica& held);
  void open(HeldReplica* held);
  void opened(HeldReplica* held, Result<std::unique_ptr<PartitionDisk>> disk);
  void run(const HeldReplica& held, std::function<Then()> work);
  void on_disk(const HeldReplica& held, Work work);
  void read_on_disk(HeldReplica* held, Work work);
  void take_loaded(HeldReplica* held, const Stamp& at, std::vector<StateKey> keys,
                   const Result<std::vector<std::vector<uint8_t>>>& images, const Loaded& done);
  bool may_log(const std::string& cause);
  void failed(HeldReplica* held, const char* doing, const Error& error);

  // replica_hand_over.cc
  void go_on_handing_over();
  void go_on_handing_over(HeldReplica* held);
  void begin_upload(HeldReplica* held);
  void end_upload(HeldReplica* held, const HandOver& of, const Result<TakenSnapshot>& taken);
  void end_hand_over(HeldReplica* held, StateWritten::Outcome outcome, const std::string& text);
  void answer(const HeldReplica& held, const HandOver& of, StateWritten::Outcome outcome,
              const std::string& text);

  // replica_upkeep.cc
  bool may_write(const HeldReplica& held) const;
  void write(HeldReplica* held);
  void end_write(HeldReplica* held, const Status& written);
  void write_what_is_due(int64_t now_us);
  void write_largest();
  void write_before_reading(HeldReplica* held);
  uint64_t pending_bytes() const;
  bool short_of_memory() const;
  bool reads_fall_behind();
  bool relieve();
  void bound_growth();
  void write_more();
  bool has_room(double share) const;
  void begin_warm_up();
  void next_page(HeldReplica* held);
  void take_page(HeldReplica* held, const Stamp& at, const Result<bool>& more,
                 std::span<const uint8_t> images);
  void end_warm_up();

  Runtime& runtime_;
  ActorId actor_;
  uint16_t shards_;
  StoreConfig config_;
  StoreResources resources_;
  std::shared_ptr<SstReaders> readers_;  // of all shards
  MemoryWatch memory_;
  Held held_;
  std::map<JobId, Counts> counts_;
  uint64_t next_generation_ = 1;
  bool view_seen_ = false;
  bool ready_ = false;
  std::set<ReplicaId> awaited_;  // replicas of the first view that are not ready yet
  size_t writing_ = 0;
  size_t uploading_ = 0;
  bool failing_ = false;                      // the last write has failed
  std::map<std::string, int64_t> logged_us_;  // by cause
  ReplicaId evicted_last_;
  std::shared_ptr<WarmUp> warm_up_;
  ReplicaId warmed_last_;
  bool warm_up_full_ = false;  // the last one ended for want of room
  int64_t next_warm_up_us_ = 0;
};

}  // namespace tidemill
