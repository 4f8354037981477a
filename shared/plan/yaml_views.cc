#include <algorithm>
#include <map>
#include <set>

#include "shared/expr/check.h"
#include "shared/expr/printer.h"
#include "shared/expr/suggest.h"
#include "shared/expr/types.h"
#include "shared/plan/features.h"
#include "shared/plan/limits.h"
#include "shared/plan/plan_checks.h"
#include "shared/plan/window_kinds.h"
#include "shared/plan/yaml_compile.h"
#include "shared/plan/yaml_deduplicate.h"
#include "shared/plan/yaml_functions.h"
#include "shared/plan/yaml_union.h"
#include "shared/plan/yaml_windows.h"
#include "shared/window/decay.h"

namespace tidemill {
namespace {

using proto::Expr;

std::string indexed(const std::string& path, size_t i) {
  return path + "[" + std::to_string(i) + "]";
}

class ViewCompiler {
 public:
  ViewCompiler(const YamlEntry& entry, JobContext* job)
      : job_(*job),
        errors_(job->errors),
        path_("views." + entry.key),
        fields_(entry.value, path_,
                {"source", "union", "entity", "where", "order_by", "deduplicate", "max_rows",
                 "resolution", "aggregations"},
                job->errors, {"ttl", "output"}) {
    view_.set_name(entry.key);
  }

  void compile() {
    const size_t before = errors_->size();
    if (fields_.is_map()) {
      inputs_ = compile_view_inputs(&fields_, &job_);
      if (inputs_.usable) columns_ = &inputs_.columns;
      compile_entity();
      where_ = compile_filter(&fields_);
      compile_order_by();
      deduplicate_ =
          compile_deduplicate(&fields_, columns_ == nullptr ? nullptr : &inputs_, errors_);
      compile_bound();
      compile_aggregations();
    }
    if (errors_->size() != before) job_.bad_views.push_back(view_.name());
    if (errors_->size() == before && table_ != nullptr) {
      order_rows();
      deduplicate_rows();
    }
    job_.features += static_cast<size_t>(view_.features_size());
    *job_.plan->add_views() = std::move(view_);
    job_.bounds.push_back(bound_);
  }

 private:
  std::vector<std::string> column_names() const {
    std::vector<std::string> out;
    for (const NamedColumn& column : *columns_) out.push_back(column.name);
    return out;
  }

  // Also finds or makes the table that all views of this entity over these inputs share. Those that
  // deduplicate have a table alone.
  void compile_entity() {
    const YamlNode* entity = fields_.require("entity", "the columns whose values are the key");
    if (entity == nullptr) return;
    const size_t before = errors_->size();
    const auto names = scalars_of(*entity, fields_.path_of("entity"), errors_);
    proto::Table table;
    for (const ViewInput& input : inputs_.inputs) {
      proto::TableInput* added = table.add_inputs();
      added->set_source(input.source);
      if (input.where.has_value()) *added->mutable_where() = *input.where;
    }
    for (const YamlNode* name : names) add_key(*name, item_key(*entity, *name, "entity"), &table);
    if (errors_->size() != before || columns_ == nullptr) return;
    if (names.empty() || names.size() > limits::kEntityColumns) {
      fields_.error(*entity, "entity",
                    "expected a list of 1 to " + std::to_string(limits::kEntityColumns) +
                        " columns, found " + std::to_string(names.size()));
      return;
    }
    const bool alone = fields_.find("deduplicate") != nullptr;
    for (int i = 0; i < job_.plan->tables_size() && !alone; ++i) {
      const proto::Table& other = job_.plan->tables(i);
      if (!other.has_deduplication() && same_rows(other, table)) return use_table(i);
    }
    *job_.plan->add_tables() = std::move(table);
    use_table(job_.plan->tables_size() - 1);
  }

  void use_table(int index) {
    view_.set_table(static_cast<uint32_t>(index));
    table_ = job_.plan->mutable_tables(index);
  }

