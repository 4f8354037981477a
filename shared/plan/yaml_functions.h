// What an aggregation computes: the keys function, column (its type), its parameters, and by.
#pragma once

#include <optional>

#include "proto/plan.pb.h"
#include "shared/plan/yaml_fields.h"

namespace tidemill {

// The function that the aggregation names; nothing, with an error, if there is none of that name.
std::optional<proto::Feature::Function> compile_function(YamlFields* fields);

// Sets the type and `list` of a feature whose function is set. `column` is its expression, nothing
// if it has errors or is not there.
void compile_type(YamlFields* fields, const std::optional<proto::Expr>& column,
                  proto::Feature* feature);

// Sets what makes a map of a feature whose type and parameters are set: the keys by and max_groups.
// `by` is the expression of that key, nothing if it has errors or is not there.
void compile_groups(YamlFields* fields, const std::optional<proto::Expr>& by,
                    proto::Feature* feature);

// Sets the parameters of a feature whose function is set. One that the function does not take is an
// error.
void compile_parameters(YamlFields* fields, proto::Feature* feature);

}  // namespace tidemill
