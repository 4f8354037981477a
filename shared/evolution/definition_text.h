// Definitions as lists of (key, value), for people to compare: the keys are those of a job file.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "proto/plan.pb.h"

namespace tidemill {

// The key of what stands where a value would be null.
inline constexpr char kDefaultKey[] = "default";

using DefinitionText = std::vector<std::pair<std::string, std::string>>;

// "function", "column", "where", "by", "window", ...: all that decides the feature's value but for
// the order of rows. `table` is the one that its columns are of.
DefinitionText feature_text(const proto::Table& table, const proto::Feature& feature);

// "amount, terminal_id": by what rows of one event time are ordered for the view.
std::string order_text(const proto::Table& table, const proto::View& view);

// The condition of a table; of several inputs one after another.
std::string filter_text(const proto::Table& table, int32_t filter);

// "window: 7d -> 30d, offset: 0s -> 1d"; empty: they are the same.
std::string difference_text(const DefinitionText& before, const DefinitionText& after);

}  // namespace tidemill
