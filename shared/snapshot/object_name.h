// Names of objects in snapshot storage, as snapshot_storage.h says.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace tidemill {

bool is_object_name(std::string_view name);
// kCorrupt if it cannot be one: it came out of bytes that do not make sense.
Status check_object_name(std::string_view name);

// What a broken put has left has this behind the object's name.
inline constexpr std::string_view kPartialSuffix = ".partial";
std::string_view without_partial_suffix(std::string_view name);

}  // namespace tidemill
