// Lists, structs and maps: arrays, subscripts, fields, any and all.
#include "shared/expr/casts.h"
#include "shared/expr/decimal_types.h"
#include "shared/expr/functions.h"
#include "shared/expr/suggest.h"
#include "shared/expr/typer.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

using proto::Expr;

constexpr int kOperatorAny = 2;  // A_Expr_Kind of libpg_query

bool is_null_literal(const Operand& operand) {
  return operand.expr.op() == Expr::LITERAL && operand.expr.literal_case() == Expr::LITERAL_NOT_SET;
}

// With the digits of a decimal, as far as they are known.
proto::Type completed(Expr expr) {
  complete_decimal_types(&expr);
  return full_type(expr);
}

bool takes_a_part(const std::string& name) {
  return name == "||" || name == "array_append" || name == "array_prepend" ||
         name == "array_position" || name == "array_remove" || name == "->" || name == "?" ||
         name.ends_with(" any") || name.ends_with(" all");
}

}  // namespace

proto::Type adopted_type(const Operand& operand) {
  if (is_nested(operand.expr.type())) return full_type(operand.expr);
  proto::Type out;
  out.set_kind(operand.expr.type());
  return out;
}

// array[x, ...]; `type` is the element's, if a cast says it.
Result<Operand> Typer::array(const pg::AArrayExpr& node, const proto::Type* type, int depth) {
  Result<std::vector<Operand>> args = convert_all(node.elements(), depth);
  if (!args.ok()) return args.error();
  if (args->empty() && type == nullptr) {
    return fail(node.location(), "an empty list needs its type; write cast(array[] as string[])");
  }
  std::vector<Operand*> all;
  for (Operand& arg : *args) all.push_back(&arg);
  if (type != nullptr) {
    for (Operand& arg : *args) {
      if (arg.expr.type() == proto::DECIMAL && same_type(completed(arg.expr), *type)) continue;
      Result<Operand> typed = is_nested(type->kind()) ? fit(std::move(arg), *type, "elements")
                                                      : cast_to(std::move(arg), *type);
      if (!typed.ok()) return typed;
      arg = *std::move(typed);
    }
  } else if (Status s = unify("array[]", all); !s.ok()) {
    return s.error();
  }
  const proto::Type element = type != nullptr ? *type : completed(args->front().expr);
  bool one_type = element.precision() != 0;
  for (const Operand& arg : *args) {
    one_type = one_type && (type != nullptr || same_type(completed(arg.expr), element));
  }
  if (element.kind() == proto::DECIMAL && !one_type) {
    return fail(node.location(),
                "say how many digits the elements have: cast(array[...] as decimal(12, 2)[])");
  }
  proto::Type list;
  list.set_kind(proto::LIST);
  *list.add_fields()->mutable_type() = element;
  if (Status s = check_type(list); !s.ok()) return fail(node.location(), s.error().message());
  Operand out = operation_of(Expr::CALL, proto::LIST, node.location(), *std::move(args));
  set_full_type(list, &out.expr);
  out.expr.set_function("array");
  return out;
}

Result<Operand> Typer::field(Operand value, const std::string& name, int location) {
  if (value.expr.type() != proto::STRUCT) {
    return fail(location,
                sql(value.expr) + " is " + type_name(full_type(value.expr)) +
                    " and has no field '" + name + "'" +
                    (value.expr.type() == proto::JSON ? "; write -> '" + name + "'" : "") +
                    (value.expr.type() == proto::MAP ? "; write -> '" + name + "'" : ""));
  }
  Operand key;
  key.location = location;
  key.expr.set_op(Expr::LITERAL);
  key.expr.set_type(proto::STRING);
  key.expr.set_literal_string(name);
  return call(location, ".", {std::move(value), std::move(key)});
}

Result<Operand> Typer::indirection(const pg::AIndirection& node, int depth) {
  Result<Operand> value = convert(node.arg(), depth + 1);
  if (!value.ok()) return value;
  const int location = value->location;
  for (const pg::Node& step : node.indirection()) {
    if (step.node_case() == pg::Node::kString) {
      value = field(*std::move(value), step.string().sval(), location);
    } else if (step.node_case() == pg::Node::kAIndices && !step.a_indices().is_slice()) {
      Result<Operand> index = convert(step.a_indices().uidx(), depth + 1);
      if (!index.ok()) return index;
      if (value->expr.type() != proto::LIST) {
        return fail(location,
                    sql(value->expr) + " is " + type_name(full_type(value->expr)) +
                        " and has no elements; write a subscript behind a list, such as tags[1]");
      }
      value = call(location, "[]", {*std::move(value), *std::move(index)});
    } else {
      return fail(location,
                  "a part of a list, [1:2], and .* are not supported; write [1] or .name");
    }
    if (!value.ok()) return value;
  }
  return value;
}

// payload.item.price: a column, and fields of what it is.
Result<Operand> Typer::column_path(const pg::ColumnRef& ref) {
  pg::ColumnRef first;
  first.set_location(ref.location());
  *first.add_fields() = ref.fields(0);
  Result<Operand> value = column(first);
  for (int i = 1; i < ref.fields_size() && value.ok(); ++i) {
    if (ref.fields(i).node_case() != pg::Node::kString) {
      return fail(ref.location(), "'" + name_of(ref.fields()) + "' is not a column: write .name");
    }
    value = field(*std::move(value), ref.fields(i).string().sval(), ref.location());
  }
  return value;
}

