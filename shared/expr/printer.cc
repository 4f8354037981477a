#include "shared/expr/printer.h"

#include <cmath>
#include <limits>

#include "shared/base/time.h"
#include "shared/expr/functions.h"
#include "shared/expr/parse_tree.h"
#include "shared/expr/scalars.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

using proto::Expr;

// PostgreSQL's operator precedence, loosest first.
enum Precedence {
  kOr = 1,
  kAnd,
  kNot,
  kIs,
  kComparison,
  kLike,
  kOther,
  kSum,
  kProduct,
  kPower,
  kSign,
  kAtom
};

std::string quoted(const std::string& text, char quote) {
  std::string out(1, quote);
  for (char c : text) {
    if (c == quote) out += quote;
    out += c;
  }
  return out + quote;
}

std::string cast_text(const std::string& value, const proto::Type& type) {
  return "cast(" + value + " as " + type_name(type) + ")";
}
std::string cast_text(const std::string& value, const proto::Type& element,
                      const std::string& bounds) {
  if (element.kind() != proto::LIST) {
    return "cast(" + value + " as " + type_name(element) + bounds + ")";
  }
  return cast_text(value, element.fields(0).type(), "[]" + bounds);
}
std::string cast_text(const std::string& value, proto::ColumnType type) {
  return "cast(" + value + " as " + type_name(type) + ")";
}

std::string decimal_literal(const std::string& digits, bool adopts) {
  return adopts && digits.find('.') != std::string::npos
             ? digits
             : cast_text("'" + digits + "'", proto::DECIMAL);
}

std::string double_literal(double value) {
  TextBuffer buffer;
  std::string text(double_to_text(value, &buffer));
  if (!std::isfinite(value)) return cast_text("'" + text + "'", proto::DOUBLE);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string time_text(const Expr& e) {
  TextBuffer buffer;
  if (e.type() == proto::DATE) return std::string(date_to_text(e.literal_int(), &buffer));
  if (e.type() == proto::TIMESTAMP) return format_timestamp(e.literal_int());
  return std::string(local_timestamp_to_text(e.literal_int(), &buffer));
}

// Operators that are functions by name, and how they are written.
Precedence operator_precedence(const std::string& name, bool binary) {
  if (name.ends_with(" any") || name.ends_with(" all")) return kComparison;
  if (!is_operator_name(name) || name == "[]" || name == ".") return kAtom;
  if (!binary) return kSign;
  if (name == "+" || name == "-") return kSum;
  if (name == "*" || name == "/") return kProduct;
  if (name == "^") return kPower;
  return name.find("~~") == std::string::npos ? kOther : kLike;
}

std::string operator_text(const std::string& name) {
  if (name == "~~") return "like";
  if (name == "!~~") return "not like";
  if (name == "~~*") return "ilike";
  if (name == "!~~*") return "not ilike";
  return name;
}

// `adopts`: the context gives an untyped literal this literal's type.
std::string literal(const Expr& e, bool adopts) {
  if (e.literal_case() == Expr::LITERAL_NOT_SET) {
    if (adopts && e.details().precision() == 0) return "null";
    return e.type() == proto::LIST ? cast_text("null", e.details().fields(0).type(), "[]")
                                   : cast_text("null", full_type(e));
  }
  switch (e.type()) {
    case proto::BOOL:
      return e.literal_bool() ? "true" : "false";
    case proto::DOUBLE:
      return double_literal(e.literal_double());
    case proto::STRING:
      return quoted(e.literal_string(), '\'');
    case proto::DECIMAL:
      return decimal_literal(e.literal_string(), adopts);
    case proto::JSON:
    case proto::BYTES:
    case proto::INTERVAL: {
      const std::string text = quoted(e.literal_string(), '\'');
      return adopts ? text : cast_text(text, e.type());
    }
    case proto::DATE:
    case proto::LOCAL_TIMESTAMP:
    case proto::TIMESTAMP: {
      const std::string text = quoted(time_text(e), '\'');
      return adopts ? text : cast_text(text, e.type());
    }
    default: {
      const std::string text = std::to_string(e.literal_int());
      const bool reads_as_int32 = e.literal_int() >= std::numeric_limits<int32_t>::min() &&
                                  e.literal_int() <= std::numeric_limits<int32_t>::max();
      return e.type() == proto::INT64 && reads_as_int32 && !adopts ? cast_text(text, e.type())
                                                                   : text;
    }
  }
}

Precedence precedence(const Expr& e, const std::string& text) {
  switch (e.op()) {
    case Expr::OR:
      return kOr;
    case Expr::AND:
      return kAnd;
    case Expr::NOT:
      return kNot;
    case Expr::ADD:
    case Expr::SUBTRACT:
      return kSum;
    case Expr::MULTIPLY:
    case Expr::DIVIDE:
    case Expr::MODULO:
      return kProduct;
    case Expr::NEGATE:
      return kSign;
    case Expr::COLUMN:
    case Expr::CAST:
    case Expr::CASE:
    case Expr::COALESCE:
    case Expr::NULLIF:
    case Expr::GREATEST:
    case Expr::LEAST:
      return kAtom;
    case Expr::CALL:
      return operator_precedence(e.function(), e.args_size() == 2);
    case Expr::IN:
      return kLike;
    case Expr::LITERAL:
      return text[0] == '-' ? kSign : kAtom;
    default:
      return e.op() >= Expr::IS_NULL ? kIs : kComparison;
  }
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
    default:
      return " or ";
  }
}

