// The syntax of one SQL expression: libpg_query behind one function. Knows nothing of types.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.h"
#include "shared/base/utf8.h"
#include "shared/expr/pg_parse_tree.pb.h"

namespace tidemill {

inline constexpr size_t kMaxExpressionBytes = 4096;
inline constexpr int kMaxExpressionDepth = 64;

// The tree of `text`, which must be exactly one expression: no second one, no alias, no clause, no
// semicolon. Locations in it are those of the text behind kExpressionPrefix.
Result<pg::Node> parse_tree(std::string_view text);

// Whether a node says more than pg_parse_tree.proto knows of.
bool has_unknown_fields(const google::protobuf::Message& message);

// "character 12: ", 1-based and in characters, for a location of the tree.
std::string at_character(std::string_view text, int location);

// Whether `name` reads as a column of that name without double quotes.
bool is_plain_identifier(std::string_view name);

}  // namespace tidemill
