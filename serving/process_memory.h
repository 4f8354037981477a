// What this process takes of memory, as the kernel counts it (proc(5): statm). blocking
#pragma once

#include <cstdint>

namespace tidemill {

// Resident set size; 0 if it cannot be read.
uint64_t resident_bytes();

}  // namespace tidemill
