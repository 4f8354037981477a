// What Feast's POST /get-online-features asks and answers, apart from how it is written
// (feast_json.h).
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "serving/features_request.h"

namespace tidemill {

// A value of an entity column as sent; monostate: null, an array or an object, which no key is.
using FeastValue = std::variant<std::monostate, int64_t, double, bool, std::string>;

struct FeastColumn {
  std::string name;
  std::vector<FeastValue> values;  // one per row
};

struct FeastReference {  // "view:feature"
  std::string view;
  std::string feature;
};

struct FeastRequest {
  std::vector<FeastReference> features;  // empty if a service is named
  std::string service;                   // empty if features are named
  std::vector<FeastColumn> entities;     // in the request's order; all equally long
  bool full_feature_names = false;

  size_t rows() const { return entities.empty() ? 0 : entities.front().values.size(); }
};

// A join key that the answer repeats before its features.
struct FeastKeyColumn {
  EntityColumn column;  // of the key's type
  ColumnType type{};
};

// How a request is refused: its status, and the body that says why.
struct FeastFault {
  int status = 400;
  std::string body;
};

}  // namespace tidemill
