#include "shared/plan/yaml_windows.h"

#include <algorithm>
#include <charconv>

#include "shared/base/time_zone.h"
#include "shared/expr/parser.h"
#include "shared/expr/types.h"
#include "shared/plan/features.h"
#include "shared/plan/limits.h"
#include "shared/plan/window_kinds.h"

namespace tidemill {
namespace {

using proto::Steps;

constexpr char kLifetime[] = "lifetime";
constexpr char kSession[] = "session";

// "3mo": a whole number of a unit of the calendar.
struct Period {
  int64_t count = 0;
  Steps::Unit unit{};
};

// Nothing if it is none of days, weeks or months. What is too long is as long as just too many
// days.
std::optional<Period> calendar_period(const std::string& text) {
  Period out;
  const char* const end = text.data() + text.size();
  const auto [at, ec] = std::from_chars(text.data(), end, out.count);
  const std::string_view unit(at, static_cast<size_t>(end - at));
  if (ec == std::errc::invalid_argument || text[0] == '-') return std::nullopt;
  constexpr int64_t kTooMany = limits::kLongestTime / kMicrosPerDay + 1;
  if (ec != std::errc() || out.count > kTooMany) out.count = kTooMany;
  if (unit == "d") {
    out.unit = Steps::DAYS;
  } else if (unit == "w") {
    out.unit = Steps::WEEKS;
  } else if (unit == "mo") {
    out.unit = Steps::MONTHS;
  } else {
    return std::nullopt;
  }
  return out;
}

std::string too_long() {
  return "is too long; at most " + format_duration(limits::kLongestTime) + " is allowed";
}

bool has_session(const YamlFields& fields) {
  const YamlNode* windows = fields.find("windows");
  if (windows == nullptr) return false;
  if (windows->is_scalar()) return windows->scalar == kSession;
  return std::any_of(windows->items.begin(), windows->items.end(),
                     [](const YamlNode& item) { return item.scalar == kSession; });
}

void compile_every(YamlFields* fields, WindowKeys* out) {
  const std::optional<std::string> text = fields->text("every");
  if (!text.has_value()) return;
  const YamlNode& node = *fields->find("every");
  Steps steps;
  if (const auto period = calendar_period(*text); period.has_value()) {
    steps.set_unit(period->unit);
    steps.set_every(period->count);
  } else if (const Result<DurationUs> every = parse_duration(*text); every.ok()) {
    steps.set_unit(Steps::MICROS);
    steps.set_every(*every);
  } else {
    return fields->error(node, "every", every.error().message() + "; or months: 1mo");
  }
  if (steps.every() == 0) return fields->error(node, "every", "must be longer than 0");
  if (steps.every() > limits::kLongestTime || longest_every(steps) > limits::kLongestTime) {
    return fields->error(node, "every", "'" + *text + "' " + too_long());
  }
  out->every = *text;
  out->steps = std::move(steps);
}

void compile_timezone(YamlFields* fields, WindowKeys* out) {
  const std::optional<std::string> name = fields->text("timezone");
  if (!name.has_value()) return;
  const YamlNode& node = *fields->find("timezone");
  if (const Result<TimeZone> zone = TimeZone::find(*name); !zone.ok()) {
    return fields->error(node, "timezone", zone.error().message());
  }
  if (fields->find("every") == nullptr) {
    return fields->error(node, "timezone",
                         "a time zone says where days begin for windows with 'every'; add every: "
                         "1d, say, or leave it out");
  }
  if (!out->steps.has_value()) return;
  if (out->steps->unit() == Steps::MICROS) {
    return fields->error(node, "timezone",
                         "every: " + out->every +
                             " is of the same length and place in every time zone; leave it out, "
                             "or write every in days (d), weeks (w) or months (mo)");
  }
  if (*name != "UTC") out->steps->set_timezone(*name);
}

DurationUs compile_session_key(YamlFields* fields, const char* key, const char* what) {
  const YamlNode* node = fields->find(key);
  if (node == nullptr) {
    if (has_session(*fields)) {
      fields->error("the key '" + std::string(key) + "' is missing: " + what);
    }
    return 0;
  }
  const DurationUs out = fields->duration(key, 1);
  if (!has_session(*fields)) {
    fields->error(*node, key, "is for sessions: add session to the windows, or leave it out");
  } else if (out == 0) {
    fields->error(*node, key, "must be longer than 0");
  }
  return out;
}

// In the units of `every`; nothing, with an error, if the text is no such length.
std::optional<int64_t> stepped_window(const YamlNode& node, const std::string& path,
                                      const WindowKeys& keys, ErrorList* errors) {
  const Steps::Unit unit = keys.steps->unit();
  const auto fail = [&](const std::string& message) {
    errors->add(node.place, path, message);
    return std::nullopt;
  };
  if (unit == Steps::MICROS) {
    const Result<DurationUs> length = parse_duration(node.scalar);
    if (!length.ok()) return fail(length.error().message() + "; or lifetime");
    return *length;
  }
  const std::optional<Period> period = calendar_period(node.scalar);
  const bool months = unit == Steps::MONTHS;
  if (!period.has_value() || (period->unit == Steps::MONTHS) != months) {
    return fail("with every: " + keys.every + " a window is a whole number of " +
                (months ? "months, such as 3mo" : "days or weeks, such as 7d or 4w") +
                ", or lifetime; found '" + node.scalar + "'");
  }
  return period->unit == Steps::WEEKS ? period->count * 7 : period->count;
}

bool set_stepped_window(const YamlNode& node, const std::string& path, const WindowKeys& keys,
                        proto::Feature* feature, ErrorList* errors) {
  const std::optional<int64_t> length = stepped_window(node, path, keys, errors);
  if (!length.has_value()) return false;
  Steps* steps = feature->mutable_steps();
  steps->set_window(*length);
  const DurationUs shortest = longest_every(*steps);
  if (*length > limits::kLongestTime || longest_window(*steps) > limits::kLongestTime) {
    errors->add(node.place, path, "'" + node.scalar + "' " + too_long());
  } else if (longest_window(*steps) < shortest) {
    errors->add(node.place, path,
                "the window " + node.scalar + " is shorter than every: " + keys.every +
                    ", so some events would be in none; make it at least as long");
  } else {
    feature->set_window_us(longest_window(*steps));
    return true;
  }
  return false;
}

void looks_too_far(const YamlNode& node, const std::string& path, const proto::Feature& feature,
                   ErrorList* errors) {
  const std::string parts = feature.has_steps()    ? "window, every and offset"
                            : feature.gap_us() > 0 ? "max_length, gap and offset"
                                                   : "window and offset";
  errors->add(node.place, path,
              parts + " together are longer than " + format_duration(limits::kLongestTime) +
                  ", the longest allowed");
}

bool set_session(const YamlNode& node, const std::string& path, const WindowKeys& keys,
                 proto::Feature* feature, ErrorList* errors) {
  if (keys.steps.has_value()) {
    errors->add(node.place, path,
                "a session ends with its last event, so 'every' does not go with it; give it an "
                "aggregation of its own");
    return false;
  }
  feature->set_gap_us(keys.gap);
  feature->set_window_us(keys.max_length);
  return true;
}

bool set_window(const YamlNode& node, const std::string& path, const WindowKeys& keys,
                proto::Feature* feature, ErrorList* errors) {
  if (keys.steps.has_value()) *feature->mutable_steps() = *keys.steps;
  if (node.scalar == kSession) return set_session(node, path, keys, feature, errors);
  if (node.scalar == kLifetime) {
    feature->set_lifetime(true);
    return true;
  }
  if (keys.steps.has_value()) return set_stepped_window(node, path, keys, feature, errors);
  const Result<DurationUs> window = parse_duration(node.scalar);
  if (!window.ok()) {
    errors->add(node.place, path, window.error().message() + "; or lifetime or session");
  } else if (*window == 0) {
    errors->add(node.place, path, "a window must be longer than 0");
  } else if (*window > limits::kLongestTime) {
    looks_too_far(node, path, *feature, errors);
  } else {
    feature->set_window_us(*window);
    return true;
  }
  return false;
}

// The text as a literal of the type, as a cast gives it; nothing if there is none.
std::optional<proto::Expr> literal_of(const std::string& text, const proto::Type& type) {
  std::string quoted;
  for (const char c : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  Result<proto::Expr> out =
      parse_expression("cast('" + quoted + "' as " + type_name(type) + ")", {});
  if (!out.ok() || out->op() != proto::Expr::LITERAL || out->type() != type.kind() ||
      out->literal_case() == proto::Expr::LITERAL_NOT_SET) {
    return std::nullopt;
  }
  return *std::move(out);
}

std::string wanted_default(const proto::Feature& feature) {
  const std::string type = type_name(full_type(feature));
  if (feature.map()) return "a map, and its default can only be the empty one, {}";
  if (!feature.list()) return "a value of type " + type;
  return "a list of up to " + std::to_string(feature.n()) + " values of type " + type;
}

bool has_shape_of(const proto::Feature& feature, const YamlNode& node) {
  if (feature.map()) return node.is_map() && node.entries.empty();
  if (feature.list()) return node.is_sequence() && node.items.size() <= feature.n();
  return node.is_scalar();
}

}  // namespace

WindowKeys compile_window_keys(YamlFields* fields, const ErrorList& errors) {
  WindowKeys out;
  const size_t before = errors.size();
  compile_every(fields, &out);
  compile_timezone(fields, &out);
  out.gap = compile_session_key(fields, "gap",
                                "how long nothing happens between two sessions, such as gap: 30m");
  out.max_length = compile_session_key(
      fields, "max_length", "where a session that does not end is cut, such as max_length: 1d");
  out.usable = errors.size() == before;
  return out;
}

bool compile_window(const YamlNode& node, const std::string& path, const WindowKeys& keys,
                    proto::Feature* feature, ErrorList* errors) {
  if (!set_window(node, path, keys, feature, errors)) return false;
  if (reach_of(*feature) <= limits::kLongestTime) return true;
  looks_too_far(node, path, *feature, errors);
  return false;
}

void compile_default(YamlFields* fields, bool typed, proto::Feature* feature) {
  const YamlNode* node = fields->find("default");
  if (node == nullptr || !typed) return;
  const std::string gives = *fields->text("function") + " gives " + wanted_default(*feature);
  if (never_null(*feature)) {
    return fields->error(*node, "default",
                         *fields->text("function") + " is 0 where others are null; leave it out");
  }
  if (is_nested(feature->type()) && !feature->map() && !(feature->list() && node->items.empty())) {
    return fields->error(*node, "default",
                         gives + ", for which no default can be written" +
                             (feature->list() ? " but []" : "") + "; leave it out");
  }
  if (!has_shape_of(*feature, *node)) {
    return fields->error(*node, "default", gives + ", found " + node->describe());
  }
  proto::DefaultValue* out = feature->mutable_default_value();
  const auto add = [&](const YamlNode& item, const std::string& key) {
    std::optional<proto::Expr> value;
    if (item.is_scalar()) value = literal_of(item.scalar, full_type(*feature));
    if (value.has_value()) {
      *out->add_values() = *std::move(value);
    } else {
      fields->error(item, key, gives + ", found " + item.describe());
    }
  };
  if (node->is_scalar()) add(*node, "default");
  for (const YamlNode& item : node->items) add(item, item_key(*node, item, "default"));
}

}  // namespace tidemill