  void add_key(const YamlNode& node, const std::string& key, proto::Table* table) {
    const std::string& name = node.scalar;
    if (columns_ == nullptr) return;
    const auto found = std::find_if(columns_->begin(), columns_->end(),
                                    [&](const NamedColumn& c) { return c.name == name; });
    if (found == columns_->end()) {
      fields_.error(node, key, "unknown column '" + name + "'" + suggestion(name, column_names()));
      return;
    }
    const auto index = static_cast<size_t>(found - columns_->begin());
    if (!inputs_.conflicts[index].empty()) {
      fields_.error(node, key, inputs_.conflicts[index]);
    } else if (!is_key_type(found->type)) {
      fields_.error(node, key,
                    "column '" + name + "' is " + type_name(found->type) +
                        "; an entity's columns are string, int32, int64, bool or timestamp");
    } else if (name.find(',') != std::string::npos) {
      fields_.error(node, key, "an entity's column must not have ',' in its name");
    } else if (std::find(view_.entity().begin(), view_.entity().end(), name) !=
               view_.entity().end()) {
      fields_.error(node, key, "column '" + name + "' is there twice; name it once");
    } else {
      view_.add_entity(name);
      for (size_t i = 0; i < inputs_.inputs.size(); ++i) {
        *table->mutable_inputs(static_cast<int>(i))->add_keys() = inputs_.inputs[i].columns[index];
      }
      table->add_key_types(found->type);
      table->set_entity(table->entity() + (table->entity().empty() ? "" : ",") + name);
    }
  }

  // Nothing if the text has errors or cannot be checked.
  std::optional<Expr> parsed(const std::string& text, const YamlNode& node, const std::string& key,
                             YamlFields* fields) {
    if (columns_ == nullptr) return std::nullopt;
    Result<Expr> expr = parse_expression(text, *columns_);
    if (!expr.ok()) {
      fields->error(node, key, expr.error().message());
      return std::nullopt;
    }
    if (expr->type() == proto::DECIMAL && expr->details().precision() == 0) {
      fields->error(node, key, unknown_digits(*expr));
      return std::nullopt;
    }
    if (Status s = check_over_sources(*expr); !s.ok()) {
      fields->error(node, key, s.error().message());
      return std::nullopt;
    }
    return *std::move(expr);
  }

  // Whether it can be said over every source of the view, within the job's limit.
  Status check_over_sources(const Expr& expr) {
    if (job_.expression_parts <= limits::kExpressionParts) {
      const Result<ExprTuple> tuple = over_sources(expr, inputs_, job_);
      if (!tuple.ok()) return tuple.error();
      for (const Expr& each : *tuple) {
        job_.expression_parts += count_parts(each, limits::kExpressionParts);
      }
    }
    if (job_.expression_parts <= limits::kExpressionParts) return {};
    return user_error(
        "the expressions of the job have more than " + std::to_string(limits::kExpressionParts) +
        " parts up to here, each counted in every source of its view; write fewer or shorter "
        "ones");
  }

  // Index in the table of an expression that has been checked; -1: there is none.
  int32_t column_of(const std::optional<Expr>& expr) {
    if (!expr.has_value()) return -1;
    return shared_column(*over_sources(*expr, inputs_, job_), table_);
  }
  int32_t filter_of(const std::optional<Expr>& expr) {
    if (!expr.has_value()) return -1;
    return shared_filter(*over_sources(*expr, inputs_, job_), table_);
  }

  // The expression of a key; nothing if it is not there either.
  std::optional<Expr> compile_expression(YamlFields* fields, const char* key) {
    const std::optional<std::string> text = fields->text(key);
    if (!text.has_value()) return std::nullopt;
    return parsed(*text, *fields->find(key), key, fields);
  }

  std::optional<Expr> compile_filter(YamlFields* fields) {
    std::optional<Expr> expr = compile_expression(fields, "where");
    if (!expr.has_value() || expr->type() == proto::BOOL) return expr;
    fields->error(*fields->find("where"), "where",
                  "a condition is needed, but " + expr->text() + " is " + type_name(expr->type()));
    return std::nullopt;
  }

