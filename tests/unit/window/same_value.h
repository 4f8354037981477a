// When two values are the same, and what they look like in a failure.
#pragma once

#include <string>

#include "shared/window/feature_value.h"

namespace tidemill::testing {

bool same_scalar(const ScalarValue& a, const ScalarValue& b);
// Equal in kind and bits; any NaN equals any other.
bool same_value(const FeatureValue& a, const FeatureValue& b);
std::string show(const FeatureValue& value);

}  // namespace tidemill::testing