const char* suffix(Expr::Op op) {
  switch (op) {
    case Expr::IS_NULL:
      return " is null";
    case Expr::IS_NOT_NULL:
      return " is not null";
    case Expr::IS_TRUE:
      return " is true";
    case Expr::IS_FALSE:
      return " is false";
    case Expr::IS_NOT_TRUE:
      return " is not true";
    case Expr::IS_NOT_FALSE:
      return " is not false";
    case Expr::IS_UNKNOWN:
      return " is unknown";
    default:
      return " is not unknown";
  }
}

class Printer {
 public:
  explicit Printer(const std::vector<std::string>& columns) : columns_(columns) {}

  std::string print(const Expr& e, int least, bool adopts) const {
    const std::string text = bare(e, adopts);
    return precedence(e, text) >= least ? text : "(" + text + ")";
  }

 private:
  std::string bare(const Expr& e, bool adopts) const {
    switch (e.op()) {
      case Expr::COLUMN:
        return quote_identifier(columns_[e.column()]);
      case Expr::LITERAL:
        return literal(e, adopts);
      case Expr::CAST:
        return cast_text(print(e.args(0), kOr, false), full_type(e));
      case Expr::NEGATE:
        return "-" + print(e.args(0), kAtom, false);
      case Expr::NOT:
        return "not " + print(e.args(0), kNot, true);
      case Expr::AND:
      case Expr::OR: {
        const int least = (e.op() == Expr::AND ? kAnd : kOr) + 1;
        std::string out = print(e.args(0), least, true);
        for (int i = 1; i < e.args_size(); ++i) {
          out += infix(e.op()) + print(e.args(i), least, true);
        }
        return out;
      }
      case Expr::CALL:
        return call(e);
      case Expr::CASE:
        return choice(e);
      case Expr::COALESCE:
        return "coalesce(" + list(e, 0) + ")";
      case Expr::NULLIF:
        return "nullif(" + list(e, 0) + ")";
      case Expr::GREATEST:
        return "greatest(" + list(e, 0) + ")";
      case Expr::LEAST:
        return "least(" + list(e, 0) + ")";
      case Expr::IN:
        return print(e.args(0), kLike + 1, false) + " in (" + list(e, 1) + ")";
      case Expr::IS_DISTINCT_FROM:
      case Expr::IS_NOT_DISTINCT_FROM:
        return print(e.args(0), kIs + 1, false) + " is " +
               (e.op() == Expr::IS_DISTINCT_FROM ? "" : "not ") + "distinct from " +
               print(e.args(1), kIs + 1, false);
      default:
        break;
    }
    if (e.op() >= Expr::IS_NULL) {
      const bool of_bool = e.op() >= Expr::IS_TRUE;
      return print(e.args(0), kIs + 1, of_bool) + suffix(e.op());
    }
    return binary(e);
  }

