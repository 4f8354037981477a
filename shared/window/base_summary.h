// BaseSummary: what windows need to know of rows of one key that are not kept: numbers, hashes of
// distinct values, sketches, and the rows that some list may still show. BasePlan says which.
// Lifetime windows have one of all rows that have left the key, folded tiles (folded_tiles.h) one
// of each leaf.
//
// A function of the multiset of rows folded: in which order and how many at a time does not show in
// any answer, nor in the bytes of encode_base(). Its size is bounded by the plan's features.
#pragma once

#include <memory>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/window/collection.h"
#include "shared/window/row_codec.h"
#include "shared/window/sketch.h"
#include "shared/window/state_bytes.h"
#include "shared/window/summary.h"

namespace tidemill {

struct LeafPlan;

// What the bases of one table hold. immutable
struct BasePlan {
  struct Numbers {
    SummaryInput input;
    Families families;
    friend bool operator==(const Numbers&, const Numbers&) = default;
  };
  struct Hashes {
    SummaryInput input;
    uint32_t n;  // the largest exact count asked for
    friend bool operator==(const Hashes&, const Hashes&) = default;
  };

  explicit BasePlan(const TableSchema& schema);  // for its lifetime windows
  BasePlan(const TableSchema& schema, const std::vector<FeatureSpec>& features);
  bool empty() const {
    return numbers.empty() && hashes.empty() && sketches.empty() && lists.empty();
  }
  // Whether summaries have all that is asked.
  bool holds(const SummaryInput& input, Families families) const;
  bool holds(const CollectionSpec& spec) const;
  // Their indexes; the input must be one of the features.
  size_t numbers_of(const SummaryInput& input) const;
  size_t hashes_of(const SummaryInput& input) const;
  size_t sketch_of(const CollectionSpec& spec) const;
  friend bool operator==(const BasePlan&, const BasePlan&) = default;

  std::vector<Numbers> numbers;
  std::vector<Hashes> hashes;
  std::vector<CollectionSpec> sketches;
  std::vector<CollectionSpec> lists;
  std::shared_ptr<const LeafPlan> leaves;  // null: the table has no bound
};

class BaseSummary {
 public:
  explicit BaseSummary(const BasePlan& plan);
  BaseSummary(BaseSummary&&) = default;  // clear() before it is dropped
  BaseSummary& operator=(BaseSummary&&) = default;

  // Before rows are added: that then the first and the last of all lie so far apart. From then on
  // nothing is known of what decays faster (decay_apart), as no window has all the rows.
  void spread(const BasePlan& plan, DurationUs apart, StateBytes* bytes);
  // Adds the numbers and hashes of rows that leave the key.
  void fold(const BasePlan& plan, const ChunkLayout& layout, const ChunkRows& rows,
            StateBytes* bytes);
  // Takes over a chunk of rows that were folded, for the lists.
  void keep(const BasePlan& plan, const ChunkLayout& layout, Chunk* chunk, StateBytes* bytes);
  // Adds what another has, of the same rows' table: its plan `from` has all that this one's has.
  void merge(const BasePlan& plan, const ChunkLayout& layout, const BaseSummary& other,
             const BasePlan& from, StateBytes* bytes);
  void clear(StateBytes* bytes);

  const Summary& numbers(size_t at) const { return numbers_[at]; }
  std::span<const uint64_t> hashes(size_t at) const { return hashes_[at]; }
  const Sketch& sketch(size_t at) const { return sketches_[at]; }
  // Appends the rows kept, in no order. At least those that a list may need.
  void kept_rows(std::vector<RowRef>* out) const;
  uint64_t bytes() const;  // of this and all it has allocated, without chunks

 private:
  friend struct BaseImage;

  void trim(const BasePlan& plan, const ChunkLayout& layout, StateBytes* bytes);
  void merge_rows(const BasePlan& plan, const ChunkLayout& layout, const BaseSummary& other,
                  StateBytes* bytes);

  std::vector<Summary> numbers_;
  std::vector<std::vector<uint64_t>> hashes_;  // rising, up to n + 1 each
  std::vector<Sketch> sketches_;
  std::vector<Chunk*> kept_;
  uint32_t kept_rows_ = 0;
  uint32_t needed_rows_ = 0;  // that the last trim() left
  DurationUs apart_ = 0;
};

// The rows of `rows` that some list needs, in canonical order.
std::vector<RowRef> needed_rows(const BasePlan& plan, const ChunkLayout& layout,
                                std::vector<RowRef> rows);

// One of a leaf, of a plan that has all that the base's has.
struct LeafSummary {
  const BasePlan* parts;
  const BaseSummary* summary;
};

// The base, null if nothing was folded, as it is after folding `rows` and `leaves` too.
void encode_base(const BasePlan& plan, const ChunkLayout& layout, const BaseSummary* base,
                 std::span<const ChunkRows> rows, std::span<const LeafSummary> leaves,
                 ByteWriter* out);

// A decoded base; strings of its rows point into the reader's bytes.
struct BaseImage {
  bool any = false;  // a row was folded
  std::vector<Summary> numbers;
  std::vector<std::vector<uint64_t>> hashes;
  std::vector<Sketch> sketches;
  RowsImage rows;

  // False if the bytes are not what encode_base() writes.
  bool decode(const BasePlan& plan, const TableSchema& schema, ByteReader* in);
  // Whether rows with times from `first` to `last` may have it, as far as it decays.
  bool decays_between(const BasePlan& plan, TimeUs first, TimeUs last) const;
  // Leaves nothing in the image. `bytes` is raised by the chunks alone.
  BaseSummary restore(const BasePlan& plan, const ChunkLayout& layout, StateBytes* bytes);
};

}  // namespace tidemill
