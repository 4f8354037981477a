#include "cli/costs/sample_keys.h"

#include <algorithm>

#include "shared/expr/scalars.h"
#include "shared/plan/entity_key.h"

namespace tidemill::costs {
namespace {

struct Ranked {
  std::string key;
  uint64_t hash = 0;
  uint64_t rows = 0;
};

using Tables = std::vector<const SampleRows::Table*>;

std::string part_text(const KeyPart& part) {
  TextBuffer buffer;
  switch (part.type) {
    case ColumnType::kBool:
      return part.int_value != 0 ? "true" : "false";
    case ColumnType::kTimestamp:
      return std::string(timestamp_to_text(part.int_value, &buffer));
    case ColumnType::kDate:
      return std::string(date_to_text(part.int_value, &buffer));
    default:
      return std::to_string(part.int_value);
  }
}

// "customer_id=596 terminal_id=7". Texts are as they came, whatever they are.
std::string key_text(const std::vector<std::string>& names, const std::string& key,
                     const std::vector<ColumnType>& types) {
  ByteReader in({reinterpret_cast<const uint8_t*>(key.data()), key.size()});
  std::string out;
  for (size_t i = 0; i < types.size(); ++i) {
    out += (out.empty() ? "" : " ") + names[i] + "=";
    if (is_plain_string_key(types)) {
      out += key;
    } else if (storage_of(types[i]) == Storage::kStrings) {
      out += in.get_string();
    } else {
      out += part_text({types[i], in.get<int64_t>(), {}});
    }
  }
  return out;
}

std::vector<Ranked> ranked(const Tables& tables, size_t most) {
  std::map<std::string, Ranked> all;
  for (const SampleRows::Table* table : tables) {
    for (const auto& [key, rows] : table->keys) {
      Ranked& of = all[key];
      of.key = key;
      of.hash = rows.hash;
      of.rows += rows.times.size();
    }
  }
  std::vector<Ranked> out;
  for (auto& [key, each] : all) out.push_back(std::move(each));
  std::stable_sort(out.begin(), out.end(),
                   [](const Ranked& a, const Ranked& b) { return a.rows > b.rows; });
  if (out.size() > most) out.resize(most);
  return out;
}

void add_features(const ViewSpec& view, const proto::View& message, const SampleRows::Table& table,
                  const Ranked& key, TimeUs as_of, KeySample* out) {
  std::vector<const FeatureSpec*> features;
  for (const FeatureSpec& feature : view.features) features.push_back(&feature);
  std::vector<FeatureValue> values;
  table.state.compute(table.number, key.key, key.hash, features, as_of, &values);
  for (size_t f = 0; f < features.size(); ++f) {
    out->features.push_back({view.name + "." + features[f]->name,
                             &message.features(static_cast<int>(f)), std::move(values[f])});
  }
}

}  // namespace

std::vector<KeySample> sample_keys(const Plan& plan, const SampleRows& rows, size_t most,
                                   TimeUs as_of) {
  std::vector<std::string> entities;  // in the order of tables
  std::map<std::string, Tables> by_entity;
  for (const auto& table : rows.tables()) {
    const std::string& entity = (*plan.tables())[table->number].entity;
    if (by_entity[entity].empty()) entities.push_back(entity);
    by_entity[entity].push_back(table.get());
  }
  std::vector<KeySample> out;
  for (const std::string& entity : entities) {
    for (const Ranked& key : ranked(by_entity[entity], most)) {
      KeySample sample{entity, "", key.rows, {}};
      for (size_t v = 0; v < plan.views().size(); ++v) {
        const ViewSpec& view = plan.views()[v];
        for (const SampleRows::Table* table : by_entity[entity]) {
          if (table->number != view.table) continue;
          const TableSchema& schema = (*plan.tables())[view.table];
          sample.key = key_text(view.entity, key.key, schema.key_types);
          add_features(view, plan.proto().views(static_cast<int>(v)), *table, key, as_of, &sample);
        }
      }
      out.push_back(std::move(sample));
    }
  }
  return out;
}

}  // namespace tidemill::costs
