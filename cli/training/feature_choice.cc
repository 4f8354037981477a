#include "cli/training/feature_choice.h"

#include <algorithm>

namespace tidemill::training {
namespace {

struct Named {
  const ViewSpec* view;
  const FeatureSpec* feature;
  const proto::View* view_message;
  const proto::Feature* feature_message;
};

std::vector<Named> all_features(const Plan& plan) {
  std::vector<Named> out;
  for (size_t v = 0; v < plan.views().size(); ++v) {
    const ViewSpec& view = plan.views()[v];
    const proto::View& message = plan.proto().views(static_cast<int>(v));
    for (size_t f = 0; f < view.features.size(); ++f) {
      out.push_back({&view, &view.features[f], &message, &message.features(static_cast<int>(f))});
    }
  }
  return out;
}

Result<std::vector<Named>> features_of(const Plan& plan, const std::string& service) {
  const std::vector<Named> all = all_features(plan);
  if (service.empty()) return all;
  std::string known;
  for (const proto::Service& each : plan.proto().services()) {
    known += (known.empty() ? "" : ", ") + each.name();
    if (each.name() != service) continue;
    std::vector<Named> out;
    for (const std::string& name : each.features()) {
      const auto found = std::find_if(all.begin(), all.end(), [&](const Named& n) {
        return n.view->name + "." + n.feature->name == name;
      });
      ASSERT(found != all.end());  // a plan is checked
      out.push_back(*found);
    }
    return out;
  }
  return user_error(
      "the job has no service '" + service + "'" +
      (known.empty() ? "; leave --service out: it has none" : "; its services are " + known));
}

// The column of a join key; new if it is not there yet.
Result<uint32_t> add_key(const std::string& name, ColumnType type,
                         std::vector<proto::Field>* keys) {
  for (uint32_t i = 0; i < keys->size(); ++i) {
    if ((*keys)[i].name() != name) continue;
    if (static_cast<ColumnType>((*keys)[i].type()) == type) return i;
    return user_error("join key '" + name +
                      "' has another type in another view; choose features with one type of it by "
                      "--service");
  }
  proto::Field field;
  field.set_name(name);
  field.set_type(static_cast<proto::ColumnType>(type));
  keys->push_back(field);
  return static_cast<uint32_t>(keys->size() - 1);
}

Result<size_t> add_table(const ViewSpec& view, FeatureChoice* choice) {
  const size_t known = choice->chosen(view.table);
  if (known != SIZE_MAX) return known;
  ChosenTable table;
  table.table = view.table;
  table.entity = view.entity;
  const TableSchema& schema = (*choice->plan->tables())[view.table];
  for (size_t i = 0; i < view.entity.size(); ++i) {
    auto key = add_key(view.entity[i], schema.key_types[i], &choice->keys);
    if (!key) return key.error();
    table.key_columns.push_back(*key);
  }
  choice->tables.push_back(std::move(table));
  return choice->tables.size() - 1;
}

}  // namespace

size_t FeatureChoice::chosen(uint16_t table) const {
  for (size_t i = 0; i < tables.size(); ++i) {
    if (tables[i].table == table) return i;
  }
  return SIZE_MAX;
}

bool FeatureChoice::needs_source(uint32_t source) const {
  return std::any_of(tables.begin(), tables.end(), [&](const ChosenTable& t) {
    const auto& inputs = plan->proto().tables(t.table).inputs();
    return std::any_of(inputs.begin(), inputs.end(),
                       [&](const proto::TableInput& input) { return input.source() == source; });
  });
}

Result<FeatureChoice> choose_features(std::shared_ptr<const Plan> plan,
                                      const std::string& service) {
  FeatureChoice out;
  out.plan = std::move(plan);
  const auto features = features_of(*out.plan, service);
  if (!features) return features.error();
  for (const Named& named : *features) {
    const auto index = add_table(*named.view, &out);
    if (!index) return index.error();
    ChosenTable& table = out.tables[*index];
    if (out.groups.empty() || out.groups.back().table != table.table) {
      out.groups.push_back({table.table, table.features.size(), table.features.size()});
    }
    table.features.push_back(named.feature);
    table.definitions.push_back(named.feature_message);
    table.views.push_back(named.view_message);
    out.groups.back().end = table.features.size();
    out.columns.push_back(named.view->name + "__" + named.feature->name);
  }
  return out;
}

}  // namespace tidemill::training
