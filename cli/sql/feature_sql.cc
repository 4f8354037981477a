#include "cli/sql/feature_sql.h"

#include "cli/sql/expr_sql.h"
#include "shared/base/decimal.h"
#include "shared/expr/types.h"
#include "shared/plan/features.h"

namespace tidemill::sql {
namespace {

using proto::Feature;

class FeaturePrinter {
 public:
  FeaturePrinter(const Feature& feature, const proto::View& view, const proto::Table& table,
                 const std::string& asked, const std::string& name, const DialectText& text)
      : feature_(feature),
        view_(view),
        table_(table),
        asked_(asked),
        aggregate_("a." + name),
        text_(text) {}

  Result<FeatureText> print() const;

 private:
  Error refused(const std::string& reason) const {
    return user_error("feature '" + view_.name() + "." + feature_.name() + "' cannot be said in " +
                      dialect_name(text_.dialect()) + " SQL: " + reason +
                      "; choose other features by --service");
  }
  Status check() const;
  Result<FeatureText> numbers() const;
  Result<FeatureText> lists() const;
  FeatureText as(std::string aggregate, std::string value) const {
    return {std::move(aggregate), std::move(value), {}};
  }

  proto::ColumnType column_type(uint32_t column) const {
    return table_.column_types(static_cast<int>(column));
  }
  std::string column() const { return "r.c" + std::to_string(feature_.column()); }
  // To be ordered, and so in bytes' order.
  std::string ordered(uint32_t column) const {
    const std::string name = "r.c" + std::to_string(column);
    return column_type(column) == proto::STRING ? text_.by_bytes(name) : name;
  }
  std::string condition() const;
  std::string as_type(const std::string& value, proto::ColumnType type) const {
    return "cast(" + value + " as " + *text_.type(type) + ")";
  }
  std::string number(std::string_view function) const;
  std::string decimals(std::string_view function) const;
  proto::Type column_type_of(int column) const { return tidemill::column_type(table_, column); }
  Ordering by_time() const;
  Ordering by_value(bool descending) const;

