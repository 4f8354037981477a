// PartitionState: the window state of one key partition, for all tables of a job: per (table,
// entity key) one row log, from which features are computed.
//
// A state need not be whole: keys that are on disk may be left out or evicted. A key is either in
// memory with all its rows, or not there at all; rows that come for one that is not there are not
// kept, as whoever brings it back finds them where changes are kept until they are on disk.
//
// shard-affine. Values are canonical: a function of the multiset of rows in the window, never of
// arrival order, batching, chunking, merging or restarts (docs/semantics.md).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/base/result.h"
#include "shared/window/feature_value.h"
#include "shared/window/state_bytes.h"
#include "shared/window/table_schema.h"

namespace tidemill {

class RowBlockView;

struct WindowStats {
  uint64_t rows = 0;          // held in memory now
  uint64_t keys = 0;          // held in memory now
  StateBytes bytes;           // held now, allocations of row logs, keys and index
  uint64_t key_bytes = 0;     // of these, those of keys and index
  uint64_t full_chunks = 0;   // chunks that reached their full size, ever
  uint64_t recut_chunks = 0;  // full chunks cut anew for a late row, ever
  uint64_t freed_rows = 0;    // by the horizon, ever
  uint64_t folded_rows = 0;   // into leaves, as there were too many of them, ever
};

class PartitionState {
 public:
  explicit PartitionState(TableSchemas schemas);
  PartitionState(PartitionState&&) noexcept;
  PartitionState& operator=(PartitionState&&) noexcept;
  ~PartitionState();

  // Other features are asked for over the same tables, which may keep rows longer, and further ones
  // (reads_states_of()). Leaves of tiles that are folded from now on hold what these need. Who holds
  // it says at once which rows are not there any more: raise_floors().
  void set_features(TableSchemas schemas);

  // Appends the rows of a block that fits the tables (block_list.h); every key that gets a row is
  // stamped `version`. Rows that no permitted read can see (event time < horizon - retention) are
  // dropped; rows of a table with lifetime windows never are. In a state that is not complete, so
  // are rows of keys that are not in memory.
  void append(const RowBlockView& block, uint64_t version);

  // No read may ask about a time before `horizon`. Only rises (a lower one is ignored). Rows below
  // horizon - retention are freed, by and by: a call does a bounded amount of work. If the table
  // has lifetime windows they are folded into the key's base summary, and the key stays.
  void raise_horizon(TimeUs horizon);
  TimeUs horizon() const;

  // By table: rows before it are not all there, so that none counts to a read. It only rises.
  void raise_floors(std::span<const TimeUs> floors);

  // Whether what is not in memory is nowhere. A new state is complete, until it is told otherwise
  // or a key is evicted. One that is not takes no further keys into memory but by loading them: it
  // may be told so of any state whose changes are kept elsewhere, to end its growth.
  bool complete() const;
  void set_complete(bool complete);
  enum class Found { kInMemory, kAbsent, kMaybeOnDisk };
  Found find(uint16_t table, std::string_view key, uint64_t key_hash) const;
  // Frees keys until `bytes` are free or all keys have been looked at; at most `slots` of them.
  // Only keys whose last change is at or below `covered` go: the disk has those. A key that was
  // read since it was last looked at is spared once.
  struct Evicted {
    uint64_t keys = 0;
    uint64_t bytes = 0;
  };
  Evicted evict(uint64_t bytes, uint64_t covered, size_t slots);

  // Bringing keys into memory, within one turn: first as the disk has them, then every change that
  // the disk does not have, in order, then end_load(). What is in memory already stays as it is.
  enum class Load {
    kBegun,    // only keys for which loading has begun
    kMissing,  // it begins for every key that is not in memory
  };
  void begin_load(uint16_t table, std::string_view key, uint64_t key_hash);
  Status load_image(ByteReader* in, uint64_t version, Load which);
  void load_rows(const RowBlockView& block, uint64_t version, Load which);
  void end_load();

  // One key's features at `as_of`, in the order of `features`; all of one table. False if the key
  // holds no rows and has folded none (values are then those of empty windows). Of a key that may
  // be on disk it is what is in memory: nothing. `resolutions` as of WindowReader::read().
  // A feature that looks back further than all rows are there is computed from those that are, and
  // `complete_since`, if it is not null, gets the first as_of at which it does not; of others
  // kMinTime.
  bool compute(uint16_t table, std::string_view key, uint64_t key_hash,
               std::span<const FeatureSpec* const> features, TimeUs as_of,
               std::vector<FeatureValue>* out,
               std::vector<DurationUs>* resolutions = nullptr,
               std::vector<TimeUs>* complete_since = nullptr) const;

  // Appends up to `limit` of a table's keys that are in memory, for people to look at.
  void sample_keys(uint16_t table, size_t limit, std::vector<std::string>* out) const;

  // Images. Keys have stable slots [0, slot_count()); a slot may be vacant. A key's image is its
  // whole row log and base summary. `version` of a slot is that of its last change; a key that lost
  // its last row leaves no slot behind in need of an image (its rows are below every permitted
  // read).
  size_t slot_count() const;
  bool slot_changed_since(size_t slot, uint64_t version) const;  // false for a vacant slot
  void encode_image(size_t slot, ByteWriter* out) const;
  // Replaces the key's rows and base by the image's, stamped `version`. Corrupt images change
  // nothing. In a state that is not complete, nor do those of keys that are not in memory.
  Status apply_image(ByteReader* in, uint64_t version);

  WindowStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemill
