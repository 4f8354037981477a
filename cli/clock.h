// Waiting, for commands that poll: the one place of the CLI that looks at a clock.
#pragma once

#include <cstdint>

namespace tidemill::cli {

int64_t monotonic_ms();
void sleep_ms(int64_t ms);

}  // namespace tidemill::cli