  void compile_order_by() {
    const YamlNode* list = fields_.find("order_by");
    if (list == nullptr) return;
    const size_t before = errors_->size();
    const auto items = scalars_of(*list, fields_.path_of("order_by"), errors_);
    if ((items.empty() && errors_->size() == before) || items.size() > limits::kOrderBy) {
      fields_.error(*list, "order_by",
                    "expected a list of 1 to " + std::to_string(limits::kOrderBy) +
                        " columns or expressions, found " + std::to_string(items.size()));
      return;
    }
    for (const YamlNode* item : items) add_order(*item, item_key(*list, *item, "order_by"));
  }

  void add_order(const YamlNode& node, const std::string& key) {
    std::optional<Expr> expr = parsed(node.scalar, node, key, &fields_);
    if (!expr.has_value()) return;
    for (const Expr& known : order_by_) {
      if (known.text() != expr->text()) continue;
      return fields_.error(node, key, expr->text() + " is there twice; name it once");
    }
    order_by_.push_back(*std::move(expr));
  }

  // By the columns of order_by, then those of the features; rows that tie in all of them are
  // interchangeable for the view.
  void order_rows() {
    for (const Expr& expr : order_by_) add_to_order(column_of(expr));
    check_table_size(fields_.place(), path_);
    for (const proto::Feature& feature : view_.features()) {
      add_to_order(feature.column());
      add_to_order(static_cast<int32_t>(feature.by()) - 1);
    }
  }

  void compile_bound() {
    const size_t before = errors_->size();
    bound_.max_rows = fields_.integer("max_rows", 0, limits::kMaxRowsLeast, limits::kMaxRowsMost);
    bound_.resolution = fields_.duration("resolution", 0);
    if (errors_->size() != before) return;
    const YamlNode* resolution = fields_.find("resolution");
    if (resolution != nullptr && bound_.resolution == 0) {
      fields_.error(*resolution, "resolution",
                    "must be longer than 0; leave it out for windows that are exact");
    }
    if (!deduplicate_.has_value()) return;
    for (const char* key : {"max_rows", "resolution"}) {
      if (fields_.find(key) == nullptr) continue;
      fields_.error(*fields_.find(key), key,
                    "does not go with deduplicate, which has to tell single rows apart; leave it "
                    "out, or move the aggregations to a view without deduplicate");
    }
  }

  // After the columns and filters of the features.
  void deduplicate_rows() {
    if (!deduplicate_.has_value()) return;
    proto::Deduplication out;
    for (const Expr& column : deduplicate_->by) {
      out.add_by(static_cast<uint32_t>(column_of(column)));
    }
    out.set_within_us(deduplicate_->within);
    out.set_filter(static_cast<uint32_t>(filter_of(where_) + 1));
    check_table_size(fields_.place(), path_);
    table_->set_retention_us(table_->retention_us() + deduplicate_->within);
    *table_->mutable_deduplication() = std::move(out);
  }

  void add_to_order(int32_t column) {
    if (column < 0) return;
    const auto wanted = static_cast<uint32_t>(column);
    const auto& order = view_.order();
    if (std::find(order.begin(), order.end(), wanted) == order.end()) view_.add_order(wanted);
  }

  void compile_aggregations() {
    const YamlNode* list = fields_.require("aggregations", "what to compute");
    if (list == nullptr) return;
    if (!list->is_sequence() || list->items.empty() || list->items.size() > limits::kAggregations) {
      fields_.error(
          *list, "aggregations",
          "expected a list of 1 to " + std::to_string(limits::kAggregations) +
              " aggregations, found " +
              (list->is_sequence() ? std::to_string(list->items.size()) : list->describe()));
      return;
    }
    for (size_t i = 0; i < list->items.size(); ++i) {
      compile_aggregation(list->items[i], indexed(path_ + ".aggregations", i));
    }
  }

  // What all windows of an aggregation share.
  struct Aggregation {
    std::string name;
    proto::Feature feature;
    WindowKeys windows;
    bool complete = true;  // without errors
  };

