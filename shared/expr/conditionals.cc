// What chooses between values, row by row: an argument is evaluated for the rows that get there.
#include "shared/expr/evaluation.h"

namespace tidemill {
namespace {

using proto::Expr;

// Which of `rows` fulfil `test`, in `kept`.
template <typename F>
RowSelection rows_where(RowSelection rows, std::vector<uint32_t>* kept, F&& test) {
  kept->resize(rows.count);
  uint32_t count = 0;
  rows.each([&](uint32_t i) {
    if (test(i)) (*kept)[count++] = i;
  });
  return {kept->data(), count};
}

}  // namespace

void Evaluation::conditional(EvalNode& node, RowSelection rows) {
  switch (node.op) {
    case Expr::CASE:
      return choose(node, rows);
    case Expr::COALESCE:
      return coalesce(node, rows);
    case Expr::IN:
      return among(node, rows);
    case Expr::GREATEST:
    case Expr::LEAST:
      return extreme(node, rows);
    default:
      return distinct(node, rows);
  }
}

void Evaluation::choose(EvalNode& node, RowSelection rows) {
  rows.each([&](uint32_t i) { set_null(&node.out, i); });
  node.lists.resize(node.args.size() + 1);
  RowSelection left = rows;
  size_t at = 0;
  for (; at + 1 < node.args.size() && left.count > 0; at += 2) {
    const Column& condition = eval(node.args[at], left);
    const auto holds = [&](uint32_t i) {
      return condition.nulls[i] == 0 && condition.bools[i] != 0;
    };
    const auto alive = [&](uint32_t i) { return !failures_->has_failed(i); };
    const RowSelection taken =
        rows_where(left, &node.lists[at], [&](uint32_t i) { return holds(i) && alive(i); });
    left = rows_where(left, &node.lists[at + 1], [&](uint32_t i) { return !holds(i) && alive(i); });
    if (taken.count == 0) continue;
    const Column& value = eval(node.args[at + 1], taken);
    taken.each([&](uint32_t i) { copy_value(value, i, &node.out, i); });
  }
  if (at + 1 != node.args.size() || left.count == 0) return;
  const Column& otherwise = eval(node.args[at], left);
  left.each([&](uint32_t i) { copy_value(otherwise, i, &node.out, i); });
}

void Evaluation::coalesce(EvalNode& node, RowSelection rows) {
  rows.each([&](uint32_t i) { set_null(&node.out, i); });
  node.lists.resize(node.args.size());
  RowSelection left = rows;
  for (size_t at = 0; at < node.args.size() && left.count > 0; ++at) {
    const Column& value = eval(node.args[at], left);
    left.each([&](uint32_t i) { copy_value(value, i, &node.out, i); });
    left = rows_where(left, &node.lists[at],
                      [&](uint32_t i) { return value.nulls[i] != 0 && !failures_->has_failed(i); });
  }
}

void Evaluation::distinct(EvalNode& node, RowSelection rows) {
  const Column& left = eval(node.args[0], rows);
  const Column& right = eval(node.args[1], rows);
  with_values(left.type, [&]<typename V>(V) {
    const V* a = values_of<V>(left).data();
    const V* b = values_of<V>(right).data();
    const auto same = [&](uint32_t i) {
      const bool null = left.nulls[i] != 0;
      if (null || right.nulls[i] != 0) return null && right.nulls[i] != 0;
      return kernels::equal(a[i], b[i]);
    };
    rows.each([&](uint32_t i) {
      if (node.op == Expr::NULLIF) {
        copy_value(left, i, &node.out, i);
        if (same(i)) set_null(&node.out, i);
      } else {
        node.out.nulls[i] = 0;
        node.out.bools[i] = same(i) == (node.op == Expr::IS_NOT_DISTINCT_FROM);
      }
    });
  });
}

// The others are literals. A null among them makes unknown what is not found.
void Evaluation::among(EvalNode& node, RowSelection rows) {
  const Column& value = eval(node.args[0], rows);
  bool null = false;
  for (size_t k = 1; k < node.args.size(); ++k) null |= node.args[k].literal->nulls[0] != 0;
  with_values(value.type, [&]<typename V>(V) {
    const V* in = values_of<V>(value).data();
    rows.each([&](uint32_t i) {
      node.out.nulls[i] = value.nulls[i];
      node.out.bools[i] = 0;
      if (value.nulls[i] != 0) return;
      for (size_t k = 1; k < node.args.size(); ++k) {
        const Column& each = *node.args[k].literal;
        if (each.nulls[0] != 0 || !kernels::equal(values_of<V>(each)[0], in[i])) continue;
        node.out.bools[i] = 1;
        return;
      }
      node.out.nulls[i] = null;
    });
  });
}

void Evaluation::extreme(EvalNode& node, RowSelection rows) {
  rows.each([&](uint32_t i) { set_null(&node.out, i); });
  for (EvalNode& arg : node.args) {
    const Column& value = eval(arg, rows);
    with_values(node.type, [&]<typename V>(V) {
      const V* in = values_of<V>(value).data();
      V* out = values_of<V>(node.out).data();
      rows.each([&](uint32_t i) {
        if (value.nulls[i] != 0) return;
        const bool better =
            node.op == Expr::GREATEST ? kernels::less(out[i], in[i]) : kernels::less(in[i], out[i]);
        if (node.out.nulls[i] != 0 || better) copy_value(value, i, &node.out, i);
      });
    });
  }
}

void Evaluation::attempt(EvalNode& node, RowSelection rows) {
  node.failed.assign(batch_.rows(), 0);
  Failures inside{.failed = &node.failed, .wanted = false};
  Failures* outside = std::exchange(failures_, &inside);
  const Column& value = eval(node.args[0], rows);
  failures_ = outside;
  rows.each([&](uint32_t i) {
    copy_value(value, i, &node.out, i);
    if (node.failed[i] != 0) set_null(&node.out, i);
  });
}

}  // namespace tidemill
