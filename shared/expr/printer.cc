#include "shared/expr/printer.h"

#include <cmath>
#include <limits>

#include "shared/base/time.h"
#include "shared/expr/parse_tree.h"
#include "shared/expr/scalars.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

using proto::Expr;

// PostgreSQL's operator precedence, loosest first.
enum Precedence { kOr = 1, kAnd, kNot, kIs, kComparison, kSum, kProduct, kSign, kAtom };

std::string quoted(const std::string& text, char quote) {
  std::string out(1, quote);
  for (char c : text) {
    if (c == quote) out += quote;
    out += c;
  }
  return out + quote;
}

std::string cast_text(const std::string& value, proto::ColumnType type) {
  return "cast(" + value + " as " + type_name(type) + ")";
}

std::string double_literal(double value) {
  TextBuffer buffer;
  std::string text(double_to_text(value, &buffer));
  if (!std::isfinite(value)) return cast_text("'" + text + "'", proto::DOUBLE);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

// `adopts`: the context gives an untyped literal this literal's type.
std::string literal(const Expr& e, bool adopts) {
  if (e.literal_case() == Expr::LITERAL_NOT_SET) {
    return adopts ? "null" : cast_text("null", e.type());
  }
  switch (e.type()) {
    case proto::BOOL:
      return e.literal_bool() ? "true" : "false";
    case proto::DOUBLE:
      return double_literal(e.literal_double());
    case proto::STRING:
      return quoted(e.literal_string(), '\'');
    case proto::TIMESTAMP: {
      const std::string text = quoted(format_timestamp(e.literal_int()), '\'');
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
      return kAtom;
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
        return cast_text(print(e.args(0), kOr, false), e.type());
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
      default:
        break;
    }
    if (e.op() >= Expr::IS_NULL) {
      const bool of_bool = e.op() >= Expr::IS_TRUE;
      return print(e.args(0), kIs + 1, of_bool) + suffix(e.op());
    }
    return binary(e);
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
