// The events that a view is over: its key source, or union.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/plan/table_inputs.h"
#include "shared/plan/yaml_compile.h"

namespace tidemill {

// One source of a view.
struct ViewInput {
  uint32_t source = 0;
  std::string name;  // for errors: "union[1] (source 'transfer')"; empty for the key source
  std::vector<proto::Expr> columns;  // what each column of the view is, over the source's schema
  std::optional<proto::Expr> where;  // which of its events are the view's; nothing: all
};

struct ViewInputs {
  // What the view's expressions are over. Where `conflicts` is not empty, sources have a column of
  // that name that is not of one type: it cannot be used, for the reason that it says.
  std::vector<NamedColumn> columns;
  std::vector<std::string> conflicts;
  std::vector<ViewInput> inputs;
  bool usable = false;  // false: errors hide some of it
};

// `view` has the keys source and union.
ViewInputs compile_view_inputs(YamlFields* view, JobContext* job);

// An expression over the view's columns as one over each of its sources. An error if it cannot be
// one: it uses a column with a conflict, or becomes too large.
Result<ExprTuple> over_sources(const proto::Expr& expr, const ViewInputs& inputs,
                               const JobContext& job);

// Of a decimal whose digits are not known, where values have to have a fixed number: what to write.
std::string unknown_digits(const proto::Expr& decimal);

// One of `columns`, as an expression.
proto::Expr column_expr(const std::vector<NamedColumn>& columns, size_t index);

}  // namespace tidemill
