// Tagged integer types, so that an epoch is never passed where an offset belongs.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace tidemill {

template <typename Tag, typename Rep>
struct TaggedId {
  Rep value{};

  constexpr TaggedId() = default;
  constexpr explicit TaggedId(Rep v) : value(v) {}
  friend constexpr auto operator<=>(TaggedId, TaggedId) = default;

  template <typename H>
  friend H AbslHashValue(H h, TaggedId id) {
    return H::combine(std::move(h), id.value);
  }
};

// An incarnation of a process: random at each start, never reused.
using NodeId = TaggedId<struct NodeTag, uint64_t>;
// A submitted job; assigned by the coordinator, never reused.
using JobId = TaggedId<struct JobTag, uint32_t>;
// One of K buckets of entity keys: the unit of ownership, state, move and fencing.
using KeyPartitionId = TaggedId<struct KeyPartitionTag, uint32_t>;
// One ordered replayable log of a job, numbered over all sources of the job.
using SourcePartitionId = TaggedId<struct SourcePartitionTag, uint32_t>;
// Number of an ownership grant; only ever grows, the newest wins everywhere.
using Epoch = TaggedId<struct EpochTag, uint64_t>;

}  // namespace tidemill

template <typename Tag, typename Rep>
struct std::hash<tidemill::TaggedId<Tag, Rep>> {
  size_t operator()(tidemill::TaggedId<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value);
  }
};
