// The process's own log: lines to stderr with the time in front. Internal to shared/obs.
// thread-safe
#pragma once

#include "shared/obs/log.h"

namespace tidemill {

LogSink& stderr_sink();

}  // namespace tidemill
