// Intervals as text, in PostgreSQL's forms.
#pragma once

#include <string>
#include <string_view>

#include "shared/expr/call.h"

namespace tidemill {

// "1 year 2 mons -3 days +04:05:06.5", "90 minutes ago", "1.5 hours", "02:30", "P1DT2H". Null, or
// why it is none: 22007 for text that is no interval, 22015 for one out of range.
const RowFault* text_to_interval(std::string_view text, Interval* out);

// "1 year 2 mons 3 days 04:05:06.5"; "00:00:00" is none at all. Reads back as the same.
std::string interval_to_text(const Interval& interval);

}  // namespace tidemill
