// ReaderSession: the sender's side of one session between a source reader and a key partition: how
// far it has got, and which offsets no part of it may reach across.
#pragma once

#include <algorithm>
#include <vector>

#include "shared/base/mutation.h"
#include "shared/runtime/runtime.h"
#include "shared/wire/source_batch.h"

namespace tidemill {

struct ReaderSession {
  static constexpr uint64_t kNoCut = UINT64_MAX;

  ReaderSession() = default;
  ReaderSession(const ActorAddress& opened_by, const OpenSessions::Session& asked)
      : host(opened_by),
        id(asked.session),
        position(asked.from.offset),
        max_event_time(asked.from.max_event_time),
        last(asked.from.last),
        finished(asked.from.finished),
        cuts(asked.cuts) {
    if (mutated(Mutation::kOpenOneOffsetLate)) ++position;
    if (mutated(Mutation::kForgetMaxEventTime)) max_event_time = kMinTime;
    if (mutated(Mutation::kIgnoreCuts)) cuts.clear();
  }

  // The least cut behind `offset`.
  uint64_t cut_behind(uint64_t offset) const {
    const auto cut = std::upper_bound(cuts.begin(), cuts.end(), offset);
    return cut == cuts.end() ? kNoCut : *cut;
  }
  // Whether a part from the session's position to `end` would reach across a cut.
  bool crosses_cut(uint64_t end) const { return cut_behind(position) < end; }

  void forwarded(const SourcePosition& end) {
    position = end.offset;
    max_event_time = end.max_event_time;
    last = end.last;
    finished = end.finished;
  }

  ActorAddress host;
  uint64_t id = 0;
  uint64_t next_seq = 0;
  uint64_t position = 0;  // everything below has been forwarded
  TimeUs max_event_time = kMinTime;
  RecordIdentity last;
  bool finished = false;  // and the log ends there
  bool catching_up = false;
  std::vector<uint64_t> cuts;  // rising; those at or before the position are done with
};

}  // namespace tidemill