  void compile_aggregation(const YamlNode& node, const std::string& path) {
    YamlFields fields(node, path,
                      {"function",  "column",     "n",           "k",          "exact_up_to",
                       "precision", "max_values", "max_buckets", "percentile", "relative_accuracy",
                       "half_life", "counts",     "where",       "windows",    "every",
                       "timezone",  "gap",        "max_length",  "offset",     "closed",
                       "default",   "by",         "max_groups",  "name"},
                      errors_);
    if (!fields.is_map()) return;
    const size_t before = errors_->size();
    Aggregation out;
    const std::optional<proto::Feature::Function> function = compile_function(&fields);
    std::optional<Expr> column = compile_expression(&fields, "column");
    const std::optional<Expr> by = compile_expression(&fields, "by");
    if (function.has_value()) {
      out.feature.set_function(*function);
      compile_type(&fields, column, &out.feature);
      compile_parameters(&fields, &out.feature);
      compile_groups(&fields, by, &out.feature);
    }
    compile_default(&fields, function.has_value() && errors_->size() == before, &out.feature);
    std::optional<Expr> filter = compile_filter(&fields);
    out.name = compile_name(&fields, column, by);
    out.feature.set_offset_us(fields.duration("offset", 0));
    // What repeats by the calendar or the clock begins with its first instant, as in SQL.
    const size_t usual = fields.find("every") == nullptr ? 0 : 1;
    out.feature.set_closed(static_cast<proto::Feature::Closed>(
        proto::Feature::RIGHT +
        fields.choice("closed", {"right", "left", "both", "neither"}, usual)));
    out.windows = compile_window_keys(&fields, *errors_);
    const std::optional<Expr> both = combined(&fields, std::move(filter));
    out.complete = errors_->size() == before && table_ != nullptr;
    if (out.complete) {
      out.feature.set_column(column_of(column));
      out.feature.set_filter(filter_of(both));
      out.feature.set_by(static_cast<uint32_t>(column_of(by) + 1));
      check_table_size(node.place, path);
    }
    compile_windows(&fields, out);
  }

  // "amount_sum", "amount_sum_by_category", "count".
  std::string compile_name(YamlFields* fields, const std::optional<Expr>& column,
                           const std::optional<Expr>& by) {
    const std::string function = fields->text("function").value_or("");
    if (fields->find("name") != nullptr) {
      const std::string name = fields->text("name").value_or("");
      if (fields->find("name")->is_scalar()) {
        check_name(name, fields->find("name")->place, fields->path_of("name"), errors_);
      }
      return name;
    }
    const std::string of = column_name(fields, "column", column);
    const std::string group = column_name(fields, "by", by);
    return (of.empty() ? "" : of + "_") + function + (group.empty() ? "" : "_by_" + group);
  }

  // Of the column that the key names; nothing, with an error, if it is an expression.
  std::string column_name(YamlFields* fields, const char* key, const std::optional<Expr>& expr) {
    if (!expr.has_value()) return "";
    if (expr->op() == Expr::COLUMN) return (*columns_)[expr->column()].name;
    fields->error(*fields->find(key), key,
                  "a feature " + std::string(key == std::string_view("by") ? "by" : "over") +
                      " an expression needs a name: add name: to the aggregation");
    return "";
  }

  // The condition of the view and that of the aggregation.
  std::optional<Expr> combined(YamlFields* fields, std::optional<Expr> own) {
    if (!own.has_value()) return where_;
    if (!where_.has_value()) return own;
    Expr both;
    both.set_op(Expr::AND);
    both.set_type(proto::BOOL);
    for (const Expr* part : {&*where_, &*own}) {
      if (part->op() == Expr::AND) {
        both.mutable_args()->MergeFrom(part->args());
      } else {
        *both.add_args() = *part;
        both.mutable_args(both.args_size() - 1)->clear_text();
      }
    }
    std::vector<ColumnType> types;
    for (const NamedColumn& column : *columns_) {
      types.push_back(static_cast<ColumnType>(column.type));
    }
    Status s = check_expression(both, types);
    if (s.ok()) s = check_over_sources(both);
    if (!s.ok()) {
      fields->error(*fields->find("where"), "where",
                    "together with the view's condition: " + s.error().message());
    }
    both.set_text(to_sql(both, column_names()));
    return both;
  }

