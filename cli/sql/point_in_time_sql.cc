#include "cli/sql/point_in_time_sql.h"

#include <algorithm>
#include <set>

#include "cli/sql/expr_sql.h"
#include "cli/sql/feature_sql.h"
#include "shared/expr/types.h"

namespace tidemill::sql {
namespace {

using training::ChosenTable;
using training::FeatureChoice;

constexpr char kBreak[] = ",\n    ";

std::string joined(const std::vector<std::string>& parts, const std::string& between) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : between) + part;
  return out;
}

std::string quoted_path(const std::string& path, const DialectText& text) {
  std::string out;
  for (size_t at = 0; at <= path.size();) {
    const size_t dot = std::min(path.find('.', at), path.size());
    out += (at > 0 ? "." : "") + text.name(path.substr(at, dot - at));
    at = dot + 1;
  }
  return out;
}

std::vector<std::string> names_in(const proto::Source& source, const DialectText& text) {
  std::vector<std::string> names;
  for (const proto::Field& field : source.schema()) names.push_back(text.name(field.name()));
  return names;
}

// What PostgreSQL needs to find the rows of a key quickly.
std::string index_hint(const proto::Source& source, const proto::TableInput& input,
                       const DialectText& text) {
  const std::vector<std::string> names = names_in(source, text);
  std::string columns;
  for (const proto::Expr& key : input.keys()) {
    const auto printed = expression_sql(key, names, text);
    if (!printed) return {};
    // What is no column stands in parentheses of its own.
    columns += (key.op() == proto::Expr::COLUMN ? *printed : "(" + *printed + ")") + ", ";
  }
  return "-- create index on " + text.name(source.name()) + " (" + columns +
         names[source.event_time_field()] + ");\n";
}

// The texts of one table: of its rows, its aggregates and its features.
class TablePrinter {
 public:
  TablePrinter(const FeatureChoice& choice, size_t number, const SpineTable& spine,
               const DialectText& text)
      : chosen_(choice.tables[number]),
        plan_(choice.plan->proto()),
        table_(plan_.tables(chosen_.table)),
        deduplication_((*choice.plan->tables())[chosen_.table].deduplication.get()),
        number_(std::to_string(number)),
        spine_(spine),
        text_(text) {}

  Status prepare();
  // "h0 as (select ...)": the events, as rows.
  Result<std::string> rows() const;
  // PostgreSQL: a lateral join behind the spine.
  std::string lateral() const;
  // Others: further tables of the with clause, and a join behind the spine.
  std::string grouped() const;
  std::string join() const;
  // The column of feature `i` in the final select list.
  std::string output(size_t i, const std::string& name) const;

 private:
  std::string spine_time() const { return text_.time("s." + text_.name(spine_.time_column)); }
  std::string spine_key(size_t i) const { return "s." + text_.name(chosen_.entity[i]); }
  std::vector<std::string> keys_equal(const std::string& left, bool spine) const;
  Result<std::string> rows_of(const proto::TableInput& input, const std::set<int>& columns,
                              const std::set<int>& filters) const;
  // What a deduplication needs; and those of `rows` that count.
  void add_deduplication(std::set<int>* columns, std::set<int>* filters) const;
  Result<std::string> counted(const std::string& rows) const;
  Result<std::string> row_order() const;
  // The rows that any of the features may need.
  std::string reach(const std::string& asked) const;
  Status print_features(const std::string& asked);
  std::string aggregates() const;
  std::string values() const;

  const ChosenTable& chosen_;
  const proto::JobPlan& plan_;
  const proto::Table& table_;
  const Deduplication* deduplication_;  // null: every row counts
  std::string number_;
  const SpineTable& spine_;
  const DialectText& text_;
  std::vector<FeatureText> features_;
};

Status TablePrinter::prepare() {
  return print_features(text_.dialect() == Dialect::kPostgres ? spine_time() : "q.t");
}

