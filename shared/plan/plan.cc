#include "shared/plan/plan.h"

#include <map>
#include <set>

#include "shared/base/hash.h"
#include "shared/expr/printer.h"
#include "shared/expr/types.h"
#include "shared/nested/proto_type.h"
#include "shared/plan/limits.h"
#include "shared/plan/plan_checks.h"
#include "shared/plan/source_partitions.h"
#include "shared/plan/table_bound.h"
#include "shared/plan/table_layout.h"
#include "shared/plan/window_kinds.h"

namespace tidemill {
namespace {

template <typename List>
Status check_size(const List& list, size_t least, size_t most, const char* what) {
  const auto size = static_cast<size_t>(list.size());
  if (size >= least && size <= most) return {};
  return user_error("the plan has " + std::to_string(size) + " " + what + "; from " +
                    std::to_string(least) + " to " + std::to_string(most) + " are allowed");
}

Status check_head(const proto::JobPlan& plan) {
  const uint32_t least = plan_format_of(plan);
  if (plan.format_version() < least || plan.format_version() > kPlanFormat) {
    return user_error("the plan has format version " + std::to_string(plan.format_version()) +
                      "; what it says has one from " + std::to_string(least) + " to " +
                      std::to_string(kPlanFormat));
  }
  if (!is_name(plan.job())) return user_error("the job's name is not valid");
  if (plan.key_partitions() < 1 || plan.key_partitions() > limits::kKeyPartitions) {
    return user_error("key_partitions is from 1 to " + std::to_string(limits::kKeyPartitions));
  }
  if (plan.standby_replicas() > limits::kStandbyReplicas) {
    return user_error("standby_replicas is 0 or " + std::to_string(limits::kStandbyReplicas));
  }
  if (plan.allowed_lateness_us() < 0 || plan.allowed_lateness_us() > limits::kLongestTime) {
    return user_error("allowed_lateness is out of range");
  }
  if (plan.leading_edge() != proto::JobPlan::WALL && plan.leading_edge() != proto::JobPlan::EVENT) {
    return user_error("leading_edge is neither wall nor event");
  }
  if (plan.yaml().size() > limits::kYamlBytes) return user_error("the job's text is too long");
  return {};
}

Status check_sources(const proto::JobPlan& plan) {
  std::set<std::string> names;
  for (const proto::Source& source : plan.sources()) {
    if (Status s = check_source(source); !s.ok()) return s;
    if (!names.insert(source.name()).second) {
      return user_error("source '" + source.name() + "' is there twice");
    }
  }
  return check_source_partitions(plan);
}

Status check_tables(const proto::JobPlan& plan) {
  for (const proto::Table& table : plan.tables()) {
    if (Status s = check_table(plan, table); !s.ok()) return s;
  }
  return {};
}

// Of all views, each its own, or of none.
Status check_numbers(const proto::JobPlan& plan) {
  std::set<uint32_t> numbers;
  size_t views = 0;
  for (const proto::View& view : plan.views()) {
    views += view.continued() ? 0 : 1;
    if (view.has_number()) numbers.insert(view.number());
  }
  if (plan.next_view_number() > limits::kViewNumbers) {
    return user_error("the job had more views in all than " + std::to_string(limits::kViewNumbers) +
                      "; submit it anew");
  }
  if (numbers.empty() && plan.next_view_number() == 0) return {};
  const uint32_t end =
      plan.next_view_number() == 0 ? limits::kViewNumbers : plan.next_view_number();
  if (numbers.size() == views && *numbers.rbegin() < end) return {};
  return user_error("the numbers of its views are not each view's own, or beyond " +
                    std::to_string(limits::kViewNumbers));
}

// Whether it is a part of the view before it, or none.
Status check_continued(const proto::JobPlan& plan, const proto::View& view,
                       const proto::View* before) {
  if (!view.continued()) return {};
  const auto same = [](const auto& a, const auto& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  };
  if (plan.revision() > 0 && before != nullptr && before->name() == view.name() &&
      before->has_number() && view.has_number() && before->number() == view.number() &&
      same(before->entity(), view.entity())) {
    return {};
  }
  return user_error("view '" + view.name() + "' is continued where it was not begun");
}

Status check_views(const proto::JobPlan& plan) {
  std::set<std::string> names;
  const proto::View* before = nullptr;
  std::vector<int64_t> longest(static_cast<size_t>(plan.tables_size()));
  std::vector<int> views(static_cast<size_t>(plan.tables_size()));
  size_t features = 0;
  for (const proto::View& view : plan.views()) {
    if (Status s = check_view(plan, view); !s.ok()) return s;
    if (Status s = check_continued(plan, view, before); !s.ok()) return s;
    before = &view;
    if (!names.insert(view.name()).second && !view.continued()) {
      return user_error("view '" + view.name() + "' is there twice");
    }
    features += static_cast<size_t>(view.features_size());
    ++views[view.table()];
    for (const proto::Feature& feature : view.features()) {
      longest[view.table()] = std::max(longest[view.table()], reach_of(feature));
    }
  }
  for (int i = 0; i < plan.tables_size(); ++i) {
    const proto::Table& table = plan.tables(i);
    if (table.has_deduplication() && views[static_cast<size_t>(i)] != 1 &&
        (plan.revision() == 0 || views[static_cast<size_t>(i)] != 0)) {
      return user_error("table '" + table.entity() +
                        "' has a deduplication, which is of one view, and is not of one");
    }
    // Of a job that was changed it may be more: nothing is given up.
    const int64_t needed = longest[static_cast<size_t>(i)] + table.deduplication().within_us();
    if (plan.revision() == 0 ? table.retention_us() != needed : table.retention_us() < needed) {
      return user_error("table '" + table.entity() +
                        "' does not retain just what its features look back");
    }
  }
  if (Status s = check_numbers(plan); !s.ok()) return s;
  if (features > limits::kFeatures) {
    return user_error("the plan has " + std::to_string(features) + " features; at most " +
                      std::to_string(limits::kFeatures) + " are allowed");
  }
  return {};
}

Status check_services(const proto::JobPlan& plan) {
  std::set<std::string> features;
  for (const proto::View& view : plan.views()) {
    for (const proto::Feature& feature : view.features()) {
      features.insert(view.name() + "." + feature.name());
    }
  }
  std::set<std::string> names;
  for (const proto::Service& service : plan.services()) {
    if (!is_name(service.name()) || !names.insert(service.name()).second) {
      return user_error("a service's name is not valid, or is there twice");
    }
    const std::string where = "service '" + service.name() + "'";
    if (Status s = check_size(service.features(), 1, limits::kFeatures, "features in a service");
        !s.ok()) {
      return s.error().within(where);
    }
    for (const std::string& feature : service.features()) {
      if (!features.contains(feature)) {
        return user_error(where + " names '" + feature + "', which is no feature");
      }
    }
  }
  return {};
}

Status check_plan(const proto::JobPlan& plan) {
  if (Status s = check_head(plan); !s.ok()) return s;
  const Status sizes[] = {check_size(plan.sources(), 1, limits::kSources, "sources"),
                          check_size(plan.tables(), 1, limits::kTables, "tables"),
                          check_size(plan.views(), 1, limits::kViews, "views"),
                          check_size(plan.services(), 0, limits::kServices, "services")};
  for (const Status& s : sizes) {
    if (!s.ok()) return s;
  }
  if (Status s = check_sources(plan); !s.ok()) return s;
  if (Status s = check_tables(plan); !s.ok()) return s;
  if (Status s = check_views(plan); !s.ok()) return s;
  return check_services(plan);
}

void rewrite_texts(const proto::Source& source, proto::TableInput* input) {
  std::vector<std::string> names;
  for (const proto::Field& field : source.schema()) names.push_back(field.name());
  for (auto* list : {input->mutable_keys(), input->mutable_columns(), input->mutable_filters()}) {
    for (proto::Expr& expr : *list) expr.set_text(to_sql(expr, names));
  }
  if (input->has_where()) input->mutable_where()->set_text(to_sql(input->where(), names));
}

// Texts of expressions are for people; whatever came is replaced by what the expression says.
void rewrite_texts(proto::JobPlan* plan) {
  for (proto::Table& table : *plan->mutable_tables()) {
    for (proto::TableInput& input : *table.mutable_inputs()) {
      rewrite_texts(plan->sources(static_cast<int>(input.source())), &input);
    }
  }
}

FeatureSpec feature_spec(const proto::Table& table, const proto::Feature& feature,
                         const google::protobuf::RepeatedField<uint32_t>& order) {
  FeatureSpec spec;
  spec.name = feature.name();
  spec.function = static_cast<Function>(feature.function());
  spec.column = feature.column();
  spec.filter = feature.filter();
  spec.window = feature.window_us();
  spec.offset = feature.offset_us();
  spec.closed = static_cast<Closed>(feature.closed());
  spec.type = static_cast<ColumnType>(feature.type());
  if (feature.column() >= 0) {
    spec.column_scale = static_cast<uint8_t>(column_type(table, feature.column()).scale());
  }
  if (is_nested(feature.type())) {
    spec.nested = std::make_shared<const NestedType>(nested_type(feature.details()));
  }
  if (is_nested(feature.key_type())) {
    spec.nested_key = std::make_shared<const NestedType>(nested_type(feature.key_details()));
  }
  spec.list = feature.list();
  spec.n = feature.n();
  spec.lifetime = feature.lifetime();
  spec.map = feature.map();
  spec.bound = feature.bound();
  spec.by = static_cast<int32_t>(feature.by()) - 1;
  spec.max_groups = feature.max_groups();
  spec.percentile = feature.percentile();
  spec.relative_accuracy = feature.relative_accuracy();
  spec.half_life = feature.half_life_us();
  spec.gap = feature.gap_us();
  spec.steps = window_steps(feature);
  spec.otherwise = default_of(feature);
  spec.order.assign(order.begin(), order.end());
  spec.reach = reach_of(feature);
  return spec;
}

// As the table of a job that was changed states it, or as the view that has it alone has it.
std::shared_ptr<const Deduplication> deduplication_of(const proto::Deduplication& from) {
  auto out = std::make_shared<Deduplication>();
  out->by.assign(from.by().begin(), from.by().end());
  out->within = from.within_us();
  out->filter = static_cast<int32_t>(from.filter()) - 1;
  out->order.assign(from.order().begin(), from.order().end());
  out->filters.assign(from.order_filters().begin(), from.order_filters().end());
  return out;
}

TableSchema table_schema(const proto::Table& table) {
  TableSchema out;
  out.entity = table.entity();
  out.entity_seed = hash_bytes(table.entity(), 0);
  for (int type : table.key_types()) out.key_types.push_back(static_cast<ColumnType>(type));
  for (int type : table.column_types()) out.columns.push_back(static_cast<ColumnType>(type));
  const auto& types = table.column_types();
  if (std::find(types.begin(), types.end(), proto::DECIMAL) != types.end()) {
    for (int i = 0; i < types.size(); ++i) {
      out.scales.push_back(static_cast<uint8_t>(column_type(table, i).scale()));
    }
  }
  out.filters = static_cast<uint32_t>(table.inputs(0).filters_size());
  out.retention = table.retention_us();
  if (table.has_first_retention_us()) out.first_retention = table.first_retention_us();
  out.further = table.since_revision() > 0;
  for (const proto::LifetimeFeature& kept : table.summarized()) {
    out.lifetime.push_back(feature_spec(table, kept.feature(), kept.order()));
  }
  if (table.deduplication().order_stated()) {
    out.deduplication = deduplication_of(table.deduplication());
  }
  return out;
}

ViewSpec view_spec(const proto::Table& table, const proto::View& view, uint32_t place) {
  ViewSpec out;
  out.name = view.name();
  out.entity.assign(view.entity().begin(), view.entity().end());
  out.table = static_cast<uint16_t>(view.table());
  out.number = view.has_number() ? view.number() : place;
  for (const proto::Feature& feature : view.features()) {
    out.features.push_back(feature_spec(table, feature, view.order()));
    out.features.back().table = out.table;
  }
  return out;
}

// What the view's table keeps for it. `from` is the view's message.
void add_view(const ViewSpec& view, const proto::View& from, const proto::Table& kept_in,
              std::vector<TableSchema>* tables) {
  TableSchema& table = (*tables)[view.table];
  TableView kept;
  kept.view = view.number;
  std::set<uint32_t> filters;
  bool every_row = false;
  for (const proto::Feature& feature : from.features()) {
    kept.retention = std::max(kept.retention, reach_of(feature));
  }
  if (kept_in.has_deduplication()) {
    table.deduplication = deduplication_of(stated_deduplication(kept_in.deduplication(), from));
    kept.retention += table.deduplication->within;
    every_row = table.deduplication->filter < 0;
    if (!every_row) filters.insert(static_cast<uint32_t>(table.deduplication->filter));
  }
  for (const FeatureSpec& feature : view.features) {
    if (kept_in.has_bound()) table.features.push_back(feature);
    if (feature.filter < 0) every_row = true;
    if (feature.filter >= 0) filters.insert(static_cast<uint32_t>(feature.filter));
    if (!feature.lifetime) continue;
    kept.lifetime = true;
    if (kept_in.summarized_size() == 0) table.lifetime.push_back(feature);
  }
  if (!every_row) kept.filters.assign(filters.begin(), filters.end());
  if (!from.continued()) table.views.push_back(std::move(kept));  // late rows count once
}

// After all views over the table. What its summaries are for has to be found in leaves too.
void add_bound(const proto::Table& from, TableSchema* table) {
  table->features.insert(table->features.end(), table->lifetime.begin(), table->lifetime.end());
  table->bound =
      std::make_shared<const TileBound>(tile_bound(from.bound(), table->columns, table->features));
}

// Decimals and nested types, of which older readers know nothing.
bool has_newer_types(const proto::Expr& expr) {
  return has_details(expr.type()) ||
         std::any_of(expr.args().begin(), expr.args().end(), has_newer_types);
}
bool has_newer_types(const proto::JobPlan& plan) {
  for (const proto::Source& source : plan.sources()) {
    for (const proto::Field& field : source.schema()) {
      if (has_details(field.type())) return true;
    }
  }
  for (const proto::Table& table : plan.tables()) {
    for (const proto::TableInput& input : table.inputs()) {
      for (const auto* list : {&input.keys(), &input.columns(), &input.filters()}) {
        for (const proto::Expr& expr : *list) {
          if (has_newer_types(expr)) return true;
        }
      }
      if (has_newer_types(input.where())) return true;
    }
  }
  return false;
}

}  // namespace

uint32_t plan_format_of(const proto::JobPlan& plan) {
  const bool says_what_it_was =
      std::any_of(plan.tables().begin(), plan.tables().end(),
                  [](const proto::Table& table) { return table.fed() != 0; });
  if (has_newer_types(plan) || says_what_it_was) return kPlanFormat;
  const bool counts_not_every_row = std::any_of(
      plan.tables().begin(), plan.tables().end(),
      [](const proto::Table& table) { return table.has_deduplication() || table.has_bound(); });
  return counts_not_every_row ? 4 : kLeastPlanFormat;
}

Result<std::shared_ptr<const Plan>> Plan::from_proto(proto::JobPlan message) {
  auto plan = std::make_shared<Plan>();
  if (Status s = check_plan(message); !s.ok()) return s.error();
  rewrite_texts(&message);
  if (Status s = check_expressions(message); !s.ok()) return s.error();
  auto tables = std::make_shared<std::vector<TableSchema>>();
  for (const proto::Table& table : message.tables()) {
    tables->push_back(table_schema(table));
    for (const proto::TableInput& input : table.inputs()) {
      const auto source = static_cast<int>(input.source());
      tables->back().max_future =
          std::max<DurationUs>(tables->back().max_future, message.sources(source).max_future_us());
    }
  }
  for (const proto::View& view : message.views()) {
    const auto place = static_cast<uint32_t>(plan->views_.size());
    const proto::Table& table = message.tables(static_cast<int>(view.table()));
    ViewSpec spec = view_spec(table, view, place);
    add_view(spec, view, table, tables.get());
    if (!view.continued()) {
      plan->views_.push_back(std::move(spec));
      continue;
    }
    auto& features = plan->views_.back().features;
    std::move(spec.features.begin(), spec.features.end(), std::back_inserter(features));
  }
  for (int t = 0; t < message.tables_size(); ++t) {
    if (message.tables(t).has_bound())
      add_bound(message.tables(t), &(*tables)[static_cast<size_t>(t)]);
  }
  plan->tables_ = std::move(tables);
  plan->proto_ = std::move(message);
  return std::shared_ptr<const Plan>(std::move(plan));
}

uint32_t Plan::view_numbers() const {
  uint32_t out = 0;
  for (const ViewSpec& each : views_) out = std::max(out, each.number + 1);
  return out;
}

const ViewSpec* Plan::view(std::string_view name) const {
  for (const ViewSpec& each : views_) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

uint32_t Plan::source_index(uint32_t source_partition) const {
  ASSERT(source_partition < source_partitions());
  return proto_.source_partitions(static_cast<int>(source_partition)).source();
}

const proto::Source& Plan::source_of(uint32_t source_partition, uint32_t* index) const {
  const auto source = static_cast<int>(source_index(source_partition));
  *index = proto_.source_partitions(static_cast<int>(source_partition)).index();
  return proto_.sources(source);
}

}  // namespace tidemill
