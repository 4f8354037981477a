// CoordinatorChoice: which of several coordinators a member talks to: the one that answered last;
// all of them while nobody answers. Only the one that leads answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "shared/base/ids.h"
#include "shared/base/result.h"

namespace tidemill {

class CoordinatorChoice {
 public:
  // Nobody answers: nobody has for `patience_us`.
  CoordinatorChoice(size_t coordinators, int64_t patience_us);

  // Under which the i-th one is known here.
  static NodeId node(size_t i);

  // The one that answered last; at first the first.
  NodeId current() const { return current_; }

  // Whom to send a heartbeat now.
  std::vector<NodeId> to_ask(int64_t now_us) const;

  // An answer. True: another one than before, which is current from now on. Answers of deposed
  // coordinators, and to nodes that are none, say nothing.
  bool answered(NodeId node, uint64_t generation, int64_t now_us);

  // Another coordinator, of a newer generation, has answered lately. What was long ago is
  // forgotten: generations begin anew in a cluster whose metadata were lost.
  bool is_deposed(uint64_t generation, int64_t now_us) const;

 private:
  size_t coordinators_;
  int64_t patience_us_;
  NodeId current_;
  uint64_t generation_ = 0;  // the newest that was heard of
  bool heard_ = false;
  int64_t heard_at_us_ = 0;
};

// "tcp://10.0.0.1:7100,tcp://10.0.0.2:7100": at least one, each once, at most kCoordinatorsMax.
// kUser.
Result<std::vector<std::string>> parse_coordinators(const std::string& text);

}  // namespace tidemill