Status TablePrinter::print_features(const std::string& asked) {
  for (size_t i = 0; i < chosen_.definitions.size(); ++i) {
    auto printed = feature_sql(*chosen_.definitions[i], *chosen_.views[i], table_, asked,
                               "a" + std::to_string(i), text_);
    if (!printed) return printed.error();
    features_.push_back(std::move(printed).value());
  }
  return {};
}

Result<std::string> TablePrinter::rows() const {
  std::set<int> columns;
  std::set<int> filters;
  for (size_t i = 0; i < chosen_.definitions.size(); ++i) {
    const proto::Feature& feature = *chosen_.definitions[i];
    if (feature.column() >= 0) columns.insert(feature.column());
    if (feature.filter() >= 0) filters.insert(feature.filter());
    for (const uint32_t column : chosen_.views[i]->order())
      columns.insert(static_cast<int>(column));
  }
  if (deduplication_ != nullptr) add_deduplication(&columns, &filters);
  std::vector<std::string> selects;
  for (const proto::TableInput& input : table_.inputs()) {
    auto select = rows_of(input, columns, filters);
    if (!select) return select.error();
    selects.push_back(std::move(select).value());
  }
  std::string rows = joined(selects, "\n  union all");
  if (deduplication_ != nullptr) {
    auto counted = this->counted(rows);
    if (!counted) return counted;
    rows = std::move(counted).value();
  }
  const bool postgres = text_.dialect() == Dialect::kPostgres;
  return "h" + number_ + (postgres ? " as not materialized (" : " as (") + rows + ")";
}

void TablePrinter::add_deduplication(std::set<int>* columns, std::set<int>* filters) const {
  for (const uint32_t column : deduplication_->by) columns->insert(static_cast<int>(column));
  for (const uint32_t filter : deduplication_->filters) filters->insert(static_cast<int>(filter));
  if (deduplication_->filter >= 0) filters->insert(deduplication_->filter);
}

// The order of rows of one key and id.
Result<std::string> TablePrinter::row_order() const {
  std::vector<std::string> out{"r.t"};
  for (const uint32_t column : deduplication_->order) {
    const proto::ColumnType type = table_.column_types(static_cast<int>(column));
    if (type == proto::JSON) {
      return user_error(
          "view '" + chosen_.views[0]->name() + "' cannot be said in " +
          dialect_name(text_.dialect()) +
          " SQL: it deduplicates rows whose order depends on json; choose features of "
          "other views by --service");
    }
    const std::string name = "r.c" + std::to_string(column);
    out.push_back((type == proto::STRING ? text_.by_bytes(name) : name) + " asc nulls last");
  }
  for (const uint32_t filter : deduplication_->filters) {
    out.push_back("coalesce(r.f" + std::to_string(filter) + ", false)");
  }
  return joined(out, ", ");
}

// A row counts unless the one just before it of its key and id is near. PostgreSQL looks for the
// key of a spine's row within the partitions, and so at its rows alone.
Result<std::string> TablePrinter::counted(const std::string& rows) const {
  std::vector<std::string> id;
  std::vector<std::string> counts{"r.p is null",
                                  "r.p <= " + text_.earlier("r.t", deduplication_->within)};
  for (size_t i = 0; i < chosen_.entity.size(); ++i) id.push_back("r.k" + std::to_string(i));
  for (const uint32_t column : deduplication_->by) {
    id.push_back("r.c" + std::to_string(column));
    counts.push_back(id.back() + " is null");
  }
  auto order = row_order();
  if (!order) return order;
  const int32_t filter = deduplication_->filter;
  return "\n  select r.* from (\n    select r.*, lag(r.t) over (partition by " + joined(id, ", ") +
         " order by " + *order + ") as p\n    from (" + rows + ") as r" +
         (filter < 0 ? "" : "\n    where r.f" + std::to_string(filter)) + ") as r\n  where " +
         joined(counts, " or ");
}

