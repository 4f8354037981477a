// FeatureChoice: which features of a job go into a training set, in which columns, and what has to
// be read for them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/plan/plan.h"

namespace tidemill::training {

// Columns that lie side by side and are computed of the rows of one table.
struct ColumnGroup {
  uint16_t table = 0;
  size_t begin = 0;  // of its features, in ChosenTable::features
  size_t end = 0;
};

struct ChosenTable {
  uint16_t table = 0;
  std::vector<std::string> entity;    // join keys
  std::vector<uint32_t> key_columns;  // of them, in FeatureChoice::keys
  std::vector<const FeatureSpec*> features;
  // The same features in the plan's message, and which view each is of.
  std::vector<const proto::Feature*> definitions;
  std::vector<const proto::View*> views;
};

struct FeatureChoice {
  std::shared_ptr<const Plan> plan;
  std::vector<std::string> columns;  // "<view>__<feature>", in order
  std::vector<ColumnGroup> groups;   // in the order of the columns
  std::vector<ChosenTable> tables;
  std::vector<proto::Field> keys;  // join keys of all tables

  // Of a plan's table in `tables`; SIZE_MAX if no feature is computed of it.
  size_t chosen(uint16_t table) const;
  bool needs_source(uint32_t source) const;
};

// All features of the plan, in order of views; those of `service` unless it is empty, in its order.
Result<FeatureChoice> choose_features(std::shared_ptr<const Plan> plan, const std::string& service);

}  // namespace tidemill::training