// x = any(list), x <> all(list)
Result<Operand> Typer::quantified(const pg::AExpr& node, int depth) {
  Result<Operand> left = convert(node.lexpr(), depth + 1);
  if (!left.ok()) return left;
  Result<Operand> right = convert(node.rexpr(), depth + 1);
  if (!right.ok()) return right;
  const std::string name = name_of(node.name()) + (node.kind() == kOperatorAny ? " any" : " all");
  if (right->expr.type() != proto::LIST) {
    return fail(node.location(), "'any' and 'all' need a list, but " + sql(right->expr) + " is " +
                                     type_name(full_type(right->expr)));
  }
  return call(node.location(), name, {*std::move(left), *std::move(right)});
}

// An operand as a value of the type, by the conversions that need no cast. Decimals may have more
// digits than the type.
Result<Operand> Typer::fit(Operand arg, const proto::Type& type, const std::string& who) const {
  if (is_null_literal(arg)) {
    arg.untyped = false;
    arg.numeric.reset();
    proto::Type open = type;
    open.clear_precision();
    open.clear_scale();
    set_full_type(open, &arg.expr);
    return arg;
  }
  const bool numeric = arg.numeric.has_value() && type.kind() == proto::DECIMAL;
  const bool converts =
      arg.untyped || numeric || promotion_steps(arg.expr.type(), type.kind()).has_value();
  const bool fits = is_nested(type.kind()) ? same_type(full_type(arg.expr), type) : converts;
  if (!fits) {
    return fail(arg.location,
                "the " + who + " are " + type_name(type) + ", but " + sql(arg.expr) + " is " +
                    type_name(full_type(arg.expr)) +
                    (can_cast(arg.expr.type(), type.kind())
                         ? "; write cast(" + sql(arg.expr) + " as " + type_name(type) + ")"
                         : ""));
  }
  return is_nested(type.kind()) ? Result<Operand>(std::move(arg))
                                : cast_to(std::move(arg), type.kind());
}

// Of functions of a list and an element, or a map and a key: brings the second to the type that the
// first says.
Status Typer::fit_parts(const std::string& name, std::vector<Operand>* args) const {
  if (args->size() != 2 || !takes_a_part(name)) return {};
  const auto holds = [](const Operand& each) {
    return !each.untyped && (each.expr.type() == proto::LIST || each.expr.type() == proto::MAP);
  };
  // The element of a list of lists is a list as well.
  const bool behind = name == "array_prepend" || name.ends_with(" any") || name.ends_with(" all") ||
                      !holds(args->front());
  Operand& whole = behind ? args->back() : args->front();
  Operand& part = behind ? args->front() : args->back();
  if (!holds(whole)) return {};
  if (name == "||" && part.untyped) {
    if (!is_null_literal(part)) {
      return fail(part.location, "whether " + sql(part.expr) +
                                     " is a list or an element is open; write array_append(), or "
                                     "cast it");
    }
    part.untyped = false;
    set_full_type(whole.expr.details(), &part.expr);
    return {};
  }
  if (name == "||" && holds(part)) return {};
  const bool map = whole.expr.type() == proto::MAP;
  const proto::Type type = whole.expr.details().fields(0).type();
  Result<Operand> fitted = fit(std::move(part), type, map ? "keys" : "elements");
  if (!fitted.ok()) return fitted.error();
  part = *std::move(fitted);
  return {};
}

// string[], decimal(12, 2)[][]
Result<proto::Type> Typer::list_type(const pg::TypeName& type) const {
  pg::TypeName element = type;
  element.clear_array_bounds();
  Result<proto::Type> out = target_type(element);
  for (int i = 0; i < type.array_bounds_size() && out.ok(); ++i) {
    proto::Type list;
    list.set_kind(proto::LIST);
    *list.add_fields()->mutable_type() = *std::move(out);
    out = std::move(list);
  }
  if (!out.ok()) return out;
  if (Status s = check_type(*out); !s.ok()) return fail(type.location(), s.error().message());
  return out;
}

// cast(array[x, ...] as string[]): it is the elements that are cast.
Result<Operand> Typer::array_cast(const pg::TypeCast& node, int depth) {
  Result<proto::Type> type = target_type(node.type_name());
  if (!type.ok()) return type.error();
  const bool list = type->kind() == proto::LIST;
  Result<Operand> out =
      array(node.arg().a_array_expr(), list ? &type->fields(0).type() : nullptr, depth + 1);
  if (!out.ok() || list) return out;
  return cast_to(*std::move(out), *type);
}

// What a list, struct or map is cast to: itself, JSON, or the text of that.
Result<Operand> Typer::cast_nested(Operand arg, const proto::Type& type) const {
  const bool from_nested = is_nested(arg.expr.type());
  if (from_nested && same_type(full_type(arg.expr), type)) return arg;
  if (from_nested && (type.kind() == proto::JSON || type.kind() == proto::STRING)) {
    const int location = arg.location;
    Operand json = operation_of(Expr::CALL, proto::JSON, location, {std::move(arg)});
    json.expr.clear_details();
    json.expr.set_function("to_json");
    if (type.kind() == proto::JSON) return json;
    return cast_to(std::move(json), proto::STRING);
  }
  return fail(
      arg.location,
      "there is no cast from " + type_name(full_type(arg.expr)) + " to " + type_name(type) +
          "; make lists by array[...] or string_to_array(), and cast them to json or string");
}

}  // namespace tidemill
