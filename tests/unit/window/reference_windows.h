// Independent truth for the kinds of windows: which event times one covers, straight from the
// definitions of docs/semantics.md, by trying every quarter of an hour and every row.
#pragma once

#include <vector>

#include "tests/unit/window/reference.h"

namespace tidemill::testing {

class ReferenceWindow {
 public:
  ReferenceWindow(const RowPointers& rows, const FeatureSpec& feature, TimeUs as_of);
  bool holds(TimeUs time) const;
  __int128 end() const { return right_; }

 private:
  void take_session(const RowPointers& rows, const FeatureSpec& feature);
  void take_calendar(const WindowSteps& steps, bool lifetime);

  Closed closed_;
  bool nothing_ = false;
  bool no_left_end_ = false;
  __int128 left_ = 0;
  __int128 right_ = 0;
};

}  // namespace tidemill::testing
