#include "cli/costs/job_cost.h"

#include <algorithm>
#include <numeric>

#include "cli/costs/row_cost.h"
#include "shared/plan/features.h"
#include "shared/plan/source_partitions.h"
#include "shared/plan/table_bound.h"
#include "shared/plan/table_inputs.h"
#include "shared/plan/window_kinds.h"

namespace tidemill::costs {
namespace {

template <typename Visit>
void each_feature(const Plan& plan, uint16_t table, Visit&& visit) {
  for (size_t v = 0; v < plan.views().size(); ++v) {
    const ViewSpec& view = plan.views()[v];
    if (view.table != table) continue;
    for (size_t f = 0; f < view.features.size(); ++f) {
      const proto::View& message = plan.proto().views(static_cast<int>(v));
      visit(view, view.features[f], message.features(static_cast<int>(f)));
    }
  }
}

// By input of the table: a source may be there several times.
std::vector<uint32_t> sources_of(const proto::Table& table) {
  std::vector<uint32_t> out;
  for (const proto::TableInput& input : table.inputs()) out.push_back(input.source());
  return out;
}

TableCost cost_of_table(const Plan& plan, uint16_t number) {
  const proto::Table& table = plan.proto().tables(number);
  const TableSchema& schema = (*plan.tables())[number];
  TableCost out;
  out.entity = table.entity();
  DurationUs out_of_order = 0;
  for (const uint32_t s : sources_of(table)) {
    const proto::Source& source = plan.proto().sources(static_cast<int>(s));
    if (std::find(out.sources.begin(), out.sources.end(), source.name()) == out.sources.end()) {
      out.sources.push_back(source.name());
    }
    out_of_order = std::max(out_of_order, source.max_out_of_orderness_us());
  }
  for (size_t c = 0; c < schema.columns.size(); ++c) {
    out.columns.push_back({column_text(table, static_cast<int32_t>(c)), schema.columns[c],
                           value_bytes(schema.columns[c])});
  }
  out.conditions = schema.filters;
  out.row_bytes = row_bytes(schema);
  out.key_bytes = key_bytes();
  out.retention = schema.retention;
  out.behind = out_of_order + plan.proto().allowed_lateness_us();
  if (schema.bound != nullptr) {
    out.bound = {schema.bound->max_rows, schema.bound->max_leaves, table.bound().tile_us(),
                 most_tiles(plan.proto(), table), table.bound().by_default()};
  }
  if (schema.deduplication != nullptr) {
    out.within = schema.deduplication->within;
    for (const uint32_t column : schema.deduplication->by) {
      out.id.push_back(out.columns[column].text);
    }
  }
  std::vector<const FeatureSpec*> features;
  each_feature(plan, number,
               [&](const ViewSpec& view, const FeatureSpec& spec, const proto::Feature& feature) {
                 if (out.views.empty() || out.views.back() != view.name) {
                   out.views.push_back(view.name);
                 }
                 features.push_back(&spec);
                 if (out.longest.empty() && reach_of(feature) + out.within == schema.retention) {
                   out.longest = view.name + "." + spec.name;
                 }
               });
  out.cached_bytes = cached_bytes(features);
  out.base = base_costs(plan, number);
  return out;
}

SourceCost cost_of_source(const Plan& plan, uint32_t number, const std::vector<TableCost>& tables) {
  const proto::Source& source = plan.proto().sources(static_cast<int>(number));
  SourceCost out;
  out.name = source.name();
  if (!source.has_kafka()) out.partitions = partition_count(source);
  out.may_grow = may_grow(source);
  for (int t = 0; t < plan.proto().tables_size(); ++t) {
    const auto& sources = sources_of(plan.proto().tables(t));
    const auto rows = std::count(sources.begin(), sources.end(), number);
    out.event_bytes += static_cast<double>(rows) * tables[static_cast<size_t>(t)].row_bytes;
  }
  return out;
}

// The window is what stands behind the last '_'.
std::string without_window(const std::string& feature) {
  return feature.substr(0, feature.rfind('_'));
}

void add_functions(const ViewSpec& view, const proto::View& message,
                   std::vector<FunctionCost>* out) {
  const size_t first = out->size();
  for (size_t f = 0; f < view.features.size(); ++f) {
    const proto::Feature& feature = message.features(static_cast<int>(f));
    FunctionCost next{view.name + "." + without_window(feature.name()),
                      function_name(feature.function()),
                      {},
                      bounds_of(feature),
                      approximation_of(feature)};
    if (out->size() == first || out->back().name != next.name ||
        out->back().function != next.function) {
      out->push_back(std::move(next));
    }
    out->back().windows.push_back(window_text(feature));
  }
}

void add_entity(const std::string& entity, const std::string& view, std::vector<EntityCost>* out) {
  const auto found = std::find_if(out->begin(), out->end(),
                                  [&](const EntityCost& e) { return e.entity == entity; });
  if (found == out->end()) {
    out->push_back({entity, {view}});
  } else {
    found->views.push_back(view);
  }
}

}  // namespace

double TableCost::bytes_of(uint64_t rows) const {
  return key_bytes + static_cast<double>(rows) * row_bytes;
}

double TableCost::base_bytes() const {
  return std::accumulate(base.begin(), base.end(), 0.0,
                         [](double sum, const BaseCost& each) { return sum + each.bytes; });
}

JobCost cost_of(const Plan& plan) {
  JobCost out;
  out.key_partitions = plan.key_partitions();
  for (int t = 0; t < plan.proto().tables_size(); ++t) {
    out.tables.push_back(cost_of_table(plan, static_cast<uint16_t>(t)));
  }
  for (int s = 0; s < plan.proto().sources_size(); ++s) {
    out.sources.push_back(cost_of_source(plan, static_cast<uint32_t>(s), out.tables));
  }
  for (size_t v = 0; v < plan.views().size(); ++v) {
    const ViewSpec& view = plan.views()[v];
    add_functions(view, plan.proto().views(static_cast<int>(v)), &out.functions);
    add_entity(plan.proto().tables(view.table).entity(), view.name, &out.entities);
  }
  return out;
}

}  // namespace tidemill::costs