  const Feature& feature_;
  const proto::View& view_;
  const proto::Table& table_;
  const std::string& asked_;
  std::string aggregate_;
  const DialectText& text_;
};

Status FeaturePrinter::check() const {
  if (feature_.has_steps()) return refused("its windows end at boundaries (every:)");
  if (feature_.gap_us() != 0) return refused("its window is a session (gap:)");
  if (feature_.map()) return refused("its value is a map");
  if (!text_.type(full_type(feature_))) return refused("there is no type for its values");
  return {};
}

std::string FeaturePrinter::condition() const {
  const bool left = feature_.closed() == Feature::LEFT || feature_.closed() == Feature::BOTH;
  const bool right = feature_.closed() == Feature::RIGHT || feature_.closed() == Feature::BOTH;
  std::string out =
      std::string("r.t ") + (right ? "<= " : "< ") + text_.earlier(asked_, feature_.offset_us());
  if (!feature_.lifetime()) {
    out += std::string(" and r.t ") + (left ? ">= " : "> ") +
           text_.earlier(asked_, feature_.offset_us() + feature_.window_us());
  }
  if (feature_.filter() >= 0) out += " and r.f" + std::to_string(feature_.filter());
  return out;
}

// Sums of integers are exact in every dialect, if they are not added as doubles.
std::string FeaturePrinter::number(std::string_view function) const {
  const proto::ColumnType type = column_type(static_cast<uint32_t>(feature_.column()));
  if (type == proto::DOUBLE) return text_.numeric(function, column(), condition());
  std::string value = column();
  const bool sums = function == "sum" || function == "avg";
  if (type == proto::DECIMAL) return decimals(function);
  if (text_.dialect() == Dialect::kSpark && sums) value = "cast(" + value + " as decimal(38, 0))";
  if (text_.dialect() != Dialect::kPostgres && !sums) value = as_type(value, proto::DOUBLE);
  const std::string call(function);
  return as_type(text_.filtered(call + "(" + value + ")", condition()), feature_.type());
}

// PostgreSQL's are exact; the others add decimals exactly, and take their powers as doubles.
std::string FeaturePrinter::decimals(std::string_view function) const {
  const proto::Type type = column_type_of(feature_.column());
  const bool postgres = text_.dialect() == Dialect::kPostgres;
  std::string value = column();
  if (function == "sum" && !postgres) {
    proto::Type wide = type;
    wide.set_precision(kMaxDecimalDigits);
    value = "cast(" + value + " as " + *text_.type(wide) + ")";
  } else if (!postgres) {
    value = as_type(value, proto::DOUBLE);
  }
  const std::string call = text_.filtered(std::string(function) + "(" + value + ")", condition());
  return "cast(" + call + " as " + *text_.type(full_type(feature_)) + ")";
}

// As docs/semantics.md orders rows.
Ordering FeaturePrinter::by_time() const {
  Ordering out{column(), {"r.t"}, false, condition()};
  for (const uint32_t column : view_.order()) out.by.push_back(ordered(column));
  return out;
}

Ordering FeaturePrinter::by_value(bool descending) const {
  return {ordered(static_cast<uint32_t>(feature_.column())), {}, descending, condition()};
}

Result<FeatureText> FeaturePrinter::numbers() const {
  const std::string column_text = feature_.column() < 0 ? "*" : column();
  switch (feature_.function()) {
    case Feature::COUNT:
      return FeatureText{text_.filtered("count(" + column_text + ")", condition()), aggregate_,
                         "0"};
    case Feature::COUNT_DISTINCT:
      return FeatureText{text_.count_distinct(column(), condition()), aggregate_, "0"};
    case Feature::SUM:
      return as(number("sum"), aggregate_);
    case Feature::MEAN:
      return as(number("avg"), aggregate_);
    case Feature::VAR_POP:
      return as(number("var_pop"), aggregate_);
    case Feature::VAR_SAMP:
      return as(number("var_samp"), aggregate_);
    case Feature::STDDEV_POP:
      return as(number("stddev_pop"), aggregate_);
    case Feature::STDDEV_SAMP:
      return as(number("stddev_samp"), aggregate_);
    case Feature::MIN:
      return as(text_.filtered("min(" + column() + ")", condition()), aggregate_);
    case Feature::MAX:
      return as(text_.filtered("max(" + column() + ")", condition()), aggregate_);
    default:
      return lists();
  }
}

Result<FeatureText> FeaturePrinter::lists() const {
  const uint32_t n = feature_.n();
  switch (feature_.function()) {
    case Feature::FIRST:
      return as(text_.list(by_time()), text_.element(aggregate_, false));
    case Feature::LAST:
      return as(text_.list(by_time()), text_.element(aggregate_, true));
    case Feature::FIRST_N:
      return as(text_.list(by_time()), text_.first_of(aggregate_, n));
    case Feature::LAST_N:
      return as(text_.list(by_time()), text_.last_of(aggregate_, n));
    case Feature::FIRST_DISTINCT_N:
      return as(text_.list(by_time()), text_.first_distinct_of(aggregate_, n));
    case Feature::LAST_DISTINCT_N:
      return as(text_.list(by_time()), text_.last_distinct_of(aggregate_, n));
    case Feature::TOP_K:
      return as(text_.list(by_value(true)), text_.first_of(aggregate_, n));
    case Feature::BOTTOM_K:
      return as(text_.list(by_value(false)), text_.first_of(aggregate_, n));
    default:
      return refused("it is not known how to print " + function_name(feature_.function()));
  }
}

Result<FeatureText> FeaturePrinter::print() const {
  if (Status checked = check(); !checked) return checked.error();
  auto out = numbers();
  if (!out || !feature_.has_default_value()) return out;
  if (feature_.list() || feature_.default_value().values_size() != 1) {
    return refused("its default is a list");
  }
  auto otherwise = literal_sql(feature_.default_value().values(0), text_);
  if (!otherwise) return otherwise.error();
  out->otherwise = std::move(otherwise).value();
  return out;
}

}  // namespace

Result<FeatureText> feature_sql(const proto::Feature& feature, const proto::View& view,
                                const proto::Table& table, const std::string& asked,
                                const std::string& name, const DialectText& text) {
  return FeaturePrinter(feature, view, table, asked, name, text).print();
}

}  // namespace tidemill::sql
