#include "shared/expr/evaluation.h"

#include "shared/base/assert.h"
#include "shared/expr/decimal_functions.h"

namespace tidemill {
namespace {

using proto::Expr;

template <bool k32>
const RowFault* negative(int64_t* out, int64_t value) {
  return kernels::subtract<k32>(0, value, out);
}
const RowFault* negative_double(double* out, double value) {
  *out = -value;
  return nullptr;
}

}  // namespace

void resize(Column* column, size_t rows) {
  column->nulls.resize(rows);
  with_values(column->type, [&]<typename V>(V) { values_of<V>(*column).resize(rows); });
}

template <bool k32>
void Evaluation::integer_arithmetic(EvalNode& node, RowSelection rows) {
  using I = int64_t;
  switch (node.op) {
    case Expr::ADD:
      return binary<I, I>(node, rows,
                          [](I a, I b, I* out) { return kernels::add<k32>(a, b, out); });
    case Expr::SUBTRACT:
      return binary<I, I>(node, rows,
                          [](I a, I b, I* out) { return kernels::subtract<k32>(a, b, out); });
    case Expr::MULTIPLY:
      return binary<I, I>(node, rows,
                          [](I a, I b, I* out) { return kernels::multiply<k32>(a, b, out); });
    case Expr::DIVIDE:
      return binary<I, I>(node, rows,
                          [](I a, I b, I* out) { return kernels::divide<k32>(a, b, out); });
    default:
      return binary<I, I>(node, rows, [](I a, I b, I* out) { return kernels::modulo(a, b, out); });
  }
}

void Evaluation::double_arithmetic(EvalNode& node, RowSelection rows) {
  using D = double;
  switch (node.op) {
    case Expr::ADD:
      return binary<D, D>(node, rows, [](D a, D b, D* out) { return kernels::add(a, b, out); });
    case Expr::SUBTRACT:
      return binary<D, D>(node, rows,
                          [](D a, D b, D* out) { return kernels::subtract(a, b, out); });
    case Expr::MULTIPLY:
      return binary<D, D>(node, rows,
                          [](D a, D b, D* out) { return kernels::multiply(a, b, out); });
    default:
      return binary<D, D>(node, rows, [](D a, D b, D* out) { return kernels::divide(a, b, out); });
  }
}

void Evaluation::decimal_arithmetic(EvalNode& node, RowSelection rows) {
  using D = Decimal;
  switch (node.op) {
    case Expr::ADD:
      return binary<D, D>(node, rows, decimal_add);
    case Expr::SUBTRACT:
      return binary<D, D>(node, rows, decimal_subtract);
    case Expr::MULTIPLY:
      return binary<D, D>(node, rows, decimal_multiply);
    case Expr::DIVIDE:
      return binary<D, D>(node, rows, decimal_divide);
    default:
      return binary<D, D>(node, rows, decimal_modulo);
  }
}

// A column of a source has them as rows keep them.
const Column& Evaluation::decimals(EvalNode& node, RowSelection rows) {
  const Column& from = batch_.columns[node.column];
  resize(&node.out, batch_.rows());
  rows.each([&](uint32_t i) {
    node.out.nulls[i] = from.nulls[i];
    node.out.decimals[i] = {};
    if (from.nulls[i] != 0) return;
    const std::optional<Decimal> value = decode_decimal(from.strings[i]);
    ASSERT(value.has_value());
    node.out.decimals[i] = *value;
  });
  return node.out;
}

void Evaluation::arithmetic(EvalNode& node, RowSelection rows) {
  if (node.type == ColumnType::kDecimal) return decimal_arithmetic(node, rows);
  if (node.type == ColumnType::kDouble) return double_arithmetic(node, rows);
  if (node.type == ColumnType::kInt32) return integer_arithmetic<true>(node, rows);
  return integer_arithmetic<false>(node, rows);
}

template <typename V>
void Evaluation::comparison(EvalNode& node, RowSelection rows) {
  const auto with = [&](auto&& test) {
    binary<V, uint8_t>(node, rows, [&](const V& a, const V& b, uint8_t* out) -> const RowFault* {
      *out = test(a, b);
      return nullptr;
    });
  };
  switch (node.op) {
    case Expr::EQUAL:
      return with([](const V& a, const V& b) { return kernels::equal(a, b); });
    case Expr::NOT_EQUAL:
      return with([](const V& a, const V& b) { return !kernels::equal(a, b); });
    case Expr::LESS:
      return with([](const V& a, const V& b) { return kernels::less(a, b); });
    case Expr::LESS_EQUAL:
      return with([](const V& a, const V& b) { return !kernels::less(b, a); });
    case Expr::GREATER:
      return with([](const V& a, const V& b) { return kernels::less(b, a); });
    default:
      return with([](const V& a, const V& b) { return !kernels::less(a, b); });
  }
}

void Evaluation::negate(EvalNode& node, RowSelection rows) {
  const Column* arg = &eval(node.args[0], rows);
  const Call call{rows, {&arg, 1}, &node.out, &node.arena, nullptr, failures_};
  if (node.type == ColumnType::kDouble) return strict<negative_double>(call);
  if (node.type == ColumnType::kDecimal) return strict<decimal_negate>(call);
  if (node.type == ColumnType::kInt32) return strict<negative<true>>(call);
  strict<negative<false>>(call);
}

// Left to right, row by row: a row that an argument decides, or fails, is not shown to the later
// ones. False decides AND, true decides OR; without a decision a null among them gives null.
void Evaluation::logic(EvalNode& node, RowSelection rows) {
  const uint8_t deciding = node.op == Expr::OR;
  uint8_t* nulls = node.out.nulls.data();
  uint8_t* out = node.out.bools.data();
  rows.each([&](uint32_t i) {
    nulls[i] = 0;
    out[i] = deciding == 0;
  });
  node.lists.resize(1);
  std::vector<uint32_t>& undecided = node.lists[0];
  undecided.resize(rows.count);
  RowSelection left = rows;
  for (EvalNode& each : node.args) {
    if (left.count == 0) break;
    const Column& arg = eval(each, left);
    uint32_t kept = 0;
    left.each([&](uint32_t i) {
      const bool null = arg.nulls[i] != 0;
      const bool decided = !null && arg.bools[i] == deciding;
      if (null || decided) {
        nulls[i] = null;
        out[i] = decided ? deciding : 0;
      }
      if (!decided && !failures_->has_failed(i)) undecided[kept++] = i;
    });
    if (kept != left.count || left.index != nullptr) left = {undecided.data(), kept};
  }
}

void Evaluation::bool_test(EvalNode& node, RowSelection rows) {
  const Column& arg = eval(node.args[0], rows);
  uint8_t* nulls = node.out.nulls.data();
  uint8_t* out = node.out.bools.data();
  const auto with = [&](auto&& test) {
    rows.each([&](uint32_t i) {
      nulls[i] = 0;
      out[i] = test(i);
    });
  };
  switch (node.op) {
    case Expr::IS_NULL:
    case Expr::IS_UNKNOWN:
      return with([&](uint32_t i) { return arg.nulls[i] != 0; });
    case Expr::IS_NOT_NULL:
    case Expr::IS_NOT_UNKNOWN:
      return with([&](uint32_t i) { return arg.nulls[i] == 0; });
    case Expr::IS_TRUE:
      return with([&](uint32_t i) { return arg.nulls[i] == 0 && arg.bools[i] != 0; });
    case Expr::IS_NOT_TRUE:
      return with([&](uint32_t i) { return arg.nulls[i] != 0 || arg.bools[i] == 0; });
    case Expr::IS_FALSE:
      return with([&](uint32_t i) { return arg.nulls[i] == 0 && arg.bools[i] == 0; });
    case Expr::IS_NOT_FALSE:
      return with([&](uint32_t i) { return arg.nulls[i] != 0 || arg.bools[i] != 0; });
    default:  // NOT
      rows.each([&](uint32_t i) {
        nulls[i] = arg.nulls[i];
        out[i] = arg.nulls[i] == 0 && arg.bools[i] == 0;
      });
  }
}

void Evaluation::call(EvalNode& node, RowSelection rows) {
  node.inputs.clear();
  for (EvalNode& arg : node.args) node.inputs.push_back(&eval(arg, rows));
  const Call call{rows, node.inputs, &node.out, &node.arena, node.state.get(), failures_};
  if (node.op == Expr::CAST) return node.cast(call);
  node.function->kernel(call);
}

// RowSelection beyond the last size get the value; the others have it.
const Column& Evaluation::literal(EvalNode& node) {
  const size_t rows = batch_.rows();
  node.out.nulls.resize(rows, node.literal->nulls[0]);
  with_values(node.type, [&]<typename V>(V) {
    values_of<V>(node.out).resize(rows, values_of<V>(*node.literal)[0]);
  });
  return node.out;
}

const Column& Evaluation::eval(EvalNode& node, RowSelection rows) {
  if (node.op == Expr::COLUMN && node.type == ColumnType::kDecimal) return decimals(node, rows);
  if (node.op == Expr::COLUMN) return batch_.columns[node.column];
  if (node.op == Expr::LITERAL) return literal(node);
  resize(&node.out, batch_.rows());
  node.arena.reset();
  if (node.op == Expr::CAST || (node.op == Expr::CALL && node.function != nullptr)) {
    call(node, rows);
  } else if (node.op == Expr::CALL) {
    attempt(node, rows);
  } else if (node.op > Expr::CALL) {
    conditional(node, rows);
  } else if (node.op == Expr::NEGATE) {
    negate(node, rows);
  } else if (node.op <= Expr::MODULO) {
    arithmetic(node, rows);
  } else if (node.op == Expr::AND || node.op == Expr::OR) {
    logic(node, rows);
  } else if (node.op >= Expr::NOT) {
    bool_test(node, rows);
  } else {
    with_values(node.args[0].type, [&]<typename V>(V) { comparison<V>(node, rows); });
  }
  return node.out;
}

}  // namespace tidemill
