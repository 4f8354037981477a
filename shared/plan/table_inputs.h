// The expressions of a table: a column or filter of it is a tuple, one expression for each of its
// inputs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/plan.pb.h"

namespace tidemill {

// How many parts an expression has: operators, columns and literals. Once it is more than `most`,
// no further ones are counted.
size_t count_parts(const proto::Expr& expr, size_t most);

// One expression per input of a table, in their order.
using ExprTuple = std::vector<proto::Expr>;

// Index of the column (filter) with these expressions, which is added if it is new. Canonical texts
// tell expressions apart.
int32_t shared_column(const ExprTuple& column, proto::Table* table);
int32_t shared_filter(const ExprTuple& filter, proto::Table* table);

// Likewise, -1 if there is none.
int32_t find_column(const ExprTuple& column, const proto::Table& table);
int32_t find_filter(const ExprTuple& filter, const proto::Table& table);

ExprTuple column_of(const proto::Table& table, int32_t column);
ExprTuple filter_of(const proto::Table& table, int32_t filter);

// The same entity, keys and inputs, but no columns, no filters, no deduplication and nothing to
// retain.
proto::Table without_columns(const proto::Table& table);

// Whether both have the same rows, whatever of them they keep.
bool same_rows(const proto::Table& a, const proto::Table& b);

// For people: "amount", and where it differs between inputs "amount | cents / 100.0".
std::string column_text(const proto::Table& table, int32_t column);

// "card, transfer": the sources of a table's rows, each once.
std::string source_names(const proto::JobPlan& plan, const proto::Table& table);

}  // namespace tidemill
