// KeyMerger: one key's image out of what came for it, in order: row runs (row_run.h) and bodies of
// images (image.h). Holds one key at a time; reused from key to key.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/base/result.h"
#include "shared/window/image.h"
#include "shared/window/row_run.h"

namespace tidemill {

class KeyMerger {
 public:
  explicit KeyMerger(TableSchemas schemas);
  KeyMerger(const KeyMerger&) = delete;
  KeyMerger& operator=(const KeyMerger&) = delete;
  ~KeyMerger();

  // Begins with a key of `table` that has nothing. Rows that no read at or after `horizon` can see
  // are left out of its image, or folded (PartitionState::raise_horizon).
  Status begin(uint16_t table, TimeUs horizon);
  // kCorrupt: the bytes are no run or body; nothing of the key means anything any more.
  Status add_run(std::span<const uint8_t> run);
  Status replace(std::span<const uint8_t> body);
  // True if a body with rows has none below what the horizon keeps: after replace() alone,
  // encode_body() would append the same bytes. The body must be good.
  bool keeps_all(std::span<const uint8_t> body) const;
  // Nothing is left of the key: its image would have no rows and no base.
  bool gone() const;
  // Appends the body of the key's image.
  void encode_body(ByteWriter* out) const;
  // Frees the key's rows, which take memory until begin() otherwise.
  void clear() { log_.clear(context()); }

 private:
  struct Table;

  LogContext context() const;

  TableSchemas schemas_;
  std::vector<std::unique_ptr<Table>> tables_;
  std::vector<BasePlan> plans_;
  mutable WindowStats stats_;
  uint16_t table_ = 0;
  TimeUs limit_ = kMinTime;
  RowLog log_;
};

}  // namespace tidemill
