// The tree that an evaluator works on, and one evaluation of it over a batch. Private to
// shared/expr: evaluator.cc builds trees, evaluation.cc and conditionals.cc evaluate them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/expr/call.h"
#include "shared/expr/casts.h"
#include "shared/expr/functions.h"
#include "shared/expr/kernels.h"

namespace tidemill {

struct EvalNode {
  proto::Expr::Op op{};
  ColumnType type{};
  uint32_t column = 0;
  std::vector<EvalNode> args;
  Column out;  // of this node's last evaluation, for its rows only
  Arena arena;

  CastKernel cast = nullptr;              // CAST
  const SqlFunction* function = nullptr;  // CALL; null: try()
  std::unique_ptr<FunctionState> state;
  std::vector<const Column*> inputs;  // CALL
  std::unique_ptr<Column> literal;    // LITERAL: one row, whose bytes are in `arena`
  // RowSelection that go on to a later argument: two lists an argument, as an inner one is still in
  // use.
  std::vector<std::vector<uint32_t>> lists;
  std::vector<uint8_t> failed;  // try()
};

void resize(Column* column, size_t rows);

// Row `from` of one column as row `to` of another of the same type.
inline void copy_value(const Column& in, uint32_t from, Column* out, uint32_t to) {
  out->nulls[to] = in.nulls[from];
  with_values(out->type, [&]<typename V>(V) { values_of<V>(*out)[to] = values_of<V>(in)[from]; });
}
inline void set_null(Column* column, uint32_t row) {
  column->nulls[row] = 1;
  with_values(column->type, [&]<typename V>(V) { values_of<V>(*column)[row] = V{}; });
}

class Evaluation {
 public:
  Evaluation(const EventBatch& batch, Failures* failures) : batch_(batch), failures_(failures) {}

  // Values of the rows; those that failed are noted, and their value is any.
  const Column& eval(EvalNode& node, RowSelection rows);

 private:
  template <typename V, typename R, typename F>
  void binary(EvalNode& node, RowSelection rows, F&& f) {
    const Column& left = eval(node.args[0], rows);
    const Column& right = eval(node.args[1], rows);
    const V* a = values_of<V>(left).data();
    const V* b = values_of<V>(right).data();
    R* out = values_of<R>(node.out).data();
    uint8_t* nulls = node.out.nulls.data();
    rows.each([&](uint32_t i) {
      nulls[i] = left.nulls[i] | right.nulls[i];
      out[i] = R{};
      if (nulls[i] != 0) return;
      if (const RowFault* fault = f(a[i], b[i], &out[i]); fault != nullptr) {
        nulls[i] = 1;
        out[i] = R{};
        failures_->add(i, fault->sqlstate, failures_->wanted ? fault->message : "");
      }
    });
  }

  template <bool k32>
  void integer_arithmetic(EvalNode& node, RowSelection rows);
  void double_arithmetic(EvalNode& node, RowSelection rows);
  void decimal_arithmetic(EvalNode& node, RowSelection rows);
  const Column& decimals(EvalNode& node, RowSelection rows);
  void arithmetic(EvalNode& node, RowSelection rows);
  template <typename V>
  void comparison(EvalNode& node, RowSelection rows);
  void negate(EvalNode& node, RowSelection rows);
  void logic(EvalNode& node, RowSelection rows);
  void bool_test(EvalNode& node, RowSelection rows);
  void call(EvalNode& node, RowSelection rows);
  const Column& literal(EvalNode& node);

  void conditional(EvalNode& node, RowSelection rows);
  void choose(EvalNode& node, RowSelection rows);  // CASE
  void coalesce(EvalNode& node, RowSelection rows);
  void distinct(EvalNode& node, RowSelection rows);  // IS [NOT] DISTINCT FROM, NULLIF
  void among(EvalNode& node, RowSelection rows);     // IN
  void extreme(EvalNode& node, RowSelection rows);   // GREATEST, LEAST
  void attempt(EvalNode& node, RowSelection rows);   // try()

  const EventBatch& batch_;
  Failures* failures_;
};

}  // namespace tidemill