  void check_table_size(Place place, const std::string& path) {
    if (table_->column_types_size() > static_cast<int>(limits::kTableColumns) ||
        table_->inputs(0).filters_size() > static_cast<int>(limits::kTableFilters)) {
      errors_->add(place, path,
                   "the views of this entity need more than " +
                       std::to_string(limits::kTableColumns) +
                       " different columns or conditions, the most allowed");
    }
  }

  void compile_windows(YamlFields* fields, const Aggregation& aggregation) {
    const YamlNode* windows =
        fields->require("windows", "a list of durations, such as [1h, 7d], lifetime or session");
    if (windows == nullptr) return;
    const std::string path = fields->path_of("windows");
    const size_t before = errors_->size();
    const auto list = scalars_of(*windows, path, errors_);
    if ((list.empty() && errors_->size() == before) || list.size() > limits::kWindows) {
      fields->error(*windows, "windows",
                    "expected a list of 1 to " + std::to_string(limits::kWindows) +
                        " windows, found " + std::to_string(list.size()));
      return;
    }
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string at = windows->is_sequence() ? indexed(path, i) : path;
      compile_window(*list[i], at, aggregation);
    }
  }

  void compile_window(const YamlNode& node, const std::string& path,
                      const Aggregation& aggregation) {
    proto::Feature feature = aggregation.feature;
    if (!aggregation.windows.usable ||
        !tidemill::compile_window(node, path, aggregation.windows, &feature, errors_)) {
      return;
    }
    if (feature.half_life_us() > 0 && feature.lifetime()) {
      const DurationUs all = kMostHalfLives * feature.half_life_us();
      errors_->add(node.place, path,
                   "a row counts nothing once it is " + std::to_string(kMostHalfLives) +
                       " half-lives old; write a window, at most that long: " +
                       format_duration(std::min(all, limits::kLongestTime)));
      return;
    }
    if (const uint64_t most = most_lifetime_groups(feature);
        feature.lifetime() && feature.max_groups() > most) {
      errors_->add(node.place, path,
                   "a lifetime window would keep up to " +
                       std::to_string(largest_group_bytes(feature)) + " bytes for each of " +
                       std::to_string(feature.max_groups()) +
                       " values of 'by', for every key; write max_groups: " + std::to_string(most) +
                       " or less, or a window");
      return;
    }
    if (deduplicate_.has_value()) {
      const std::string fault = deduplicated_window_fault(feature, *deduplicate_);
      if (!fault.empty()) return errors_->add(node.place, path, fault);
    }
    const std::string name = aggregation.name + "_" + node.scalar;
    const auto [first, is_new] = lines_.emplace(name, node.place.line);
    if (!is_new) {
      errors_->add(node.place, path,
                   "the feature '" + name + "' is already there, on line " +
                       std::to_string(first->second) + "; give one of them a name: of its own");
      return;
    }
    if (!aggregation.complete) return;
    feature.set_name(name);
    table_->set_retention_us(std::max<int64_t>(table_->retention_us(), reach_of(feature)));
    *view_.add_features() = std::move(feature);
  }

  JobContext& job_;
  ErrorList* errors_;
  const std::string path_;
  YamlFields fields_;
  proto::View view_;
  ViewInputs inputs_;
  const std::vector<NamedColumn>* columns_ = nullptr;  // null: not known
  proto::Table* table_ = nullptr;                      // null: not known
  std::optional<Expr> where_;
  std::vector<Expr> order_by_;
  std::optional<DeduplicateKeys> deduplicate_;
  ViewBound bound_;
  std::map<std::string, int> lines_;  // of the features so far
};

}  // namespace

void compile_views(const YamlNode& views, JobContext* job) {
  if (!check_named_entries(views, "views", "view", limits::kViews, job->errors)) return;
  for (const YamlEntry& entry : views.entries) {
    ViewCompiler(entry, job).compile();
    if (job->features <= limits::kFeatures) continue;
    job->errors->add(entry.place, "views." + entry.key,
                     "the job has " + std::to_string(job->features) +
                         " features up to here; at most " + std::to_string(limits::kFeatures) +
                         " are allowed");
    return;
  }
}

}  // namespace tidemill
