// Entity keys of parsed rows, column by column: what events are routed by and spines look up.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/columns/column.h"

namespace tidemill {

// The key of each row: the columns `parts`, of `types`, in this order, at least one. Format:
// entity_key.h. Keys point into the columns or into `bytes`. A null in any part sets `has_key` of
// the row to 0; it has an entry per row.
void build_keys(std::span<const Column* const> parts, const std::vector<ColumnType>& types,
                std::vector<std::string_view>* keys, std::string* bytes,
                std::vector<uint8_t>* has_key);

}  // namespace tidemill
