#include <algorithm>
#include <cstdio>

#include "cli/cost_tables.h"
#include "cli/feature_table.h"
#include "cli/table.h"
#include "shared/dead_letter/dead_letter.h"
#include "shared/window/feature_value_json.h"

namespace tidemill::cli {
namespace {

using costs::KeySample;
using costs::SampleReport;
using costs::TableSample;
using nlohmann::ordered_json;

double ratio(uint64_t a, uint64_t b) {
  return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b);
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string counted(uint64_t n, const char* one, const char* many) {
  return with_separators(n) + " " + (n == 1 ? one : many);
}

std::string head_text(const SampleReport& sample, const std::string& file) {
  std::string out = file + ": " + counted(sample.events, "event", "events");
  if (sample.events > 0) {
    out += " from " + format_timestamp(sample.first) + " to " + format_timestamp(sample.last);
  }
  out += ", " + with_separators(sample.bad) + " bad";
  if (sample.null_keys > 0)
    out += ", " + counted(sample.null_keys, "row", "rows") + " without a key";
  if (sample.too_late > 0) {
    out += ", " + counted(sample.too_late, "row", "rows") + " too late for every window";
  }
  return out + "\n";
}

std::string bad_text(const SampleReport& sample) {
  if (sample.first_bad.empty()) return "";
  Table table({"LINE", "REASON", "VIEW", "WHAT"});
  table.align_right(0);
  for (const costs::BadEvent& bad : sample.first_bad) {
    table.add({std::to_string(bad.line), reason_name(bad.reason), bad.view, bad.message});
  }
  const uint64_t more = sample.bad - sample.first_bad.size();
  return "\n" + table.render() + (more == 0 ? "" : "and " + with_separators(more) + " more\n");
}

std::string tables_text(const SampleReport& sample, const costs::JobCost& cost) {
  Table table({"ENTITY", "KEYS", "ROWS", "ROWS/KEY", "MOST", "STILL KEPT", "KEPT/KEY", "MOST KEPT",
               "EXPECTED/KEY", "BYTES/KEY", "BYTES/ROW"});
  for (size_t column = 1; column < 11; ++column) table.align_right(column);
  for (const TableSample& each : sample.tables) {
    const costs::TableCost& of = cost.tables[each.table];
    table.add({of.entity, with_separators(each.keys), with_separators(each.rows),
               number(ratio(each.rows, each.keys)), with_separators(each.most_rows),
               with_separators(each.kept_rows), number(ratio(each.kept_rows, each.kept_keys)),
               with_separators(each.most_kept), number(expected_rows(sample, each, of)),
               number(ratio(each.bytes, each.keys)), number(ratio(each.bytes, each.kept_rows))});
  }
  return "\n" + table.render() +
         "KEPT: within retention at the sample's end. EXPECTED: if events of these keys go on as "
         "in "
         "the sample, for as long as rows are kept.\n";
}

ordered_json value_of(const costs::FeatureSample& feature) {
  std::string text;
  append_feature_value(feature.value, static_cast<ColumnType>(feature.feature->type()), &text);
  return ordered_json::parse(text);
}

// As the store answers: a result for each feature, with a value for each key.
nlohmann::json answer_of(std::span<const KeySample> keys, TimeUs as_of) {
  nlohmann::json results = nlohmann::json::array();
  for (size_t f = 0; f < keys[0].features.size(); ++f) {
    nlohmann::json values = nlohmann::json::array();
    nlohmann::json statuses = nlohmann::json::array();
    for (const KeySample& key : keys) {
      values.push_back(nlohmann::json::parse(value_of(key.features[f]).dump()));
      statuses.push_back("PRESENT");
    }
    results.push_back({{"feature", keys[0].features[f].name},
                       {"values", std::move(values)},
                       {"statuses", std::move(statuses)}});
  }
  return {{"as_of", format_timestamp(as_of)}, {"results", std::move(results)}};
}

std::string keys_text(const SampleReport& sample) {
  std::string out;
  for (size_t begin = 0, end = 0; begin < sample.keys.size(); begin = end) {
    std::vector<std::string> names;
    for (; end < sample.keys.size() && sample.keys[end].entity == sample.keys[begin].entity;
         ++end) {
      names.push_back(sample.keys[end].key);
    }
    const std::span<const KeySample> keys(sample.keys.data() + begin, end - begin);
    out += "\n" + feature_table(answer_of(keys, sample.last), names, nullptr);
  }
  return out;
}

ordered_json describe(const TableSample& table, const SampleReport& sample,
                      const costs::JobCost& cost) {
  const costs::TableCost& of = cost.tables[table.table];
  return {{"entity", of.entity},
          {"views", of.views},
          {"keys", table.keys},
          {"rows", table.rows},
          {"rows_per_key", ratio(table.rows, table.keys)},
          {"most_rows_per_key", table.most_rows},
          {"kept_rows", table.kept_rows},
          {"kept_keys", table.kept_keys},
          {"kept_rows_per_key", ratio(table.kept_rows, table.kept_keys)},
          {"most_kept_rows_per_key", table.most_kept},
          {"expected_rows_per_key", expected_rows(sample, table, of)},
          {"bytes", table.bytes},
          {"bytes_per_key", ratio(table.bytes, table.keys)},
          {"bytes_per_row", ratio(table.bytes, table.kept_rows)}};
}

}  // namespace

double expected_rows(const SampleReport& sample, const TableSample& table,
                     const costs::TableCost& cost) {
  const double rows = ratio(table.rows, table.keys);
  const double kept = static_cast<double>(cost.retention) + static_cast<double>(cost.behind);
  const double span =
      sample.events == 0 ? 0 : static_cast<double>(sample.last) - static_cast<double>(sample.first);
  return span <= 0 ? rows : rows * kept / span;
}

std::string sample_text(const SampleReport& sample, const costs::JobCost& cost,
                        const std::string& file) {
  return head_text(sample, file) + bad_text(sample) + tables_text(sample, cost) + keys_text(sample);
}

ordered_json sample_json(const SampleReport& sample, const costs::JobCost& cost) {
  ordered_json bad = ordered_json::array();
  for (const costs::BadEvent& each : sample.first_bad) {
    bad.push_back({{"line", each.line},
                   {"reason", reason_name(each.reason)},
                   {"view", each.view},
                   {"message", each.message}});
  }
  ordered_json tables = ordered_json::array();
  for (const TableSample& each : sample.tables) tables.push_back(describe(each, sample, cost));
  ordered_json keys = ordered_json::array();
  for (const KeySample& key : sample.keys) {
    ordered_json features = ordered_json::object();
    for (const costs::FeatureSample& feature : key.features) {
      features[feature.name] = value_of(feature);
    }
    keys.push_back({{"entity", key.entity},
                    {"key", key.key},
                    {"rows", key.rows},
                    {"features", std::move(features)}});
  }
  ordered_json out = {{"events", sample.events},       {"bad", sample.bad},
                      {"null_keys", sample.null_keys}, {"too_late", sample.too_late},
                      {"first_bad", std::move(bad)},   {"state", std::move(tables)},
                      {"keys", std::move(keys)}};
  if (sample.events > 0) {
    out["first"] = format_timestamp(sample.first);
    out["as_of"] = format_timestamp(sample.last);
  }
  return out;
}

}  // namespace tidemill::cli
