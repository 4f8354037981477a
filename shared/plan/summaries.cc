#include "shared/plan/summaries.h"

#include <algorithm>

namespace tidemill {
namespace {

using proto::Feature;
using Order = google::protobuf::RepeatedField<uint32_t>;

// Functions that need the same of the rows are one: the first of them.
Feature::Function like(Feature::Function function) {
  switch (function) {
    case Feature::MEAN:
      return Feature::SUM;
    case Feature::MAX:
      return Feature::MIN;
    case Feature::VAR_SAMP:
    case Feature::STDDEV_POP:
    case Feature::STDDEV_SAMP:
      return Feature::VAR_POP;
    case Feature::SKEW_POP:
      return Feature::SKEW;
    case Feature::KURTOSIS_POP:
      return Feature::KURTOSIS;
    case Feature::BOTTOM_K_BY_FREQUENCY:
      return Feature::TOP_K_BY_FREQUENCY;
    default:
      return function;
  }
}

bool is_by_order(Feature::Function function) {
  return function >= Feature::FIRST && function <= Feature::LAST_DISTINCT_N;
}

// Whether summaries for the longer list, or for more values, hold the shorter one.
bool may_be_longer(const Feature& feature) {
  return feature.by() == 0 &&
         (is_by_order(feature.function()) || feature.function() == Feature::COUNT_DISTINCT ||
          feature.function() == Feature::TOP_K || feature.function() == Feature::BOTTOM_K);
}

bool is_by_frequency(Feature::Function function) {
  return like(function) == Feature::TOP_K_BY_FREQUENCY;
}

bool same_length(const Feature& kept, const Feature& feature) {
  if (is_by_frequency(feature.function())) return true;  // all counts are there
  return may_be_longer(feature) ? kept.n() >= feature.n() : kept.n() == feature.n();
}

bool holds(const proto::LifetimeFeature& kept, const Feature& feature, const Order& order) {
  const Feature& of = kept.feature();
  return like(of.function()) == like(feature.function()) && of.column() == feature.column() &&
         of.filter() == feature.filter() && of.by() == feature.by() &&
         of.max_groups() == feature.max_groups() && of.bound() == feature.bound() &&
         of.relative_accuracy() == feature.relative_accuracy() &&
         of.half_life_us() == feature.half_life_us() && same_length(of, feature) &&
         deciding_columns(of, kept.order()) == deciding_columns(feature, order);
}

}  // namespace

std::vector<uint32_t> deciding_columns(const Feature& feature, const Order& order) {
  if (!is_by_order(feature.function())) return {};
  int needed = 0;
  for (int i = 0; i < order.size(); ++i) {
    const auto column = static_cast<int32_t>(order.Get(i));
    if (column == feature.column() || column == static_cast<int32_t>(feature.by()) - 1) {
      needed = i + 1;
    }
  }
  return {order.begin(), order.begin() + needed};
}

std::vector<proto::LifetimeFeature> summarized_features(const proto::JobPlan& plan,
                                                        uint32_t table) {
  const proto::Table& of = plan.tables(static_cast<int>(table));
  std::vector<proto::LifetimeFeature> out(of.summarized().begin(), of.summarized().end());
  if (!out.empty()) return out;
  for (const proto::View& view : plan.views()) {
    if (view.table() != table) continue;
    for (const Feature& feature : view.features()) {
      if (!feature.lifetime()) continue;
      *out.emplace_back().mutable_feature() = feature;
      *out.back().mutable_order() = view.order();
    }
  }
  return out;
}

bool summaries_hold(const std::vector<proto::LifetimeFeature>& kept, const Feature& feature,
                    const Order& order) {
  return std::any_of(kept.begin(), kept.end(), [&](const proto::LifetimeFeature& each) {
    return holds(each, feature, order);
  });
}

}  // namespace tidemill
