// ChangeCursor: changes by key: per key one value of all that came for it, in the order in which it
// came.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shared/base/memory_account.h"
#include "shared/columns/row_block.h"
#include "shared/state/partition_disk.h"
#include "shared/state/state_cursor.h"
#include "shared/state/state_value.h"
#include "shared/window/row_run.h"

namespace tidemill {

class ChangeCursor final : public StateCursor {
 public:
  // Checks all of the changes and sorts them; the cursor is at the first key.
  static Result<std::unique_ptr<ChangeCursor>> open(TableSchemas schemas,
                                                    std::vector<StateChange> changes);

  bool valid() const override { return valid_; }
  Status status() const override { return {}; }
  std::string_view key() const override { return key_; }
  std::string_view value() const override { return value_; }
  void next() override;
  void advance_to(std::string_view key) override;
  // The value begins with an image: nothing before it counts.
  bool replaces() const { return replaces_; }
  // Of the value.
  uint64_t rows() const { return rows_; }

 private:
  struct Image {
    uint16_t table = 0;
    uint64_t hash = 0;
    std::string_view key;
    std::span<const uint8_t> body;
  };
  static constexpr uint32_t kBlock = UINT32_MAX;  // no image
  // A row, or an image. Sources are numbered in the order of the changes.
  struct Entry {
    uint64_t hash = 0;
    uint32_t source = 0;
    uint32_t row = 0;
  };
  struct Source {
    const RowBlockView* block = nullptr;  // null: an image
    uint32_t image = kBlock;              // its number
  };

  ChangeCursor(TableSchemas schemas, std::vector<StateChange> changes);
  Status gather();
  Status gather_images(const Buffer& bytes, const std::vector<BasePlan>& plans);
  void index_sources();
  void note_memory();
  std::string_view key_of(const Entry& entry) const;
  void fetch_ahead(size_t at);
  size_t group_end(size_t begin);
  void build(size_t begin, size_t end);

  TableSchemas schemas_;
  std::vector<StateChange> changes_;
  std::vector<RowRunWriter> writers_;  // by table
  std::vector<Source> sources_;
  std::vector<RowBlockView> blocks_;
  std::vector<Image> images_;
  std::vector<std::vector<Entry>> entries_;  // by table; sorted by hash, then order of arrival
  size_t table_ = 0;
  size_t at_ = 0;        // the next group in entries_[table_]
  size_t hash_end_ = 0;  // entries before it have the same hash and are sorted by key
  size_t fetched_ = 0;   // entries before it are on their way into the cache
  bool valid_ = false;
  bool replaces_ = false;
  uint64_t rows_ = 0;
  std::string key_;
  std::string value_;
  HeldMemory memory_{MemoryConsumer::kSorting};
};

}  // namespace tidemill
