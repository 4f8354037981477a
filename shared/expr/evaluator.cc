#include "shared/expr/evaluator.h"

#include <algorithm>
#include <array>

#include "shared/base/assert.h"
#include "shared/base/bytes_text.h"
#include "shared/expr/check.h"
#include "shared/expr/decimal_functions.h"
#include "shared/expr/decimal_types.h"
#include "shared/expr/evaluation.h"
#include "shared/expr/interval_text.h"
#include "shared/expr/scalars.h"

namespace tidemill {
namespace {

using proto::Expr;

// What a plan has as text: bytes in hexadecimal digits, intervals.
void put_text(const Expr& expr, EvalNode* node) {
  const std::string& text = expr.literal_string();
  Column& column = *node->literal;
  if (node->type == ColumnType::kDecimal) {
    parse_decimal(text, &column.decimals[0]);
  } else if (node->type == ColumnType::kInterval) {
    text_to_interval(text, &column.intervals[0]);
  } else if (node->type == ColumnType::kBytes) {
    char* at = node->arena.take(text.size());
    column.strings[0] = {at, text_to_bytes(text, at).value_or(0)};
  } else {
    column.strings[0] = node->arena.copy(text);
  }
}

void put_literal(const Expr& expr, EvalNode* node) {
  node->literal = std::make_unique<Column>();
  node->literal->type = node->type;
  resize(node->literal.get(), 1);
  switch (expr.literal_case()) {
    case Expr::LITERAL_NOT_SET:
      node->literal->nulls[0] = 1;
      break;
    case Expr::kLiteralBool:
      node->literal->bools[0] = expr.literal_bool();
      break;
    case Expr::kLiteralInt:
      node->literal->ints[0] = expr.literal_int();
      break;
    case Expr::kLiteralDouble:
      node->literal->doubles[0] = expr.literal_double();
      break;
    case Expr::kLiteralString:
      put_text(expr, node);
      break;
  }
}

// Once and for all what depends on literals alone, unless it fails: then it fails row by row, where
// it is reached.
void fold(EvalNode* node) {
  const bool constant = node->op != Expr::LITERAL && node->op != Expr::COLUMN &&
                        std::all_of(node->args.begin(), node->args.end(),
                                    [](const EvalNode& arg) { return arg.op == Expr::LITERAL; });
  if (!constant) return;
  EventBatch one_row;
  one_row.offsets.push_back(0);
  std::vector<uint8_t> failed(1);
  Failures failures{.failed = &failed, .wanted = false};
  const Column& value = Evaluation(one_row, &failures).eval(*node, {nullptr, 1});
  EvalNode folded;
  folded.op = Expr::LITERAL;
  folded.type = node->type;
  folded.out.type = node->type;
  folded.literal = std::make_unique<Column>();
  folded.literal->type = node->type;
  resize(folded.literal.get(), 1);
  if (!failures.any) {
    copy_value(value, 0, folded.literal.get(), 0);
    if (!folded.literal->strings.empty()) {
      folded.literal->strings[0] = folded.arena.copy(value.strings[0]);
    }
    *node = std::move(folded);
  }
}

std::unique_ptr<FunctionState> cast_state(const Expr& cast) {
  if (cast.type() != proto::DECIMAL || cast.details().precision() == 0) return nullptr;
  auto out = std::make_unique<DecimalCast>();
  out->type = decimal_type_of(cast);
  return out;
}

Result<EvalNode> build(const Expr& expr) {
  EvalNode node;
  node.op = expr.op();
  node.type = static_cast<ColumnType>(expr.type());
  node.column = expr.column();
  node.out.type = node.type;
  if (expr.op() == Expr::LITERAL) put_literal(expr, &node);
  node.args.reserve(static_cast<size_t>(expr.args_size()));
  for (const Expr& arg : expr.args()) {
    Result<EvalNode> built = build(arg);
    if (!built.ok()) return built;
    node.args.push_back(*std::move(built));
  }
  if (expr.op() == Expr::CAST) {
    node.cast = cast_kernel(expr.args(0).type(), expr.type());
    node.state = cast_state(expr);
  }
  if (expr.op() == Expr::CALL && expr.function() != kTry) {
    node.function = function_of(expr);
    if (node.function->prepare != nullptr) {
      Result<std::unique_ptr<FunctionState>> state = node.function->prepare(expr);
      if (!state.ok()) return state.error();
      node.state = *std::move(state);
    }
  }
  if (expr.op() != Expr::IN) fold(&node);
  return node;
}

}  // namespace

struct Evaluator::Impl {
  EvalNode root;
  std::string sql;  // for errors
  size_t columns = 0;
  std::vector<uint8_t> failed;
  // Of a value that is worked out and is a decimal: as rows keep it, with the digits that its type
  // says.
  DecimalType decimal;
  Column encoded;
  Arena bytes;

