// An answer of POST /v1/features as a table: a line per feature, a column per entity.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tidemill::cli {

// An answer's JSON, in which numbers with a point keep the digits that were sent: decimals have more
// than doubles, and zeros at the end. For feature_table() alone.
nlohmann::json answer_with_digits(const std::string& body);

// `rows` name the entities, in the request's order. Values that differ from those of the answer
// `before` (null: none) are marked with '*'; those of keys without rows, and those that the store
// cannot tell yet, say so. Of a long list the first elements are shown.
std::string feature_table(const nlohmann::json& answer, const std::vector<std::string>& rows,
                          const nlohmann::json& before);

}  // namespace tidemill::cli