  std::string list(const Expr& e, int first) const {
    std::string out;
    for (int i = first; i < e.args_size(); ++i) {
      out += (i == first ? "" : ", ") + print(e.args(i), kOr, false);
    }
    return out;
  }

  std::string call(const Expr& e) const {
    if (e.function() == "extract") {
      return "extract(" + e.args(0).literal_string() + " from " + print(e.args(1), kOr, false) +
             ")";
    }
    if (is_nested_form(e.function())) return nested_form(e);
    if (!is_operator_name(e.function()))
      return quote_identifier(e.function()) + "(" + list(e, 0) + ")";
    if (e.args_size() == 1) return e.function() + print(e.args(0), kAtom, false);
    const int own = precedence(e, "");
    return print(e.args(0), own == kLike ? own + 1 : own, false) + " " +
           operator_text(e.function()) + " " + print(e.args(1), own + 1, false);
  }

  static bool is_nested_form(const std::string& name) {
    return name == "array" || name == "[]" || name == "." || name.ends_with(" any") ||
           name.ends_with(" all");
  }

  // Forms of lists and structs that have a syntax of their own.
  std::string nested_form(const Expr& e) const {
    const std::string& name = e.function();
    if (name == "array") {
      const bool says = e.args().empty() || e.details().fields(0).type().kind() == proto::DECIMAL;
      const std::string text = "array[" + list(e, 0) + "]";
      return says ? cast_text(text, e.details().fields(0).type(), "[]") : text;
    }
    if (name == "[]" || name == ".") {
      const Expr& of = e.args(0);
      const bool part = of.op() == Expr::CALL && (of.function() == "[]" || of.function() == ".");
      const bool column = of.op() == Expr::COLUMN && name == "[]";
      const std::string text = print(of, kOr, false);
      return (part || column ? text : "(" + text + ")") +
             (name == "[]" ? "[" + print(e.args(1), kOr, true) + "]"
                           : "." + quote_identifier(e.args(1).literal_string()));
    }
    return print(e.args(0), kOther + 1, false) + " " + name + " (" + print(e.args(1), kOr, false) +
           ")";
  }

  std::string choice(const Expr& e) const {
    std::string out = "case";
    int i = 0;
    for (; i + 1 < e.args_size(); i += 2) {
      out += " when " + print(e.args(i), kOr, true) + " then " + print(e.args(i + 1), kOr, false);
    }
    if (i < e.args_size()) out += " else " + print(e.args(i), kOr, false);
    return out + " end";
  }

  std::string binary(const Expr& e) const {
    const int own = precedence(e, "");
    const bool left_literal = e.args(0).op() == Expr::LITERAL;
    const bool right_literal = e.args(1).op() == Expr::LITERAL;
    const int least_left = own == kComparison ? own + 1 : own;
    return print(e.args(0), least_left, !right_literal) + infix(e.op()) +
           print(e.args(1), own + 1, !left_literal);
  }

  const std::vector<std::string>& columns_;
};

}  // namespace

std::string to_sql(const proto::Expr& expr, const std::vector<std::string>& columns) {
  return Printer(columns).print(expr, kOr, false);
}

std::string quote_identifier(const std::string& name) {
  return is_plain_identifier(name) ? name : quoted(name, '"');
}

}  // namespace tidemill