  const Column& encode(const Column& from, size_t rows, Failures* failures);
};

const Column& Evaluator::Impl::encode(const Column& from, size_t rows, Failures* failures) {
  bytes.reset();
  encoded.type = ColumnType::kDecimal;
  encoded.nulls.assign(from.nulls.begin(), from.nulls.begin() + static_cast<ptrdiff_t>(rows));
  encoded.strings.assign(rows, {});
  std::array<char, kMaxDecimalEncoding> text;
  for (uint32_t i = 0; i < rows; ++i) {
    if (encoded.nulls[i] != 0 || failures->has_failed(i)) continue;
    Decimal value = from.decimals[i];
    if (decimal.precision != 0 && !fit(from.decimals[i], decimal, &value)) {
      failures->add(i, kDecimalRange.sqlstate, kDecimalRange.message);
      continue;
    }
    encoded.strings[i] = bytes.copy({text.data(), encode_decimal(value, text.data())});
  }
  return encoded;
}

Evaluator::Evaluator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Evaluator::Evaluator(Evaluator&&) noexcept = default;
Evaluator& Evaluator::operator=(Evaluator&&) noexcept = default;
Evaluator::~Evaluator() = default;

Result<Evaluator> Evaluator::compile(const proto::Expr& expr,
                                     const std::vector<ColumnType>& schema) {
  if (Status s = check_expression(expr, schema); !s.ok()) return s.error();
  Result<EvalNode> root = build(expr);
  if (!root.ok()) return root.error();
  auto impl = std::make_unique<Impl>();
  impl->root = *std::move(root);
  impl->sql = expr.text().empty() ? "an expression without text" : expr.text();
  impl->columns = schema.size();
  if (impl->root.type == ColumnType::kDecimal) impl->decimal = decimal_type_of(expr);
  return Evaluator(std::move(impl));
}

ColumnType Evaluator::type() const { return impl_->root.type; }

const Column& Evaluator::evaluate(const EventBatch& batch, std::vector<RowError>* errors) {
  ASSERT(batch.columns.size() >= impl_->columns);
  impl_->failed.assign(batch.rows(), 0);
  Failures failures{.failed = &impl_->failed};
  EvalNode& root = impl_->root;
  const bool decimal = root.type == ColumnType::kDecimal;
  if (decimal && root.op == Expr::COLUMN) return batch.columns[root.column];
  const Column* value =
      &Evaluation(batch, &failures).eval(root, {nullptr, static_cast<uint32_t>(batch.rows())});
  if (decimal) value = &impl_->encode(*value, batch.rows(), &failures);
  const Column& out = *value;
  if (!failures.any) return out;
  std::sort(failures.noted.begin(), failures.noted.end(),
            [](const auto& a, const auto& b) { return a.row < b.row; });
  for (Failures::Noted& each : failures.noted) {
    if (decimal) {
      impl_->encoded.nulls[each.row] = 1;
      impl_->encoded.strings[each.row] = {};
    } else {
      set_null(&root.out, each.row);
    }
    errors->push_back({each.row, std::move(each.reason) + " in " + impl_->sql, each.sqlstate});
  }
  return out;
}

}  // namespace tidemill
