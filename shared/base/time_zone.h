// Time zones by IANA name, with the rules of this machine's tzdata: what clocks somewhere show at
// an instant, and when they show something. Local times are microseconds from 1970-01-01T00:00 on
// those clocks, days and months are counted from 1970-01-01 in the proleptic Gregorian calendar.
//
// A zone is read from disk when it is first named (a few kB), and kept. thread-safe, immutable
#pragma once

#include <memory>
#include <string>

#include "shared/base/time.h"

namespace tidemill {

using LocalUs = int64_t;

// When clocks show a time of day. Where they are put back they show it twice, where they are put
// forward they skip it.
struct LocalInstants {
  enum class Kind { kOnce, kSkipped, kTwice };
  Kind kind = Kind::kOnce;
  TimeUs by_offset_before = 0;  // the change of clocks; of kTwice the earlier of both
  TimeUs by_offset_after = 0;   // of kTwice the later of both; of kSkipped before the change
  TimeUs change = 0;            // when clocks were put back or forward; all the same if kOnce
};

class TimeZone {
 public:
  TimeZone();  // UTC
  // "Europe/Berlin", "UTC", as in tzdata, in its case. Fails for anything else.
  static Result<TimeZone> find(const std::string& name);

  const std::string& name() const;

  // Results beyond int64 are its ends.
  LocalUs local_of(TimeUs time) const;
  LocalInstants instants_of(LocalUs local) const;
  // When a day begins there: at midnight, the first if there are two; when clocks were put forward
  // over midnight, then. A day that was skipped as a whole begins with the next.
  TimeUs start_of_day(int64_t day) const;
  // The day whose date clocks show.
  int64_t day_of(TimeUs time) const;

 private:
  struct Rules;
  explicit TimeZone(std::shared_ptr<const Rules> rules) : rules_(std::move(rules)) {}

  std::shared_ptr<const Rules> rules_;
};

int64_t first_day_of_month(int64_t month);
int64_t month_of_day(int64_t day);

// "2025b": the release of the rules; "unknown" if the machine does not say.
std::string time_zone_release();

}  // namespace tidemill
