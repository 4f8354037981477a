#include "shared/expr/evaluator.h"

#include <algorithm>
#include <limits>

#include "shared/expr/check.h"
#include "shared/expr/kernels.h"
#include "shared/expr/parse_tree.h"
#include "shared/expr/scalars.h"
#include "shared/expr/suggest.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

using proto::Expr;

// The rows to work on: the first `count`, or those that `index` lists in rising order.
struct Rows {
  const uint32_t* index = nullptr;
  uint32_t count = 0;

  template <typename F>
  void each(F&& f) const {
    if (index == nullptr) {
      for (uint32_t i = 0; i < count; ++i) f(i);
    } else {
      for (uint32_t k = 0; k < count; ++k) f(index[k]);
    }
  }
};

struct Node {
  Expr::Op op{};
  ColumnType type{};
  uint32_t column = 0;
  std::vector<Node> args;
  Expr literal;                     // LITERAL only
  Column out;                       // of this node's last evaluation, for its rows only
  std::vector<uint32_t> undecided;  // AND, OR
  std::string text;                 // the bytes of casts to string
  std::vector<uint32_t> text_ends;  // one per row evaluated
};

template <typename V>
std::vector<V>& values_of(Column& column) {
  if constexpr (std::is_same_v<V, uint8_t>) return column.bools;
  if constexpr (std::is_same_v<V, int64_t>) return column.ints;
  if constexpr (std::is_same_v<V, double>) return column.doubles;
  if constexpr (std::is_same_v<V, std::string_view>) return column.strings;
}
template <typename V>
const std::vector<V>& values_of(const Column& column) {
  return values_of<V>(const_cast<Column&>(column));
}

void resize(Column* column, size_t rows) {
  column->nulls.resize(rows);
  switch (column->type) {
    case ColumnType::kBool:
      column->bools.resize(rows);
      break;
    case ColumnType::kDouble:
      column->doubles.resize(rows);
      break;
    case ColumnType::kString:
      column->strings.resize(rows);
      break;
    default:
      column->ints.resize(rows);
  }
}

// One evaluation of one expression over one batch.
class Run {
 public:
  Run(const EventBatch& batch, const std::string& sql, std::vector<uint8_t>* failed,
      std::vector<RowError>* errors)
      : batch_(batch), sql_(sql), failed_(*failed), errors_(*errors) {}

  const Column& eval(Node& node, Rows rows);
  bool any_failed() const { return any_failed_; }

 private:
  void fail(uint32_t row, std::string reason) {
    if (failed_[row] != 0) return;
    failed_[row] = 1;
    any_failed_ = true;
    errors_.push_back({row, std::move(reason) + " in " + sql_});
  }
  bool has_failed(uint32_t row) const { return any_failed_ && failed_[row] != 0; }

  // out[row] = f(arg[row]) where that is not null.
  template <typename A, typename R, typename F>
  void unary(Node& node, Rows rows, F&& f) {
    const Column& arg = eval(node.args[0], rows);
    const A* in = values_of<A>(arg).data();
    R* out = values_of<R>(node.out).data();
    rows.each([&](uint32_t i) {
      node.out.nulls[i] = arg.nulls[i];
      out[i] = R{};
      if (arg.nulls[i] == 0 && !f(i, in[i], &out[i])) {
        node.out.nulls[i] = 1;
        out[i] = R{};
      }
    });
  }

  template <typename V, typename R, typename F>
  void binary(Node& node, Rows rows, F&& f) {
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
      if (const char* reason = f(a[i], b[i], &out[i]); reason != nullptr) {
        nulls[i] = 1;
        out[i] = R{};
        fail(i, reason);
      }
    });
  }

  template <bool k32>
  void integer_arithmetic(Node& node, Rows rows);
  void double_arithmetic(Node& node, Rows rows);
  void arithmetic(Node& node, Rows rows);
  template <typename V>
  void comparison(Node& node, Rows rows);
  void negate(Node& node, Rows rows);
  void logic(Node& node, Rows rows);
  void bool_test(Node& node, Rows rows);
  void cast(Node& node, Rows rows);
  void cast_text(Node& node, Rows rows);
  void cast_to_text(Node& node, Rows rows);

  const EventBatch& batch_;
  const std::string& sql_;
  std::vector<uint8_t>& failed_;
  std::vector<RowError>& errors_;
  bool any_failed_ = false;
};

