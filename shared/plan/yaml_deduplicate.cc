#include "shared/plan/yaml_deduplicate.h"

#include <algorithm>

#include "shared/expr/suggest.h"
#include "shared/expr/types.h"
#include "shared/plan/limits.h"
#include "shared/plan/plan_checks.h"
#include "shared/plan/window_kinds.h"

namespace tidemill {
namespace {

using proto::Expr;

constexpr char kExample[] = "{by: [transaction_id], within: 1d}";

// The column as an expression; nothing, with an error, if there is none that may be part of an id.
std::optional<Expr> id_column(const YamlNode& node, const std::string& key,
                              const ViewInputs& inputs, YamlFields* fields) {
  const std::string& name = node.scalar;
  std::vector<std::string> known;
  for (const NamedColumn& column : inputs.columns) known.push_back(column.name);
  const auto found = std::find(known.begin(), known.end(), name);
  if (found == known.end()) {
    fields->error(node, key, "unknown column '" + name + "'" + suggestion(name, known));
    return std::nullopt;
  }
  const auto index = static_cast<size_t>(found - known.begin());
  const proto::ColumnType type = inputs.columns[index].type;
  if (!inputs.conflicts[index].empty()) {
    fields->error(node, key, inputs.conflicts[index]);
  } else if (!is_id_type(type)) {
    fields->error(
        node, key,
        "column '" + name + "' is " + type_name(type) +
            "; name columns of type string, int32, int64, bool, timestamp, date or bytes, "
            "which an id may have");
  } else {
    return column_expr(inputs.columns, index);
  }
  return std::nullopt;
}

void compile_by(YamlFields* fields, const ViewInputs* inputs, ErrorList* errors,
                DeduplicateKeys* out) {
  const YamlNode* list = fields->require("by", "the columns that tell events apart");
  if (list == nullptr) return;
  const size_t before = errors->size();
  const auto items = scalars_of(*list, fields->path_of("by"), errors);
  if (errors->size() != before) return;
  if (items.empty() || items.size() > limits::kDeduplicateColumns) {
    fields->error(*list, "by",
                  "expected a list of 1 to " + std::to_string(limits::kDeduplicateColumns) +
                      " columns, found " + std::to_string(items.size()));
    return;
  }
  if (inputs == nullptr) return;
  for (const YamlNode* item : items) {
    const std::string key = item_key(*list, *item, "by");
    std::optional<Expr> column = id_column(*item, key, *inputs, fields);
    if (!column.has_value()) continue;
    const auto is_same = [&](const Expr& known) { return known.column() == column->column(); };
    if (std::any_of(out->by.begin(), out->by.end(), is_same)) {
      fields->error(*item, key, "column '" + item->scalar + "' is there twice; name it once");
      continue;
    }
    out->by.push_back(*std::move(column));
  }
}

}  // namespace

std::optional<DeduplicateKeys> compile_deduplicate(YamlFields* view, const ViewInputs* inputs,
                                                   ErrorList* errors) {
  const YamlNode* node = view->find("deduplicate");
  if (node == nullptr) return std::nullopt;
  DeduplicateKeys out;
  if (!node->is_map()) {
    view->error(
        *node, "deduplicate",
        "expected a mapping such as " + std::string(kExample) + ", found " + node->describe());
    return out;
  }
  YamlFields fields(*node, view->path_of("deduplicate"), {"by", "within"}, errors);
  compile_by(&fields, inputs, errors, &out);
  const YamlNode* within =
      fields.require("within", "how long after an event others of its id do not count, such as 1d");
  if (within == nullptr) return out;
  const size_t before = errors->size();
  out.within = fields.duration("within", 0);
  if (errors->size() == before && out.within == 0) {
    fields.error(*within, "within", "must be longer than 0");
  }
  return out;
}

std::string deduplicated_window_fault(const proto::Feature& feature, const DeduplicateKeys& keys) {
  if (feature.lifetime()) {
    return "a lifetime window does not go with deduplicate: of events before the horizon it keeps "
           "a "
           "summary alone, which cannot tell whether another one is there already; write a window, "
           "or move the aggregation to a view without deduplicate";
  }
  if (reach_of(feature) + keys.within <= limits::kLongestTime) return {};
  return "it looks back " + format_duration(reach_of(feature)) + ", and deduplicate " +
         format_duration(keys.within) + " before that; at most " +
         format_duration(limits::kLongestTime) + " in all is allowed";
}

}  // namespace tidemill
