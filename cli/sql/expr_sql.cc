#include "cli/sql/expr_sql.h"

#include <algorithm>
#include <array>

#include "shared/base/decimal.h"
#include "shared/expr/types.h"

namespace tidemill::sql {
namespace {

using proto::Expr;

Error refused(const DialectText& text, const std::string& expression, const std::string& reason) {
  return user_error("'" + expression + "' cannot be said in " + dialect_name(text.dialect()) +
                    " SQL: " + reason);
}

const char* infix(Expr::Op op) {
  switch (op) {
    case Expr::ADD:
      return " + ";
    case Expr::SUBTRACT:
      return " - ";
    case Expr::MULTIPLY:
      return " * ";
    case Expr::DIVIDE:
      return " / ";
    case Expr::MODULO:
      return " % ";
    case Expr::EQUAL:
      return " = ";
    case Expr::NOT_EQUAL:
      return " <> ";
    case Expr::LESS:
      return " < ";
    case Expr::LESS_EQUAL:
      return " <= ";
    case Expr::GREATER:
      return " > ";
    case Expr::GREATER_EQUAL:
      return " >= ";
    case Expr::AND:
      return " and ";
    case Expr::OR:
      return " or ";
    default:
      return nullptr;
  }
}

const char* suffix(Expr::Op op) {
  switch (op) {
    case Expr::IS_NULL:
    case Expr::IS_UNKNOWN:
      return " is null";
    case Expr::IS_NOT_NULL:
    case Expr::IS_NOT_UNKNOWN:
      return " is not null";
    case Expr::IS_TRUE:
      return " is true";
    case Expr::IS_FALSE:
      return " is false";
    case Expr::IS_NOT_TRUE:
      return " is not true";
    case Expr::IS_NOT_FALSE:
      return " is not false";
    default:
      return nullptr;
  }
}

// Functions that have this name and this meaning in every dialect.
constexpr std::array<std::string_view, 4> kSharedFunctions{"abs", "lower", "upper", "sqrt"};

class Printer {
 public:
  // `whole`: what is printed, for errors; parts have no text of their own.
  Printer(const std::string& whole, const std::vector<std::string>& columns,
          const DialectText& text)
      : whole_(whole), columns_(columns), text_(text) {}

  // In parentheses unless it is an atom.
  Result<std::string> print(const Expr& e) const {
    if (is_nested(e.type())) {
      return refused(text_, whole_,
                     "lists, structs and maps are not written as SQL; choose features without "
                     "them by --service");
    }
    switch (e.op()) {
      case Expr::COLUMN:
        return columns_[e.column()];
      case Expr::LITERAL:
        return literal_sql(e, text_);
      case Expr::CAST:
        return cast(e);
      case Expr::DIVIDE:
      case Expr::MODULO:
        return divide(e);
      default:
        break;
    }
    if (e.type() == proto::DECIMAL && text_.dialect() != Dialect::kPostgres && is_wide(e)) {
      return refused(text_, whole_, "it rounds decimals that may have more than 38 digits");
    }
    std::vector<std::string> args;
    for (const Expr& arg : e.args()) {
      auto printed = print(arg);
      if (!printed) return printed.error();
      args.push_back(std::move(printed).value());
    }
    return of_arguments(e, args);
  }

 private:
  // Its type may be one that had to be cut to what there is.
  static bool is_wide(const Expr& e) {
    const bool grows = e.op() >= Expr::ADD && e.op() <= Expr::MULTIPLY;
    return e.details().precision() == 0 || (grows && e.details().precision() == kMaxDecimalDigits);
  }

  Result<std::string> of_arguments(const Expr& e, const std::vector<std::string>& args) const {
    if (const char* after = suffix(e.op())) return "(" + args[0] + after + ")";
    if (const char* between = infix(e.op())) return chain(e, args, between);
    switch (e.op()) {
      case Expr::NEGATE:
        return "(- " + args[0] + ")";
      case Expr::NOT:
        return "(not " + args[0] + ")";
      case Expr::CASE:
        return choice(args);
      case Expr::COALESCE:
        return "coalesce(" + joined(args, 0) + ")";
      case Expr::NULLIF:
        return "nullif(" + joined(args, 0) + ")";
      case Expr::IN:
        return "(" + args[0] + " in (" + joined(args, 1) + "))";
      case Expr::IS_DISTINCT_FROM:
        return "(not (" + not_distinct(args) + "))";
      case Expr::IS_NOT_DISTINCT_FROM:
        return "(" + not_distinct(args) + ")";
      case Expr::CALL:
        return call(e, args);
      default:
        return refused(text_, whole_, "it is not known how to print this operation");
    }
  }

  static std::string joined(const std::vector<std::string>& args, size_t from) {
    std::string out;
    for (size_t i = from; i < args.size(); ++i) out += (i > from ? ", " : "") + args[i];
    return out;
  }

  std::string not_distinct(const std::vector<std::string>& args) const {
    const bool spark = text_.dialect() == Dialect::kSpark;
    return args[0] + (spark ? " <=> " : " is not distinct from ") + args[1];
  }

