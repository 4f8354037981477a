// From the syntax of an expression to its types: one walk over libpg_query's tree, which knows the
// columns, finds the functions and inserts the conversions. Private to shared/expr.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/expr/parse_tree.h"
#include "shared/expr/parser.h"

namespace tidemill {

// An expression on its way up. `untyped`: a string literal or a null that has not met a type yet.
struct Operand {
  proto::Expr expr;
  bool untyped = false;
  int location = 0;
  // Of a double that PostgreSQL has as numeric, such as 1.10 or n * 1.1: what it is beside a
  // decimal.
  std::optional<proto::Expr> numeric{};
};

class Typer {
 public:
  Typer(std::string_view text, const std::vector<NamedColumn>& schema);

  Result<Operand> convert(const pg::Node& node, int depth);
  // The value of an expression as a whole: of a type that columns have.
  Result<Operand> convert_whole(const pg::Node& node);
  std::string sql(const proto::Expr& expr) const;

 private:
  using Nodes = google::protobuf::RepeatedPtrField<pg::Node>;

  // parser.cc: columns, literals, casts, operators of Expr.
  Error fail(int location, const std::string& message) const;
  Error unsupported(const pg::Node& node) const;
  Result<Operand> column(const pg::ColumnRef& ref);
  std::string unknown_column(const std::string& name) const;
  Result<Operand> literal(const pg::AConst& value);
  Result<Operand> number(const std::string& digits, Operand out) const;
  Result<proto::Type> target_type(const pg::TypeName& type) const;
  Result<proto::Type> decimal_type(const pg::TypeName& type) const;
  Result<Operand> cast(const pg::TypeCast& node, int depth);
  Result<Operand> cast_to(Operand arg, proto::ColumnType type) const;
  Result<Operand> cast_to(Operand arg, const proto::Type& type) const;
  std::string detour(const proto::Expr& from, proto::ColumnType to) const;
  Result<Operand> simplified(Operand operand) const;
  Result<Operand> plain_operation(const pg::AExpr& node, const std::string& name, int depth);
  Result<Operand> sign(const pg::AExpr& node, const std::string& name, int depth);
  std::string needs_number(const std::string& op, const Operand& arg) const;
  Result<Operand> binary(proto::Expr::Op op, const std::string& name, int location, Operand left,
                         Operand right);
  Status agree(int location, Operand* left, Operand* right) const;
  Result<Operand> both_numeric(proto::Expr::Op op, int location, const Operand& left,
                               const Operand& right) const;
  Result<Operand> as_bool(const pg::Node& node, const std::string& who, int depth);
  Result<Operand> boolean(const pg::BoolExpr& node, int depth);
  Result<Operand> null_test(const pg::NullTest& node, int depth);
  Result<Operand> boolean_test(const pg::BooleanTest& node, int depth);

  // typer_calls.cc: functions, and operators that are functions.
  Result<Operand> function(const pg::FuncCall& node, int depth);
  Result<Operand> call(int location, const std::string& name, std::vector<Operand> args);
  Result<Operand> attempt(int location, std::vector<Operand> args);
  Status as_strings(const std::string& name, std::vector<Operand>* args) const;
  Error does_not_fit(int location, const std::string& name, const std::vector<Operand>& args) const;
  Result<std::vector<Operand>> convert_all(const Nodes& nodes, int depth);

  // typer_nested.cc: lists, structs and maps.
  Result<Operand> array(const pg::AArrayExpr& node, const proto::Type* type, int depth);
  Result<Operand> field(Operand value, const std::string& name, int location);
  Result<Operand> indirection(const pg::AIndirection& node, int depth);
  Result<Operand> column_path(const pg::ColumnRef& ref);
  Result<Operand> quantified(const pg::AExpr& node, int depth);
  Result<Operand> fit(Operand arg, const proto::Type& type, const std::string& who) const;
  Status fit_parts(const std::string& name, std::vector<Operand>* args) const;
  Result<proto::Type> list_type(const pg::TypeName& type) const;
  Result<Operand> array_cast(const pg::TypeCast& node, int depth);
  Result<Operand> cast_nested(Operand arg, const proto::Type& type) const;

  // typer_choices.cc: forms with a syntax of their own.
  Result<Operand> operation(const pg::AExpr& node, int depth);
  Result<Operand> choice(const pg::CaseExpr& node, int depth);
  Result<Operand> first_of(const pg::CoalesceExpr& node, int depth);
  Result<Operand> extreme(const pg::MinMaxExpr& node, int depth);
  Result<Operand> among(const pg::AExpr& node, int depth);
  Result<Operand> between(const pg::AExpr& node, int depth);
  Result<Operand> distinct(const pg::AExpr& node, int depth);
  Result<Operand> null_if(const pg::AExpr& node, int depth);
  Result<Operand> compared(proto::Expr::Op op, int location, const Operand& a, const Operand& b);
  Status unify(const std::string& who, std::vector<Operand*> operands) const;
  Status copies(const Operand& operand, size_t count) const;

  std::string_view text_;
  const std::vector<NamedColumn>& schema_;
  std::vector<std::string> names_;
};

// The type that a literal beside the operand gets: decimals have any number of digits.
proto::Type adopted_type(const Operand& operand);

// Where one is a decimal, literals with a point are decimals too.
void prefer_numeric(std::span<Operand* const> operands);

// An operator with its arguments.
Operand operation_of(proto::Expr::Op op, proto::ColumnType type, int location,
                     std::vector<Operand> args);

// "a.b"
std::string name_of(const google::protobuf::RepeatedPtrField<pg::Node>& parts);

}  // namespace tidemill
