// Local times of a named zone and back, as `at time zone` and date_trunc() need them.
#pragma once

#include <optional>
#include <string>

#include "shared/base/time_zone.h"
#include "shared/expr/functions.h"

namespace tidemill {

// The zone that the last row named.
class LastZone : public FunctionState {
 public:
  // Null and *zone, or why there is no such zone.
  const RowFault* use(std::string_view name, const TimeZone** zone);

 private:
  std::string name_;
  std::optional<TimeZone> zone_;
  bool known_ = false;
};

// Of two times that clocks show alike, as they are put back, the later one; a time that is skipped
// is told by the offset before, as PostgreSQL does it.
TimeUs time_of_local(const TimeZone& zone, LocalUs local);

// A state for a call whose argument `at` is a zone's name; refuses a literal that is none.
Result<std::unique_ptr<LastZone>> prepare_zone(const proto::Expr& name);

}  // namespace tidemill
