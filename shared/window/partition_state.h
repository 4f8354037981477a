// PartitionState: the window state of one key partition, for all tables of a job: per (table,
// entity key) one row log. The same object serves in a worker (applies batches, makes images) and
// in a store replica (applies frames and images, computes features).
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
#include <variant>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/base/result.h"
#include "shared/window/table_schema.h"

namespace tidemill {

class RowBlockView;

// One value of a column: never null within a list.
using ScalarValue = std::variant<int64_t, double, bool, std::string>;
using ListValue = std::vector<ScalarValue>;

// A feature's value: null, or the type the feature declares, or a list of that.
using FeatureValue = std::variant<std::monostate, int64_t, double, bool, std::string, ListValue>;

struct WindowStats {
  uint64_t rows = 0;                       // held now
  uint64_t keys = 0;                       // held now
  uint64_t bytes = 0;                      // held now, allocations of row logs, keys and index
  uint64_t full_chunks = 0;                // chunks that reached their full size, ever
  uint64_t recut_chunks = 0;               // full chunks cut anew for a late row, ever
  uint64_t freed_rows = 0;                 // by the horizon, ever
  uint64_t too_late_rows = 0;              // arrived below what the horizon keeps, dropped, ever
  std::vector<uint64_t> too_late_by_view;  // by number of the view in the plan, ever
};

class PartitionState {
 public:
  explicit PartitionState(TableSchemas schemas);
  PartitionState(PartitionState&&) noexcept;
  PartitionState& operator=(PartitionState&&) noexcept;
  ~PartitionState();

  // Whether a block is of a table of this state, with its columns and filters.
  bool accepts(const RowBlockView& block) const;

  // Appends the rows of a block that is accepted; every key that gets a row is stamped `version`.
  // Rows that no permitted read can see (event time < horizon - retention) are dropped and counted;
  // rows of a table with lifetime windows never are. Rows too late for a view are counted for it.
  void append(const RowBlockView& block, uint64_t version);

  // No read may ask about a time before `horizon`. Only rises (a lower one is ignored). Rows below
  // horizon - retention are freed, by and by: a call does a bounded amount of work. If the table
  // has lifetime windows they are folded into the key's base summary, and the key stays.
  void raise_horizon(TimeUs horizon);
  TimeUs horizon() const;

  // One key's features at `as_of`, in the order of `features`; all of one table. False if the key
  // holds no rows and has folded none (values are then those of empty windows).
  bool compute(uint16_t table, std::string_view key, uint64_t key_hash,
               std::span<const FeatureSpec* const> features, TimeUs as_of,
               std::vector<FeatureValue>* out) const;

  // Appends up to `limit` of a table's keys, for people to look at.
  void sample_keys(uint16_t table, size_t limit, std::vector<std::string>* out) const;

  // Images. Keys have stable slots [0, slot_count()); a slot may be vacant. A key's image is its
  // whole row log and base summary. `version` of a slot is that of its last change; a key that lost
  // its last row leaves no slot behind in need of an image (its rows are below every permitted
  // read).
  size_t slot_count() const;
  bool slot_changed_since(size_t slot, uint64_t version) const;  // false for a vacant slot
  void encode_image(size_t slot, ByteWriter* out) const;
  // Replaces the key's rows and base by the image's, stamped `version`. Corrupt images change
  // nothing.
  Status apply_image(ByteReader* in, uint64_t version);

  // The whole state: a versioned, checksummed form (docs/formats/partition_state.md).
  void serialize(ByteWriter* out) const;
  static Result<PartitionState> deserialize(TableSchemas schemas, std::span<const uint8_t> bytes);

  WindowStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemill
