#include "shared/plan/yaml_union.h"

#include <algorithm>

#include "shared/expr/check.h"
#include "shared/expr/printer.h"
#include "shared/expr/suggest.h"
#include "shared/expr/types.h"
#include "shared/plan/limits.h"
#include "shared/plan/plan_checks.h"

namespace tidemill {
namespace {

using proto::Expr;

// The source that the key names; nothing, with an error, if there is none.
std::optional<uint32_t> find_source(YamlFields* fields, const JobContext& job) {
  const std::optional<std::string> name = fields->text("source");
  if (!name.has_value()) return std::nullopt;
  std::vector<std::string> known;
  for (uint32_t i = 0; i < job.sources.size(); ++i) {
    if (job.sources[i].name == *name) return i;
    known.push_back(job.sources[i].name);
  }
  if (known.empty()) return std::nullopt;  // the sources themselves are wrong
  fields->error(*fields->find("source"), "source",
                "unknown source '" + *name + "'" + suggestion(*name, known));
  return std::nullopt;
}

std::optional<size_t> index_of(const std::vector<NamedColumn>& columns, const std::string& name) {
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == name) return i;
  }
  return std::nullopt;
}

ViewInputs single_source(YamlFields* view, const JobContext& job) {
  ViewInputs out;
  const auto source = find_source(view, job);
  if (!source.has_value() || !job.sources[*source].usable) return out;
  ViewInput input;
  input.source = *source;
  out.columns = job.sources[*source].columns;
  out.conflicts.resize(out.columns.size());
  for (size_t c = 0; c < out.columns.size(); ++c) {
    input.columns.push_back(column_expr(out.columns, c));
  }
  out.inputs.push_back(std::move(input));
  out.usable = true;
  return out;
}

class UnionCompiler {
 public:
  UnionCompiler(std::string path, JobContext* job)
      : path_(std::move(path)), job_(*job), errors_(job->errors) {}

  ViewInputs compile(const YamlNode& list) {
    const size_t before = errors_->size();
    known_ = true;
    for (size_t i = 0; i < list.items.size(); ++i) read_entry(list.items[i], i);
    if (errors_->size() == before && known_) {
      for (const Entry& entry : entries_) {
        for (const Mapped& each : entry.mapped) add_column(each.name);
      }
      for (const NamedColumn& column : *entries_[0].schema) add_common_column(column.name);
    }
    out_.usable = errors_->size() == before && known_;
    return std::move(out_);
  }

 private:
  struct Mapped {
    std::string name;
    Expr expr;
    Place place;
  };
  struct Entry {
    std::string path;
    Place place;
    const std::vector<NamedColumn>* schema = nullptr;
    std::vector<Mapped> mapped;
  };

  void read_entry(const YamlNode& node, size_t number) {
    const std::string path = path_ + "[" + std::to_string(number) + "]";
    YamlFields fields(node, path, {"source", "columns", "where"}, errors_);
    if (!fields.is_map() || fields.require("source", "whose events these are") == nullptr) return;
    const auto source = find_source(&fields, job_);
    if (!source.has_value() || !job_.sources[*source].usable) {
      known_ = false;
      return;
    }
    ViewInput input;
    input.source = *source;
    input.name =
        "union[" + std::to_string(number) + "] (source '" + job_.sources[*source].name + "')";
    Entry entry{path, node.place, &job_.sources[*source].columns, {}};
    read_columns(&fields, &entry);
    read_where(&fields, *entry.schema, &input);
    entries_.push_back(std::move(entry));
    out_.inputs.push_back(std::move(input));
  }

  void read_columns(YamlFields* fields, Entry* entry) {
    const YamlNode* columns = fields->find("columns");
    if (columns == nullptr) return;
    if (!columns->is_map() || columns->entries.size() > limits::kSchemaColumns) {
      fields->error(
          *columns, "columns",
          "expected a mapping from up to " + std::to_string(limits::kSchemaColumns) +
              " names of the view's columns to what they are here, such as {amount: "
              "cents / 100.0}, found " +
              (columns->is_map() ? std::to_string(columns->entries.size()) : columns->describe()));
      return;
    }
    for (const YamlEntry& each : columns->entries) {
      const std::string key = "columns." + each.key;
      if (!is_column_name(each.key)) {
        errors_->add(each.place, fields->path_of(key),
                     "a column's name has from 1 to " + std::to_string(limits::kColumnNameBytes) +
                         " bytes and no control characters");
      } else if (!each.value.is_scalar()) {
        fields->error(each.value, key, "expected an expression, found " + each.value.describe());
      } else if (auto expr = parsed(each.value, *entry->schema, key, fields)) {
        entry->mapped.push_back({each.key, *std::move(expr), each.value.place});
      }
    }
  }

  void read_where(YamlFields* fields, const std::vector<NamedColumn>& schema, ViewInput* input) {
    if (!fields->text("where").has_value()) return;
    const YamlNode& node = *fields->find("where");
    std::optional<Expr> expr = parsed(node, schema, "where", fields);
    if (!expr.has_value()) return;
    if (expr->type() != proto::BOOL) {
      fields->error(
          node, "where",
          "a condition is needed, but " + expr->text() + " is " + type_name(expr->type()));
      return;
    }
    input->where = std::move(expr);
  }

  static std::optional<Expr> parsed(const YamlNode& node, const std::vector<NamedColumn>& schema,
                                    const std::string& key, YamlFields* fields) {
    Result<Expr> expr = parse_expression(node.scalar, schema);
    if (!expr.ok()) {
      fields->error(node, key, expr.error().message());
    } else if (expr->type() == proto::DECIMAL && expr->details().precision() == 0) {
      fields->error(node, key, unknown_digits(*expr));
    } else {
      return *std::move(expr);
    }
    return std::nullopt;
  }

  // What the column is in an entry: what it is mapped to, else the source's column of that name.
  static std::optional<Mapped> column_in(const Entry& entry, const std::string& name) {
    for (const Mapped& each : entry.mapped) {
      if (each.name == name) return each;
    }
    const auto index = index_of(*entry.schema, name);
    if (!index.has_value()) return std::nullopt;
    return Mapped{name, column_expr(*entry.schema, *index), {}};
  }

  // A column of the view that some entry maps: every entry must have it, of the same type.
  void add_column(const std::string& name) {
    if (index_of(out_.columns, name).has_value()) return;
    std::vector<Mapped> found;
    for (size_t i = 0; i < entries_.size(); ++i) {
      auto mapped = column_in(entries_[i], name);
      if (!mapped.has_value()) {
        errors_->add(entries_[i].place, entries_[i].path,
                     "the view's column '" + name + "' is missing in " + out_.inputs[i].name +
                         ": add it to columns: of this entry, with what it is here");
        return;
      }
      found.push_back(*std::move(mapped));
    }
    for (size_t i = 1; i < found.size(); ++i) {
      if (same_type(full_type(found[i].expr), full_type(found[0].expr))) continue;
      const bool written = found[i].place.line != 0;
      return errors_->add(written ? found[i].place : entries_[i].place,
                          entries_[i].path + (written ? ".columns." + name : ""),
                          differing(name, found, i) + "; cast one of them");
    }
    put(name, found, "");
  }

  // A column that no entry maps is the view's if every source has it.
  void add_common_column(const std::string& name) {
    if (index_of(out_.columns, name).has_value()) return;
    std::vector<Mapped> found;
    for (const Entry& entry : entries_) {
      auto column = column_in(entry, name);
      if (!column.has_value()) return;
      found.push_back(*std::move(column));
    }
    std::string conflict;
    for (size_t i = 1; i < found.size() && conflict.empty(); ++i) {
      if (same_type(full_type(found[i].expr), full_type(found[0].expr))) continue;
      conflict = differing(name, found, i) + "; cast one of them in columns: of its entry";
    }
    put(name, found, conflict);
  }

  std::string differing(const std::string& name, const std::vector<Mapped>& found, size_t i) const {
    return "column '" + name + "' is " + type_name(full_type(found[0].expr)) + " in " +
           out_.inputs[0].name + " and " + type_name(full_type(found[i].expr)) + " in " +
           out_.inputs[i].name;
  }

  void put(const std::string& name, std::vector<Mapped>& found, std::string conflict) {
    out_.columns.push_back(named_column(name, full_type(found[0].expr)));
    out_.conflicts.push_back(std::move(conflict));
    for (size_t i = 0; i < found.size(); ++i) {
      out_.inputs[i].columns.push_back(std::move(found[i].expr));
    }
  }

