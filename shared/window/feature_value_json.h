// A feature's value as JSON: what the store answers and what training sets hold. thread-safe
#pragma once

#include <string>

#include "shared/window/partition_state.h"

namespace tidemill {

// Null, a number, true or false, a string, an array of them, or an object of keys to them, its keys
// in the map's order, numbers as strings. Doubles are the shortest decimals
// that read back as the same bits, always with '.' or 'e'; NaN and the infinities are strings.
// Timestamps are microseconds since 1970. `type` is that of the value, of a list's elements or of a
// map's values: of kJson they stand there as they are, which is valid JSON, in keys as strings.
void append_feature_value(const FeatureValue& value, ColumnType type, std::string* out);

}  // namespace tidemill