// The rows of one source.
Result<std::string> TablePrinter::rows_of(const proto::TableInput& input,
                                          const std::set<int>& columns,
                                          const std::set<int>& filters) const {
  const proto::Source& source = plan_.sources(static_cast<int>(input.source()));
  const std::vector<std::string> names = names_in(source, text_);
  std::vector<std::string> out;
  const auto add = [&](const proto::Expr& expr, const std::string& name) -> Status {
    auto printed = expression_sql(expr, names, text_);
    if (!printed) return printed.error();
    // What is worked out has the digits of its type in every row.
    const bool open = expr.type() == proto::DECIMAL && expr.op() != proto::Expr::COLUMN;
    if (open) *printed = "cast(" + *printed + " as " + *text_.type(full_type(expr)) + ")";
    out.push_back(*printed + " as " + name);
    return {};
  };
  for (int i = 0; i < input.keys_size(); ++i) {
    if (Status s = add(input.keys(i), "k" + std::to_string(i)); !s) return s.error();
  }
  out.push_back(text_.time(names[source.event_time_field()]) + " as t");
  for (const int c : columns) {
    if (Status s = add(input.columns(c), "c" + std::to_string(c)); !s) return s.error();
  }
  for (const int f : filters) {
    if (Status s = add(input.filters(f), "f" + std::to_string(f)); !s) return s.error();
  }
  std::string select = "\n  select " + joined(out, ", ") + "\n  from " + text_.name(source.name());
  if (!input.has_where()) return select;
  auto where = expression_sql(input.where(), names, text_);
  if (!where) return where.error();
  return select + "\n  where " + *where;
}

std::vector<std::string> TablePrinter::keys_equal(const std::string& left, bool spine) const {
  std::vector<std::string> out;
  for (size_t i = 0; i < chosen_.entity.size(); ++i) {
    const std::string key = "k" + std::to_string(i);
    out.push_back(left + "." + key + " = " + (spine ? spine_key(i) : "q." + key));
  }
  return out;
}

std::string TablePrinter::reach(const std::string& asked) const {
  int64_t latest = INT64_MAX;
  int64_t earliest = 0;
  bool lifetime = false;
  for (const proto::Feature* feature : chosen_.definitions) {
    latest = std::min(latest, feature->offset_us());
    earliest = std::max(earliest, feature->offset_us() + feature->window_us());
    lifetime |= feature->lifetime();
  }
  std::string out = " and r.t <= " + text_.earlier(asked, latest);
  if (!lifetime) out += " and r.t >= " + text_.earlier(asked, earliest);
  return out;
}

std::string TablePrinter::aggregates() const {
  std::vector<std::string> out;
  for (size_t i = 0; i < features_.size(); ++i) {
    out.push_back(features_[i].aggregate + " as a" + std::to_string(i));
  }
  return joined(out, kBreak);
}

std::string TablePrinter::values() const {
  std::vector<std::string> out;
  for (size_t i = 0; i < features_.size(); ++i) {
    out.push_back(features_[i].value + " as v" + std::to_string(i));
  }
  return joined(out, kBreak);
}

std::string TablePrinter::lateral() const {
  return "left join lateral (\n  select " + values() + "\n  from (\n    select " + aggregates() +
         "\n    from h" + number_ + " as r\n    where " + joined(keys_equal("r", true), " and ") +
         reach(spine_time()) + ") as a) as f" + number_ + " on true";
}

