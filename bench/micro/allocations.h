// Counts what operator new gives out in this program, and in the libraries that it loads. The
// memory itself is from malloc, which is mimalloc's as in the product's programs.
#pragma once

#include <cstdint>

namespace tidemill::micro {

// By this thread, ever.
uint64_t allocations();

}  // namespace tidemill::micro
