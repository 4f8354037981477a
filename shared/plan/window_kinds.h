// The kinds of windows: what each needs of a plan, and how far back each looks. Front ends, the
// check of a plan from the wire and the window state's specs use the same rules.
#pragma once

#include <memory>
#include <string>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/base/time.h"
#include "shared/window/feature_value.h"

namespace tidemill {

struct WindowSteps;

// The longest that a boundary may lie before the next, and a window may last. A time zone adds that
// to both together: from 1845 on, offsets of a zone differ by less.
inline constexpr DurationUs kZoneSpan = 26 * 3600 * kMicrosPerSecond;
DurationUs longest_every(const proto::Steps& steps);
DurationUs longest_window(const proto::Steps& steps);

// How far before as_of the feature looks at most: rows older than horizon less that are not needed.
// Each of its parts must be in range.
DurationUs reach_of(const proto::Feature& feature);

// Whether window, offset, steps, gap and default of a feature fit one another. The column, type,
// function and `list` must have been checked. What is wrong is said of the feature.
Status check_window(const proto::Feature& feature);

// Null if the feature has no steps. The plan must have been checked.
std::shared_ptr<const WindowSteps> window_steps(const proto::Feature& feature);

// For people, as a job writes it: "7d", "lifetime", "session, gap 30m, max_length 1d", "1w every 1d
// in Europe/Berlin".
std::string window_text(const proto::Feature& feature);

// Whether the feature is 0 where others are null. Maps never are.
bool never_null(const proto::Feature& feature);

// Null if the feature has no default.
FeatureValue default_of(const proto::Feature& feature);

}  // namespace tidemill
