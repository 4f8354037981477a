// Entity keys of parsed rows, column by column: what events are routed by and spines look up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shared/columns/column.h"

namespace tidemill {

// The key of each row: the columns `fields`, of `types`, in this order. Format: entity_key.h. Keys
// point into the columns or into `bytes`. A null in any part sets `keep` of the row to 0.
void build_keys(const EventBatch& events, const std::vector<uint32_t>& fields,
                const std::vector<ColumnType>& types, std::vector<std::string_view>* keys,
                std::string* bytes, std::vector<uint8_t>* keep);

}  // namespace tidemill
