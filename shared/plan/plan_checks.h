// Checks of the parts of a plan that came from outside. Each says what is wrong with which part.
#pragma once

#include <string_view>

#include "proto/plan.pb.h"
#include "shared/base/result.h"

namespace tidemill {

// A letter or '_', then letters, digits and '_'; at most limits::kNameBytes.
bool is_name(std::string_view name);
inline constexpr std::string_view kNameRule =
    "a name is a letter or '_' followed by letters, digits or '_', at most 64 in all";

// Of an entity's columns: string, int32, int64, bool or timestamp.
bool is_key_type(proto::ColumnType type);

// Of a deduplication's id: those, date or bytes.
bool is_id_type(proto::ColumnType type);

// A column's name: 1 to limits::kColumnNameBytes bytes of UTF-8 without control characters.
bool is_column_name(std::string_view name);

Status check_source(const proto::Source& source);
Status check_generator(const proto::GeneratorInput& input);
// `plan`'s sources must have been checked.
Status check_table(const proto::JobPlan& plan, const proto::Table& table);
// Of all tables together: how large they are, and that no column or filter is there twice. The
// tables must have been checked, and the texts be canonical.
Status check_expressions(const proto::JobPlan& plan);
// `plan`'s tables must have been checked.
Status check_view(const proto::JobPlan& plan, const proto::View& view);

}  // namespace tidemill