  static std::string choice(const std::vector<std::string>& args) {
    std::string out = "(case";
    size_t i = 0;
    for (; i + 1 < args.size(); i += 2) out += " when " + args[i] + " then " + args[i + 1];
    if (i < args.size()) out += " else " + args[i];
    return out + " end)";
  }

  Result<std::string> call(const Expr& e, const std::vector<std::string>& args) const {
    const auto known = std::find(kSharedFunctions.begin(), kSharedFunctions.end(), e.function());
    if (known == kSharedFunctions.end()) {
      return refused(text_, whole_, "it is not known how to print function " + e.function());
    }
    return e.function() + "(" + joined(args, 0) + ")";
  }

  Result<std::string> chain(const Expr& e, const std::vector<std::string>& args,
                            const char* between) const {
    const bool ordered = e.op() >= Expr::LESS && e.op() <= Expr::GREATER_EQUAL;
    const bool strings = ordered && e.args(0).type() == proto::STRING;
    std::string out = "(";
    for (size_t i = 0; i < args.size(); ++i) {
      out += (i > 0 ? between : "") + (strings ? text_.by_bytes(args[i]) : args[i]);
    }
    return out + ")";
  }

  // Truncating, and failing at zero: dialects differ in both.
  Result<std::string> divide(const Expr& e) const {
    auto left = print(e.args(0));
    if (!left) return left.error();
    auto right = print(e.args(1));
    if (!right) return right.error();
    if (e.type() == proto::DECIMAL && text_.dialect() != Dialect::kPostgres) {
      return refused(text_, whole_, "it divides decimals to other numbers of digits");
    }
    const bool whole = is_integer(e.type());
    std::string between = infix(e.op());
    if (whole && e.op() == Expr::DIVIDE && text_.dialect() == Dialect::kDuckdb) between = " // ";
    if (whole && e.op() == Expr::DIVIDE && text_.dialect() == Dialect::kSpark) between = " div ";
    const std::string quotient = *left + between + *right;
    if (text_.dialect() == Dialect::kPostgres) return "(" + quotient + ")";
    return "(case when " + *right + " = 0 then " + text_.failure("division by zero") + " else " +
           quotient + " end)";
  }

  Result<std::string> cast(const Expr& e) const {
    const proto::ColumnType from = e.args(0).type();
    auto arg = print(e.args(0));
    if (!arg || (from == e.type() && from != proto::DECIMAL)) return arg;
    const auto type = text_.type(full_type(e));
    if (!type) return refused(text_, whole_, "it has no such type");
    const bool postgres = text_.dialect() == Dialect::kPostgres;
    const bool cuts = from == proto::DECIMAL && is_integer(e.type());
    if ((!postgres && e.type() == proto::DECIMAL &&
         (from == proto::DOUBLE || from == proto::STRING)) ||
        (cuts && text_.dialect() == Dialect::kSpark)) {
      return refused(text_, whole_, "it rounds such values otherwise; leave the cast out");
    }
    if (e.type() == proto::STRING && from == proto::TIMESTAMP) {
      return refused(text_, whole_, "it writes timestamps otherwise; leave the cast out");
    }
    if (e.type() == proto::STRING && from == proto::DOUBLE && !postgres) {
      return refused(text_, whole_, "it writes doubles otherwise; leave the cast out");
    }
    if (from == proto::BOOL && postgres && e.type() != proto::STRING && e.type() != proto::INT32) {
      arg = "cast(" + *arg + " as integer)";
    }
    if (e.type() == proto::BOOL && is_integer(from)) return "(" + *arg + " <> 0)";
    if (from == proto::DOUBLE && is_integer(e.type()) && !postgres) {
      const bool spark = text_.dialect() == Dialect::kSpark;
      arg = spark ? "rint(" + *arg + ")" : "round_even(" + *arg + ", 0)";
    }
    return "cast(" + *arg + " as " + *type + ")";
  }

  const std::string& whole_;
  const std::vector<std::string>& columns_;
  const DialectText& text_;
};

}  // namespace

Result<std::string> literal_sql(const Expr& e, const DialectText& text) {
  const auto type = text.type(full_type(e));
  if (!type) return refused(text, e.text(), "it has no such type");
  if (e.type() == proto::DECIMAL && e.literal_case() == Expr::kLiteralString) {
    return "cast('" + e.literal_string() + "' as " + *type + ")";
  }
  if (e.literal_case() == Expr::LITERAL_NOT_SET) return "cast(null as " + *type + ")";
  switch (e.type()) {
    case proto::BOOL:
      return std::string(e.literal_bool() ? "true" : "false");
    case proto::INT32:
    case proto::INT64:
      return text.integer(e.literal_int(), e.type() == proto::INT64);
    case proto::DOUBLE:
      return text.real(e.literal_double());
    case proto::TIMESTAMP:
      return text.timestamp(e.literal_int());
    default:
      return text.text(e.literal_string());
  }
}

Result<std::string> expression_sql(const Expr& expr, const std::vector<std::string>& columns,
                                   const DialectText& text) {
  return Printer(expr.text(), columns, text).print(expr);
}

}  // namespace tidemill::sql
