#include "shared/evolution/definition_text.h"

#include <algorithm>

#include "shared/base/time.h"
#include "shared/plan/features.h"
#include "shared/plan/table_inputs.h"
#include "shared/plan/window_kinds.h"
#include "shared/window/feature_value_json.h"

namespace tidemill {
namespace {

const char* closed_text(proto::Feature::Closed closed) {
  switch (closed) {
    case proto::Feature::LEFT:
      return "left";
    case proto::Feature::BOTH:
      return "both";
    case proto::Feature::NEITHER:
      return "neither";
    default:
      return "right";
  }
}

std::string default_text(const proto::Feature& feature) {
  std::string out;
  append_feature_value(default_of(feature), static_cast<ColumnType>(feature.type()), &out);
  return out;
}

void add(const std::string& text, std::string* list) {
  *list += (list->empty() ? "" : ", ") + text;
}

}  // namespace

std::string filter_text(const proto::Table& table, int32_t filter) {
  std::vector<std::string> texts;
  for (const proto::Expr& expr : filter_of(table, filter)) {
    if (std::find(texts.begin(), texts.end(), expr.text()) == texts.end()) {
      texts.push_back(expr.text());
    }
  }
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : " | ") + text;
  return out;
}

DefinitionText feature_text(const proto::Table& table, const proto::Feature& feature) {
  DefinitionText out;
  out.emplace_back("function", function_name(feature.function()));
  if (feature.column() >= 0) out.emplace_back("column", column_text(table, feature.column()));
  if (feature.filter() >= 0) out.emplace_back("where", filter_text(table, feature.filter()));
  if (feature.by() > 0) {
    out.emplace_back("by", column_text(table, static_cast<int32_t>(feature.by()) - 1));
    out.emplace_back("max_groups", std::to_string(feature.max_groups()));
  }
  for (const FunctionParameter& parameter : function_parameters(feature.function())) {
    out.emplace_back(parameter.key,
                     parameter_text(parameter, parameter_of(feature, parameter.field)));
  }
  if (may_give_map(feature.function()) && !gives_map(feature.function())) {
    out.emplace_back("counts", feature.map() ? "true" : "false");
  }
  out.emplace_back("window", window_text(feature));
  out.emplace_back("offset", format_duration(feature.offset_us()));
  out.emplace_back("closed", closed_text(feature.closed()));
  out.emplace_back(kDefaultKey, feature.has_default_value() ? default_text(feature) : "null");
  return out;
}

std::string order_text(const proto::Table& table, const proto::View& view) {
  std::string out;
  for (const uint32_t column : view.order()) {
    add(column_text(table, static_cast<int32_t>(column)), &out);
  }
  return out;
}

std::string difference_text(const DefinitionText& before, const DefinitionText& after) {
  const auto value = [](const DefinitionText& text, const std::string& key) -> std::string {
    for (const auto& [name, of] : text) {
      if (name == key) return of;
    }
    return "none";
  };
  std::string out;
  for (const auto& [key, was] : before) {
    const std::string is = value(after, key);
    if (is != was) add(key + ": " + was + " -> " + is, &out);
  }
  for (const auto& [key, is] : after) {
    if (value(before, key) == "none" && is != "none") add(key + ": none -> " + is, &out);
  }
  return out;
}

}  // namespace tidemill
