#include "shared/plan/window_kinds.h"

#include <algorithm>

#include "shared/base/utf8.h"
#include "shared/expr/types.h"
#include "shared/plan/features.h"
#include "shared/plan/limits.h"
#include "shared/window/scalar_values.h"
#include "shared/window/table_schema.h"

namespace tidemill {
namespace {

using proto::Steps;

constexpr DurationUs kLongestMonth = 31 * kMicrosPerDay;

bool in_time_range(int64_t us) { return us >= 0 && us <= limits::kLongestTime; }

DurationUs unit_length(Steps::Unit unit) {
  switch (unit) {
    case Steps::DAYS:
      return kMicrosPerDay;
    case Steps::WEEKS:
      return 7 * kMicrosPerDay;
    case Steps::MONTHS:
      return kLongestMonth;
    default:
      return 1;
  }
}

// Of the window's length.
DurationUs window_unit(Steps::Unit unit) {
  return unit == Steps::WEEKS ? kMicrosPerDay : unit_length(unit);
}

Status check_steps(const proto::Feature& feature) {
  const Steps& steps = feature.steps();
  if (steps.unit() < Steps::MICROS || steps.unit() > Steps::MONTHS) {
    return user_error("its steps have no known unit");
  }
  if (steps.every() < 1 || steps.every() > limits::kLongestTime / unit_length(steps.unit()) ||
      steps.window() < 0 || steps.window() > limits::kLongestTime / window_unit(steps.unit())) {
    return user_error("its steps are out of range");
  }
  if (longest_window(steps) != feature.window_us()) {
    return user_error("its steps are not of its window");
  }
  if (!feature.lifetime() && longest_every(steps) > feature.window_us()) {
    return user_error("its window is shorter than its steps");
  }
  if (steps.timezone().empty()) return {};
  if (steps.unit() == Steps::MICROS) return user_error("only days, weeks and months have a zone");
  if (Result<TimeZone> zone = TimeZone::find(steps.timezone()); !zone) return zone.error();
  return {};
}

bool is_literal_of(const proto::Expr& value, proto::ColumnType type) {
  if (value.op() != proto::Expr::LITERAL || value.type() != type || is_nested(type)) return false;
  switch (storage_of(static_cast<ColumnType>(type))) {
    case Storage::kBits:
      return value.literal_case() == proto::Expr::kLiteralBool;
    case Storage::kDoubles:
      return value.literal_case() == proto::Expr::kLiteralDouble;
    case Storage::kStrings:
      return value.literal_case() == proto::Expr::kLiteralString;
    default:
      return value.literal_case() == proto::Expr::kLiteralInt;
  }
}

Status check_default(const proto::Feature& feature) {
  const auto& values = feature.default_value().values();
  if (never_null(feature)) return user_error("it is never null, yet has a default");
  const int most = feature.map() ? 0 : feature.list() ? static_cast<int>(feature.n()) : 1;
  if (values.size() > most || (!feature.map() && !feature.list() && values.empty())) {
    return user_error("its default has another number of values than it can have");
  }
  for (const proto::Expr& value : values) {
    if (!is_literal_of(value, feature.type())) {
      return user_error("its default is no literal of its type");
    }
  }
  return {};
}

std::string period_text(Steps::Unit unit, int64_t count) {
  switch (unit) {
    case Steps::DAYS:
      return std::to_string(count) + "d";
    case Steps::WEEKS:
      return std::to_string(count) + "w";
    case Steps::MONTHS:
      return std::to_string(count) + "mo";
    default:
      return format_duration(count);
  }
}

ScalarValue scalar_of(const proto::Expr& literal) {
  switch (literal.literal_case()) {
    case proto::Expr::kLiteralBool:
      return literal.literal_bool();
    case proto::Expr::kLiteralDouble:
      return literal.literal_double();
    case proto::Expr::kLiteralString:
      return literal.literal_string();
    default:
      return scalar_of_number(static_cast<ColumnType>(literal.type()), literal.literal_int());
  }
}

}  // namespace

std::string window_text(const proto::Feature& feature) {
  if (feature.gap_us() > 0) {
    return "session, gap " + format_duration(feature.gap_us()) + ", max_length " +
           format_duration(feature.window_us());
  }
  const Steps& steps = feature.steps();
  const bool weeks = steps.unit() == Steps::WEEKS;
  std::string out = feature.lifetime() ? "lifetime"
                    : !feature.has_steps()
                        ? format_duration(feature.window_us())
                        : period_text(weeks ? Steps::DAYS : steps.unit(), steps.window());
  if (!feature.has_steps()) return out;
  out += " every " + period_text(steps.unit(), steps.every());
  return steps.timezone().empty() ? out : out + " in " + steps.timezone();
}

bool never_null(const proto::Feature& feature) {
  return is_never_null(feature.function()) && !feature.map();
}

DurationUs longest_every(const Steps& steps) { return steps.every() * unit_length(steps.unit()); }

DurationUs longest_window(const Steps& steps) { return steps.window() * window_unit(steps.unit()); }

DurationUs reach_of(const proto::Feature& feature) {
  DurationUs out = feature.window_us() + feature.offset_us() + feature.gap_us();
  if (!feature.has_steps()) return out;
  out += longest_every(feature.steps());
  return feature.steps().timezone().empty() ? out : out + kZoneSpan;
}

Status check_window(const proto::Feature& feature) {
  if (feature.lifetime() != (feature.window_us() == 0)) {
    return user_error("a lifetime window has the length 0, and no other has");
  }
  if (!in_time_range(feature.window_us()) || !in_time_range(feature.offset_us()) ||
      !in_time_range(feature.gap_us())) {
    return user_error("its window, offset or gap is out of range");
  }
  if (feature.gap_us() > 0 && (feature.lifetime() || feature.has_steps())) {
    return user_error("a session is neither a lifetime window nor has it steps");
  }
  if (feature.has_steps()) {
    if (Status s = check_steps(feature); !s.ok()) return s;
  }
  if (!in_time_range(reach_of(feature))) return user_error("it looks too far back");
  if (feature.has_default_value()) return check_default(feature);
  return {};
}

std::shared_ptr<const WindowSteps> window_steps(const proto::Feature& feature) {
  if (!feature.has_steps()) return nullptr;
  const Steps& steps = feature.steps();
  auto out = std::make_shared<WindowSteps>();
  out->unit = static_cast<WindowSteps::Unit>(steps.unit());
  out->every = steps.every();
  out->window = steps.window();
  if (!steps.timezone().empty()) out->zone = *TimeZone::find(steps.timezone());
  return out;
}

FeatureValue default_of(const proto::Feature& feature) {
  if (!feature.has_default_value()) return std::monostate();
  const auto& values = feature.default_value().values();
  if (feature.map()) return MapValue();
  if (!feature.list()) {
    return as_feature(scalar_of(values[0]));
  }
  ListValue out;
  for (const proto::Expr& value : values) out.push_back(scalar_of(value));
  return out;
}

}  // namespace tidemill
