// The kinds of windows of an aggregation: the keys windows, every, timezone, gap and max_length;
// and the value instead of null: default.
#pragma once

#include <optional>
#include <string>

#include "proto/plan.pb.h"
#include "shared/plan/yaml_fields.h"

namespace tidemill {

// What all windows of an aggregation share.
struct WindowKeys {
  std::optional<proto::Steps> steps;  // without the window
  std::string every;                  // as written
  DurationUs gap = 0;                 // 0: not given
  DurationUs max_length = 0;
  bool usable = true;  // without errors
};

// `errors`: those of `fields`.
WindowKeys compile_window_keys(YamlFields* fields, const ErrorList& errors);

// Sets window, lifetime, gap and steps of a feature whose offset is set. False, with an error, if
// the text is no window, or none that goes with the keys.
bool compile_window(const YamlNode& node, const std::string& path, const WindowKeys& keys,
                    proto::Feature* feature, ErrorList* errors);

// Sets the default of a feature whose function, type and n are set. `typed` false: they have
// errors.
void compile_default(YamlFields* fields, bool typed, proto::Feature* feature);

}  // namespace tidemill