std::string TablePrinter::grouped() const {
  std::vector<std::string> asked;
  std::vector<std::string> keys;
  std::vector<std::string> has_key;
  for (size_t i = 0; i < chosen_.entity.size(); ++i) {
    const std::string key = "k" + std::to_string(i);
    asked.push_back(spine_key(i) + " as " + key);
    has_key.push_back(spine_key(i) + " is not null");
    keys.push_back(key);
  }
  const std::string of_q = "q." + joined(keys, ", q.") + ", q.t";
  return "q" + number_ + " as (\n  select distinct " + joined(asked, ", ") + ", " + spine_time() +
         " as t\n  from " + quoted_path(spine_.name, text_) + " as s\n  where " +
         joined(has_key, " and ") + "),\na" + number_ + " as (\n  select " + of_q + kBreak +
         aggregates() + "\n  from q" + number_ + " as q join h" + number_ + " as r on " +
         joined(keys_equal("r", false), " and ") + reach("q.t") + "\n  group by " + of_q + "),\nf" +
         number_ + " as (\n  select " + joined(keys, ", ") + ", t" + kBreak + values() +
         "\n  from a" + number_ + " as a)";
}

std::string TablePrinter::join() const {
  const std::string f = "f" + number_;
  return "left join " + f + " on " + joined(keys_equal(f, true), " and ") + " and " + f +
         ".t = " + spine_time();
}

std::string TablePrinter::output(size_t i, const std::string& name) const {
  const std::string value = "f" + number_ + ".v" + std::to_string(i);
  const std::string& otherwise = features_[i].otherwise;
  return (otherwise.empty() ? value : "coalesce(" + value + ", " + otherwise + ")") + " as " +
         text_.name(name);
}

std::string heading(const FeatureChoice& choice, const SpineTable& spine, Dialect dialect) {
  const proto::JobPlan& plan = choice.plan->proto();
  std::string out = "-- The features of job " + plan.job() + " at the times of " + spine.name +
                    ", in " + dialect_name(dialect) +
                    " SQL. Each source is a table of its name and columns.\n";
  std::set<std::string> indexes;
  bool distinct = false;
  for (const ChosenTable& table : choice.tables) {
    const proto::Table& message = plan.tables(table.table);
    for (const proto::TableInput& input : message.inputs()) {
      const proto::Source& source = plan.sources(static_cast<int>(input.source()));
      indexes.insert(index_hint(source, input, DialectText(dialect)));
    }
    for (const proto::Feature* feature : table.definitions) {
      distinct |= feature->function() == proto::Feature::COUNT_DISTINCT;
    }
  }
  if (distinct) out += "-- count_distinct is exact here, also beyond its exact_up_to.\n";
  if (dialect == Dialect::kSpark) out += "-- Needs spark.sql.ansi.enabled = true.\n";
  if (dialect == Dialect::kPostgres) {
    out += "-- Needs, to be fast:\n";
    for (const std::string& index : indexes) out += index;
  }
  return out;
}

}  // namespace

Result<std::string> point_in_time_sql(const FeatureChoice& choice, const SpineTable& spine,
                                      Dialect dialect) {
  const DialectText text(dialect);
  const bool lateral = dialect == Dialect::kPostgres;
  std::vector<TablePrinter> tables;
  std::vector<std::string> with;
  std::string joins;
  for (size_t i = 0; i < choice.tables.size(); ++i) {
    TablePrinter table(choice, i, spine, text);
    if (Status prepared = table.prepare(); !prepared) return prepared.error();
    auto rows = table.rows();
    if (!rows) return rows.error();
    with.push_back(std::move(rows).value());
    if (!lateral) with.push_back(table.grouped());
    joins += "\n" + (lateral ? table.lateral() : table.join());
    tables.push_back(std::move(table));
  }
  std::vector<std::string> outputs{"s.*"};
  size_t column = 0;
  for (const training::ColumnGroup& group : choice.groups) {
    const TablePrinter& table = tables[choice.chosen(group.table)];
    for (size_t i = group.begin; i < group.end; ++i) {
      outputs.push_back(table.output(i, choice.columns[column++]));
    }
  }
  return heading(choice, spine, dialect) + "with " + joined(with, ",\n") + "\nselect " +
         joined(outputs, kBreak) + "\nfrom " + quoted_path(spine.name, text) + " as s" + joins +
         ";\n";
}

}  // namespace tidemill::sql
