// OffsetVector V_k: per source partition the next offset and M, the largest min(event time, record
// timestamp) of accepted records below it. A function of the log's prefix alone.
#pragma once

#include <cstdint>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/base/time.h"
#include "shared/columns/column.h"

namespace tidemill {

struct SourcePosition {
  uint64_t offset = 0;
  TimeUs max_event_time = kMinTime;
  bool finished = false;  // the log ends at `offset`
  RecordIdentity last{};  // the record before `offset`
  friend bool operator==(const SourcePosition&, const SourcePosition&) = default;
};

using OffsetVector = std::vector<SourcePosition>;

// Every component of `a` is at or past that of `b`.
inline bool covers(const OffsetVector& a, const OffsetVector& b) {
  for (size_t s = 0; s < b.size(); ++s) {
    const uint64_t have = s < a.size() ? a[s].offset : 0;
    if (have < b[s].offset) return false;
  }
  return true;
}

inline void put_position(const SourcePosition& p, ByteWriter* out) {
  out->put(p.offset);
  out->put(p.max_event_time);
  out->put(static_cast<uint8_t>(p.finished));
  out->put(p.last.offset);
  out->put(p.last.hash);
}
inline SourcePosition get_position(ByteReader* in) {
  SourcePosition p;
  p.offset = in->get<uint64_t>();
  p.max_event_time = in->get<int64_t>();
  p.finished = in->get<uint8_t>() != 0;
  p.last.offset = in->get<uint64_t>();
  p.last.hash = in->get<uint64_t>();
  return p;
}

}  // namespace tidemill
