// Calls of functions, by name or by an operator's sign.
#include <algorithm>
#include <optional>

#include "shared/expr/casts.h"
#include "shared/expr/functions.h"
#include "shared/expr/suggest.h"
#include "shared/expr/typer.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

using proto::Expr;

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return text;
}

// What the parser makes of `position(a in b)`, which is strpos(b, a), and other names for one
// thing.
std::string plain_name(std::string name) {
  constexpr std::string_view kCatalog = "pg_catalog.";
  if (name.starts_with(kCatalog)) name = name.substr(kCatalog.size());
  return name == "position" ? "strpos" : name;
}

bool depends_on_the_clock(std::string_view name) {
  return name == "now" || name == "clock_timestamp" || name == "random" ||
         name == "statement_timestamp" || name == "transaction_timestamp";
}

std::optional<proto::ColumnType> known_type(const Operand& arg) {
  if (arg.untyped) return std::nullopt;
  return arg.expr.type();
}

// Of an operator with one operand of no type yet: the function of two of the other's, if there is
// one, as PostgreSQL takes it.
const SqlFunction* resolve(const std::string& name, const std::vector<Operand>& args) {
  std::vector<std::optional<proto::ColumnType>> types;
  for (const Operand& arg : args) types.push_back(known_type(arg));
  if (is_operator_name(name) && args.size() == 2 && types[0].has_value() != types[1].has_value()) {
    const proto::ColumnType other = types[0].has_value() ? *types[0] : *types[1];
    if (const SqlFunction* same = find_function(name, std::array{other, other}); same != nullptr) {
      return same;
    }
  }
  return resolve_function(name, types);
}

// The same where literals with a point are decimals, as of mod(5.5, 2).
const SqlFunction* resolve_numeric(const std::string& name, const std::vector<Operand>& args) {
  std::vector<std::optional<proto::ColumnType>> types;
  for (const Operand& arg : args) {
    types.push_back(arg.numeric.has_value() ? proto::DECIMAL : known_type(arg));
  }
  return resolve_function(name, types);
}

}  // namespace

Result<std::vector<Operand>> Typer::convert_all(const Nodes& nodes, int depth) {
  std::vector<Operand> out;
  for (const pg::Node& node : nodes) {
    Result<Operand> operand = convert(node, depth + 1);
    if (!operand.ok()) return operand.error();
    out.push_back(*std::move(operand));
  }
  return out;
}

Result<Operand> Typer::function(const pg::FuncCall& node, int depth) {
  const std::string name = plain_name(name_of(node.funcname()));
  if (has_unknown_fields(node)) {
    return fail(
        node.location(),
        name + "() is written as an aggregate or window function; write its arguments alone");
  }
  if (depends_on_the_clock(name)) {
    return fail(node.location(), name +
                                     "() is not supported: a value must follow from the event; use "
                                     "its event time");
  }
  Result<std::vector<Operand>> args = convert_all(node.args(), depth);
  if (!args.ok()) return args.error();
  if (name == kTry) return attempt(node.location(), *std::move(args));
  return call(node.location(), name, *std::move(args));
}

Result<Operand> Typer::attempt(int location, std::vector<Operand> args) {
  if (args.size() != 1)
    return fail(location, "try() takes one expression: write try(cast(x as int64)), say");
  if (args[0].untyped) return std::move(args[0]);
  const proto::ColumnType type = args[0].expr.type();
  Operand out = operation_of(Expr::CALL, type, location, std::move(args));
  out.expr.set_function(std::string(kTry));
  return out;
}

// concat() takes values of any type as text, and so does || beside a string.
Status Typer::as_strings(const std::string& name, std::vector<Operand>* args) const {
  const bool concat = name == "concat" || name == "concat_ws";
  const auto is_string = [](const Operand& arg) { return arg.expr.type() == proto::STRING; };
  const auto is_list = [](const Operand& arg) { return arg.expr.type() == proto::LIST; };
  if (!concat && std::any_of(args->begin(), args->end(), is_list)) return {};
  if (!concat && (name != "||" || args->size() != 2 ||
                  (!is_string(args->front()) && !is_string(args->back())))) {
    return {};
  }
  for (Operand& arg : *args) {
    if (is_string(arg)) continue;
    if (concat && arg.expr.type() == proto::BOOL) {
      return fail(arg.location,
                  name + "() does not take bool; write cast(" + sql(arg.expr) + " as string)");
    }
    Result<Operand> text = cast_to(arg, proto::STRING);
    if (!text.ok()) return text.error();
    arg = *std::move(text);
  }
  return {};
}

Error Typer::does_not_fit(int location, const std::string& name,
                          const std::vector<Operand>& args) const {
  std::vector<std::string> known;
  for (const SqlFunction* each : functions_named(name)) known.push_back(signature(*each));
  if (known.empty() && is_operator_name(name)) {
    return fail(location, "the operator " + name + " is not supported" + operator_advice(name));
  }
  if (known.empty()) {
    return fail(location, "unknown function " + name + "()" +
                              (nearest(name, sql_function_names()).empty()
                                   ? "; docs/expressions.md lists those that there are"
                                   : suggestion(name, sql_function_names())));
  }
  std::vector<std::string> given;
  for (const Operand& arg : args) {
    given.push_back(arg.untyped ? "a literal" : type_name(adopted_type(arg)));
  }
  const std::string what = is_operator_name(name) ? "'" + name + "'" : name + "()";
  return fail(location, what + " does not take " +
                            (given.empty() ? "no arguments" : join_names(given, "and")) +
                            "; there is " + join_names(known, "and"));
}

Result<Operand> Typer::call(int location, const std::string& name, std::vector<Operand> args) {
  if (Status s = fit_parts(name, &args); !s.ok()) return s.error();
  if (Status s = as_strings(name, &args); !s.ok()) return s.error();
  std::vector<Operand*> all;
  for (Operand& arg : args) all.push_back(&arg);
  prefer_numeric(all);
  const SqlFunction* function = resolve(name, args);
  if (function == nullptr && resolve_numeric(name, args) != nullptr) {
    function = resolve_numeric(name, args);
  }
  if (function == nullptr) return does_not_fit(location, name, args);
  for (size_t i = 0; i < args.size(); ++i) {
    if (parameter(*function, i) == kAnyType) continue;
    Result<Operand> converted = cast_to(args[i], parameter(*function, i));
    if (!converted.ok()) return converted;
    args[i] = *std::move(converted);
  }
  // The name of a field, as extract(hour from t) has it, is printed as a word.
  if (name == "extract" && args[0].expr.literal_case() == Expr::kLiteralString) {
    args[0].expr.set_literal_string(lower(args[0].expr.literal_string()));
  }
  Operand out = operation_of(Expr::CALL, function->result, location, std::move(args));
  out.expr.set_function(name);
  if (function->type != nullptr) {
    const Result<proto::Type> type = function->type(out.expr);
    if (!type.ok()) return fail(location, type.error().message());
    set_full_type(*type, &out.expr);
  }
  if (function->prepare != nullptr) {
    const auto state = function->prepare(out.expr);
    if (!state.ok()) {
      const std::string& message = state.error().message();
      const bool pattern = message.starts_with("invalid regular expression");
      return fail(location,
                  message + (pattern ? "; docs/expressions.md says what one may hold" : ""));
    }
  }
  return out;
}

}  // namespace tidemill