  const std::string path_;
  const JobContext& job_;
  ErrorList* errors_;
  std::vector<Entry> entries_;  // as out_.inputs
  ViewInputs out_;
  bool known_ = false;  // all sources
};

// Parts of the expression that replaces `expr`, or more than `most`.
size_t count_replaced(const Expr& expr, const std::vector<Expr>& columns, size_t most) {
  if (expr.op() == Expr::COLUMN) return count_parts(columns[expr.column()], most);
  size_t parts = 1;
  for (const Expr& arg : expr.args()) {
    if (parts > most) break;
    parts += count_replaced(arg, columns, most - parts);
  }
  return parts;
}

void replace_columns(const std::vector<Expr>& columns, Expr* expr) {
  if (expr->op() == Expr::COLUMN) {
    *expr = columns[expr->column()];
    expr->clear_text();
    return;
  }
  for (Expr& arg : *expr->mutable_args()) replace_columns(columns, &arg);
}

// Why an expression cannot be used; empty: it can.
std::string conflict_in(const Expr& expr, const std::vector<std::string>& conflicts) {
  if (expr.op() == Expr::COLUMN) return conflicts[expr.column()];
  std::string out;
  for (const Expr& arg : expr.args()) {
    if (out.empty()) out = conflict_in(arg, conflicts);
  }
  return out;
}

Result<Expr> over_source(const Expr& expr, const ViewInput& input,
                         const std::vector<NamedColumn>& schema) {
  if (count_replaced(expr, input.columns, kMaxTypedNodes) > kMaxTypedNodes) {
    return user_error("the expression has more than " + std::to_string(kMaxTypedNodes) +
                      " parts, the most allowed");
  }
  Expr out = expr;
  replace_columns(input.columns, &out);
  std::vector<ColumnType> types;
  std::vector<std::string> names;
  for (const NamedColumn& column : schema) {
    types.push_back(static_cast<ColumnType>(column.type));
    names.push_back(column.name);
  }
  if (Status s = check_expression(out, types); !s.ok()) return s.error();
  out.set_text(to_sql(out, names));
  return out;
}

}  // namespace

std::string unknown_digits(const Expr& decimal) {
  return "how many digits " + decimal.text() +
         " has differs from row to row; write how many to keep: cast(" + decimal.text() +
         " as decimal(38, 6))";
}

Expr column_expr(const std::vector<NamedColumn>& columns, size_t index) {
  Expr out;
  out.set_op(Expr::COLUMN);
  set_full_type(type_of(columns[index]), &out);
  out.set_column(static_cast<uint32_t>(index));
  out.set_text(quote_identifier(columns[index].name));
  return out;
}

ViewInputs compile_view_inputs(YamlFields* view, JobContext* job) {
  const YamlNode* list = view->find("union");
  if (list == nullptr) {
    const bool found = view->require("source",
                                     "the source whose events the view is over; or "
                                     "union, for those of several") != nullptr;
    return found ? single_source(view, *job) : ViewInputs{};
  }
  if (view->find("source") != nullptr) {
    view->error(*view->find("source"), "source",
                "the view has a source and a union; leave one of them out");
    return {};
  }
  if (!list->is_sequence() || list->items.empty() || list->items.size() > limits::kTableInputs) {
    view->error(*list, "union",
                "expected a list of 1 to " + std::to_string(limits::kTableInputs) +
                    " sources, such as [{source: card}, {source: transfer, columns: {amount: "
                    "cents / 100.0}}], found " +
                    (list->is_sequence() ? std::to_string(list->items.size()) : list->describe()));
    return {};
  }
  return UnionCompiler(view->path_of("union"), job).compile(*list);
}

Result<ExprTuple> over_sources(const Expr& expr, const ViewInputs& inputs, const JobContext& job) {
  if (std::string conflict = conflict_in(expr, inputs.conflicts); !conflict.empty()) {
    return user_error(std::move(conflict));
  }
  ExprTuple out;
  for (const ViewInput& input : inputs.inputs) {
    Result<Expr> replaced = over_source(expr, input, job.sources[input.source].columns);
    if (!replaced.ok()) {
      return input.name.empty() ? replaced.error() : replaced.error().within(input.name);
    }
    out.push_back(*std::move(replaced));
  }
  return out;
}

}  // namespace tidemill
