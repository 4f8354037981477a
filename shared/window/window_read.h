// WindowReader: computes the features of one key at one time, all windows in one pass.
//
// The windows' edges cut time into segments that touch but do not overlap; each segment is
// summarised once per input, from cached summaries of whole chunks and groups and from rows at its
// two ends, and each window merges its segments. A lifetime window adds the key's base summary.
// In a table with deduplication all this is of the rows that count.
// Reused, so that reading allocates nothing once warm. shard-affine
#pragma once

#include <span>
#include <vector>

#include "shared/window/collection_read.h"
#include "shared/window/counted_rows.h"
#include "shared/window/input_registry.h"
#include "shared/window/row_log.h"
#include "shared/window/session_read.h"

namespace tidemill {

// The first as_of at which all rows are there that the feature looks back to; kMinTime: they are at
// this one.
TimeUs complete_from(const LogContext& context, const FeatureSpec& feature, TimeUs as_of);

class WindowReader {
 public:
  // `log` null: a key without rows; otherwise it is settled. `context.stats->bytes` is raised by
  // the caches that this fills. `resolutions`, if it is not null, gets for every feature the width
  // of the leaves (folded_tiles.h) that its value depends on; 0: it is the exact one.
  void read(const LogContext& context, const RowLog* log,
            std::span<const FeatureSpec* const> features, TimeUs as_of, InputRegistry* registry,
            std::vector<FeatureValue>* out, std::vector<DurationUs>* resolutions = nullptr);

 private:
  using Wide = __int128;  // times may leave int64 at the edges of a window

  struct Input {  // of this request
    uint32_t number;
    SummaryInput what;
    const FeatureSpec* alone;  // null: shared by all features that every leaf holds
  };
  struct Aggregate {  // one input over one window, for one or more features
    size_t input;
    WindowBounds rows;
    Wide end;       // of the window, half-open
    bool lifetime;  // and what was folded
    size_t first_segment, end_segment;
    Families families;
    Summary summary;
  };
  struct Segment {
    TimeUs first, last;  // inclusive
    bool empty;          // outside of int64
  };

  WindowReadBounds bounds_of(const FeatureSpec& feature, TimeUs as_of);
  void leave_out_missing(const FeatureSpec& feature, TimeUs as_of, WindowBounds* rows) const;
  FeatureValue value_of(const FeatureSpec& feature, size_t number);
  void plan(std::span<const FeatureSpec* const> features, TimeUs as_of, InputRegistry* registry);
  size_t input_of(const FeatureSpec& feature, bool held, InputRegistry* registry);
  void summarise(const RowLog& log, const BasePlan* base);
  FeatureValue collect(const FeatureSpec& feature, const WindowReadBounds& bounds);
  void cut_segments();
  void read_segment(size_t segment, const RowLog& log);
  void read_folded(const FoldedTiles& tiles, const Segment& segment, size_t number);
  void read_group(const ChunkGroup& group, const Segment& segment, size_t number);
  void read_rows(const Chunk& chunk, uint64_t counted, const Segment& segment, size_t number);
  const Summary& chunk_summary(const SealedChunk& sealed, const Input& input, Families families);
  const Summary& group_summary(const ChunkGroup& group, const Input& input, Families families);
  Summary* cached(SummaryCache* cache, uint32_t number);

  const ChunkLayout* layout_ = nullptr;
  const LogContext* context_ = nullptr;  // of this request
  const LeafPlan* leaves_ = nullptr;
  const FoldedTiles* folded_ = nullptr;
  WindowStats* stats_ = nullptr;
  std::vector<Input> inputs_;
  std::vector<Aggregate> aggregates_;
  std::vector<size_t> aggregate_of_;      // by feature; of a collection there is none
  std::vector<WindowReadBounds> bounds_;  // by feature
  std::vector<Wide> cuts_;
  std::vector<Segment> segments_;
  std::vector<Families> needs_;    // by segment and input
  std::vector<Summary> partials_;  // by segment and input
  CountedRows counted_;
  CollectionReader collections_;
  SessionReader sessions_;
};

}  // namespace tidemill