template <bool k32>
void Run::integer_arithmetic(Node& node, Rows rows) {
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

void Run::double_arithmetic(Node& node, Rows rows) {
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

void Run::arithmetic(Node& node, Rows rows) {
  if (node.type == ColumnType::kDouble) return double_arithmetic(node, rows);
  if (node.type == ColumnType::kInt32) return integer_arithmetic<true>(node, rows);
  return integer_arithmetic<false>(node, rows);
}

template <typename V>
void Run::comparison(Node& node, Rows rows) {
  const auto with = [&](auto&& test) {
    binary<V, uint8_t>(node, rows, [&](const V& a, const V& b, uint8_t* out) -> const char* {
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

void Run::negate(Node& node, Rows rows) {
  if (node.type == ColumnType::kDouble) {
    return unary<double, double>(node, rows, [](uint32_t, double a, double* out) {
      *out = -a;
      return true;
    });
  }
  const bool k32 = node.type == ColumnType::kInt32;
  unary<int64_t, int64_t>(node, rows, [&](uint32_t i, int64_t a, int64_t* out) {
    const char* reason =
        k32 ? kernels::subtract<true>(0, a, out) : kernels::subtract<false>(0, a, out);
    if (reason != nullptr) fail(i, reason);
    return reason == nullptr;
  });
}

// Left to right, row by row: a row that an argument decides, or fails, is not shown to the later
// ones. False decides AND, true decides OR; without a decision a null among them gives null.
void Run::logic(Node& node, Rows rows) {
  const uint8_t deciding = node.op == Expr::OR;
  uint8_t* nulls = node.out.nulls.data();
  uint8_t* out = node.out.bools.data();
  rows.each([&](uint32_t i) {
    nulls[i] = 0;
    out[i] = deciding == 0;
  });
  node.undecided.resize(rows.count);
  Rows left = rows;
  for (Node& each : node.args) {
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
      if (!decided && !has_failed(i)) node.undecided[kept++] = i;
    });
    if (kept != left.count || left.index != nullptr) left = {node.undecided.data(), kept};
  }
}

void Run::bool_test(Node& node, Rows rows) {
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

std::string type_text(ColumnType type) { return type_name(static_cast<proto::ColumnType>(type)); }

// Casts from string.
void Run::cast_text(Node& node, Rows rows) {
  using S = std::string_view;
  const auto refuse = [&](uint32_t i, S text) {
    constexpr size_t kShown = 40;
    const bool integer = node.type == ColumnType::kInt32 || node.type == ColumnType::kInt64;
    const std::string shown =
        is_valid_utf8(text) ? "'" + clipped(text, kShown) + "'" : "text that is not UTF-8";
    fail(i, shown + " is not " + (integer ? "an " : "a ") + type_text(node.type));
    return false;
  };
  switch (node.type) {
    case ColumnType::kBool:
      return unary<S, uint8_t>(node, rows, [&](uint32_t i, S text, uint8_t* out) {
        bool value = false;
        if (!text_to_bool(text, &value)) return refuse(i, text);
        *out = value;
        return true;
      });
    case ColumnType::kDouble:
      return unary<S, double>(node, rows, [&](uint32_t i, S text, double* out) {
        return text_to_double(text, out) || refuse(i, text);
      });
    case ColumnType::kTimestamp:
      return unary<S, int64_t>(node, rows, [&](uint32_t i, S text, int64_t* out) {
        return text_to_timestamp(text, out) || refuse(i, text);
      });
    default: {
      const bool k32 = node.type == ColumnType::kInt32;
      return unary<S, int64_t>(node, rows, [&, k32](uint32_t i, S text, int64_t* out) {
        return (text_to_int(text, out) && (!k32 || kernels::fits_int32(*out))) || refuse(i, text);
      });
    }
  }
}

// The bytes are written first: a view into `text` would not survive its growth.
void Run::cast_to_text(Node& node, Rows rows) {
  const Column& arg = eval(node.args[0], rows);
  node.text.clear();
  node.text_ends.clear();
  rows.each([&](uint32_t i) {
    TextBuffer buffer;
    if (arg.nulls[i] == 0) {
      switch (arg.type) {
        case ColumnType::kBool:
          node.text += arg.bools[i] != 0 ? "true" : "false";
          break;
        case ColumnType::kDouble:
          node.text += double_to_text(arg.doubles[i], &buffer);
          break;
        case ColumnType::kTimestamp:
          node.text += timestamp_to_text(arg.ints[i], &buffer);
          break;
        default:
          node.text += int_to_text(arg.ints[i], &buffer);
      }
    }
    node.text_ends.push_back(static_cast<uint32_t>(node.text.size()));
  });
  uint32_t begin = 0;
  size_t k = 0;
  rows.each([&](uint32_t i) {
    const uint32_t end = node.text_ends[k++];
    node.out.nulls[i] = arg.nulls[i];
    node.out.strings[i] = std::string_view(node.text).substr(begin, end - begin);
    begin = end;
  });
}

void Run::cast(Node& node, Rows rows) {
  using I = int64_t;
  const ColumnType from = node.args[0].type;
  if (node.type == ColumnType::kString) return cast_to_text(node, rows);
  if (from == ColumnType::kString) return cast_text(node, rows);
  if (node.type == ColumnType::kBool) {
    return unary<I, uint8_t>(node, rows, [](uint32_t, I a, uint8_t* out) {
      *out = a != 0;
      return true;
    });
  }
  if (node.type == ColumnType::kDouble && from == ColumnType::kBool) {
    return unary<uint8_t, double>(node, rows, [](uint32_t, uint8_t a, double* out) {
      *out = a;
      return true;
    });
  }
  if (node.type == ColumnType::kDouble) {
    return unary<I, double>(node, rows, [](uint32_t, I a, double* out) {
      *out = static_cast<double>(a);
      return true;
    });
  }
  if (from == ColumnType::kBool) {
    return unary<uint8_t, I>(node, rows, [](uint32_t, uint8_t a, I* out) {
      *out = a;
      return true;
    });
  }
  const bool k32 = node.type == ColumnType::kInt32;
  const I low = k32 ? std::numeric_limits<int32_t>::min() : std::numeric_limits<I>::min();
  const I high = k32 ? std::numeric_limits<int32_t>::max() : std::numeric_limits<I>::max();
  const char* reason = k32 ? kernels::kInt32Range : kernels::kInt64Range;
  if (from == ColumnType::kDouble) {
    return unary<double, I>(node, rows, [&](uint32_t i, double a, I* out) {
      if (double_to_int(a, low, high, out)) return true;
      fail(i, reason);
      return false;
    });
  }
  unary<I, I>(node, rows, [&](uint32_t i, I a, I* out) {
    *out = a;
    if (a >= low && a <= high) return true;
    fail(i, reason);
    return false;
  });
}

const Column& Run::eval(Node& node, Rows rows) {
  if (node.op == Expr::COLUMN) return batch_.columns[node.column];
  if (node.op == Expr::LITERAL) {
    // Rows beyond the last size get the value; the others have it.
    const size_t n = batch_.rows();
    const bool null = node.literal.literal_case() == Expr::LITERAL_NOT_SET;
    node.out.nulls.resize(n, null);
    if (node.type == ColumnType::kBool) {
      node.out.bools.resize(n, node.literal.literal_bool());
    } else if (node.type == ColumnType::kDouble) {
      node.out.doubles.resize(n, node.literal.literal_double());
    } else if (node.type == ColumnType::kString) {
      node.out.strings.resize(n, node.literal.literal_string());
    } else {
      node.out.ints.resize(n, node.literal.literal_int());
    }
    return node.out;
  }
  resize(&node.out, batch_.rows());
  if (node.op == Expr::CAST) {
    cast(node, rows);
  } else if (node.op == Expr::NEGATE) {
    negate(node, rows);
  } else if (node.op <= Expr::MODULO) {
    arithmetic(node, rows);
  } else if (node.op == Expr::AND || node.op == Expr::OR) {
    logic(node, rows);
  } else if (node.op >= Expr::NOT) {
    bool_test(node, rows);
  } else if (node.args[0].type == ColumnType::kBool) {
    comparison<uint8_t>(node, rows);
  } else if (node.args[0].type == ColumnType::kDouble) {
    comparison<double>(node, rows);
  } else if (node.args[0].type == ColumnType::kString) {
    comparison<std::string_view>(node, rows);
  } else {
    comparison<int64_t>(node, rows);
  }
  return node.out;
}

void set_null(Column* column, uint32_t row) {
  column->nulls[row] = 1;
  if (column->type == ColumnType::kBool) column->bools[row] = 0;
  if (column->type == ColumnType::kDouble) column->doubles[row] = 0;
  if (column->type == ColumnType::kString) column->strings[row] = {};
  if (!column->ints.empty()) column->ints[row] = 0;
}

Node build(const Expr& expr) {
  Node node;
  node.op = expr.op();
  node.type = static_cast<ColumnType>(expr.type());
  node.column = expr.column();
  node.out.type = node.type;
  if (expr.op() == Expr::LITERAL) node.literal = expr;
  node.args.reserve(static_cast<size_t>(expr.args_size()));
  for (const Expr& arg : expr.args()) node.args.push_back(build(arg));
  return node;
}

}  // namespace

struct Evaluator::Impl {
  Node root;
  std::string sql;  // for errors
  size_t columns = 0;
  std::vector<uint8_t> failed;
};

Evaluator::Evaluator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Evaluator::Evaluator(Evaluator&&) noexcept = default;
Evaluator& Evaluator::operator=(Evaluator&&) noexcept = default;
Evaluator::~Evaluator() = default;

Result<Evaluator> Evaluator::compile(const proto::Expr& expr,
                                     const std::vector<ColumnType>& schema) {
  if (Status s = check_expression(expr, schema); !s.ok()) return s.error();
  auto impl = std::make_unique<Impl>();
  impl->root = build(expr);
  impl->sql = expr.text().empty() ? "an expression without text" : expr.text();
  impl->columns = schema.size();
  return Evaluator(std::move(impl));
}

ColumnType Evaluator::type() const { return impl_->root.type; }

const Column& Evaluator::evaluate(const EventBatch& batch, std::vector<RowError>* errors) {
  ASSERT(batch.columns.size() >= impl_->columns);
  impl_->failed.assign(batch.rows(), 0);
  const size_t first = errors->size();
  Run run(batch, impl_->sql, &impl_->failed, errors);
  const Column& out = run.eval(impl_->root, {nullptr, static_cast<uint32_t>(batch.rows())});
  if (!run.any_failed()) return out;
  std::sort(errors->begin() + static_cast<std::ptrdiff_t>(first), errors->end(),
            [](const RowError& a, const RowError& b) { return a.row < b.row; });
  for (size_t i = first; i < errors->size(); ++i) set_null(&impl_->root.out, (*errors)[i].row);
  return out;
}

}  // namespace tidemill
