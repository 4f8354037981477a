// WindowReader: computes the features of one key at one time, all windows in one pass.
//
// The windows' edges cut time into segments that touch but do not overlap; each segment is
// summarised once per input, from cached summaries of whole chunks and groups and from rows at its
// two ends, and each window merges its segments. Reused, so that reading allocates nothing once
// warm. shard-affine
#pragma once

#include <span>
#include <vector>

#include "shared/window/row_log.h"

namespace tidemill {

// Numbers the inputs (column, filter) that reads of one table have asked for: the index into
// SummaryCaches. Bounded by the schema's columns × filters.
class InputRegistry {
 public:
  uint32_t number_of(const SummaryInput& input);
  const SummaryInput& input(uint32_t number) const { return inputs_[number]; }

 private:
  std::vector<SummaryInput> inputs_;
};

class WindowReader {
 public:
  // `log` null: a key without rows. `stats->bytes` is raised by the caches that this fills.
  void read(const ChunkLayout& layout, const RowLog* log,
            std::span<const FeatureSpec* const> features, TimeUs as_of, InputRegistry* registry,
            WindowStats* stats, std::vector<FeatureValue>* out);

 private:
  using Wide = __int128;  // times may leave int64 at the edges of a window

  struct Input {  // of this request
    uint32_t number;
    SummaryInput what;
  };
  struct Aggregate {  // one input over one window, for one or more features
    size_t input;
    Wide begin, end;  // half-open
    size_t first_segment, end_segment;
    Families families;
    Summary summary;
  };
  struct Segment {
    TimeUs first, last;  // inclusive
    bool empty;          // outside of int64
  };

  void plan(std::span<const FeatureSpec* const> features, TimeUs as_of, InputRegistry* registry);
  size_t input_of(const FeatureSpec& feature, InputRegistry* registry);
  void cut_segments();
  void read_segment(size_t segment, const RowLog& log);
  void read_group(const ChunkGroup& group, const Segment& segment, size_t number);
  void read_rows(const Chunk& chunk, const Segment& segment, size_t number);
  const Summary& chunk_summary(const SealedChunk& sealed, const Input& input, Families families);
  const Summary& group_summary(const ChunkGroup& group, const Input& input, Families families);
  Summary* cached(SummaryCache* cache, uint32_t number);

  const ChunkLayout* layout_ = nullptr;
  WindowStats* stats_ = nullptr;
  std::vector<Input> inputs_;
  std::vector<Aggregate> aggregates_;
  std::vector<size_t> aggregate_of_;  // by feature
  std::vector<Wide> cuts_;
  std::vector<Segment> segments_;
  std::vector<Families> needs_;    // by segment and input
  std::vector<Summary> partials_;  // by segment and input
};

}  // namespace tidemill
