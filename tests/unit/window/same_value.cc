#include "tests/unit/window/same_value.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>

namespace tidemill::testing {
namespace {

template <typename Scalar>
FeatureValue whole(const Scalar& scalar) {
  return std::visit([](const auto& x) { return FeatureValue(x); }, scalar);
}

}  // namespace

bool same_scalar(const ScalarValue& a, const ScalarValue& b) {
  return same_value(whole(a), whole(b));
}

bool same_value(const FeatureValue& a, const FeatureValue& b) {
  if (a.index() != b.index()) return false;
  if (const auto* list = std::get_if<ListValue>(&a)) {
    return is_truncated(a) == is_truncated(b) &&
           std::equal(list->begin(), list->end(), std::get<ListValue>(b).begin(),
                      std::get<ListValue>(b).end(), same_scalar);
  }
  if (const auto* map = std::get_if<MapValue>(&a)) {
    const auto& other = std::get<MapValue>(b);
    return is_truncated(a) == is_truncated(b) &&
           std::equal(map->entries.begin(), map->entries.end(), other.entries.begin(),
                      other.entries.end(), [](const auto& x, const auto& y) {
                        return same_scalar(x.first, y.first) &&
                               same_value(whole(x.second), whole(y.second));
                      });
  }
  const auto* x = std::get_if<double>(&a);
  if (x == nullptr) return a == b;
  const double y = std::get<double>(b);
  if (std::isnan(*x) || std::isnan(y)) return std::isnan(*x) && std::isnan(y);
  return std::bit_cast<uint64_t>(*x) == std::bit_cast<uint64_t>(y);
}

std::string show(const FeatureValue& value) {
  if (const auto* d = std::get_if<double>(&value)) {
    char text[64];
    std::snprintf(text, sizeof text, "%.17g (%a)", *d, *d);
    return text;
  }
  if (const auto* i = std::get_if<int64_t>(&value)) return std::to_string(*i);
  if (const auto* b = std::get_if<bool>(&value)) return *b ? "true" : "false";
  if (const auto* s = std::get_if<std::string>(&value)) return *s;
  if (const auto* list = std::get_if<ListValue>(&value)) {
    std::string out = "[";
    for (const ScalarValue& scalar : *list) out += show(whole(scalar)) + ", ";
    return out + "]" + (is_truncated(value) ? " truncated" : "");
  }
  if (const auto* map = std::get_if<MapValue>(&value)) {
    std::string out = "{";
    for (const auto& [key, of_key] : map->entries) {
      out += show(whole(key)) + ": " + show(whole(of_key)) + ", ";
    }
    return out + "}" + (is_truncated(value) ? " truncated" : "");
  }
  return "null";
}

}  // namespace tidemill::testing
