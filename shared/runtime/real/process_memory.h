// What this process takes of memory, as the kernel counts it (proc(5): statm), and its allocator
// (mimalloc), which keeps what is freed until it is told otherwise. Only for programs: it needs
// mimalloc to be the process's allocator.
#pragma once

#include <cstdint>

namespace tidemill {

// Resident set size; 0 if it cannot be read. blocking, thread-safe
uint64_t resident_bytes();

// From now on memory that is freed goes back to the system at once, not when it has not been used
// for long. Before other threads are started.
void release_memory_at_once();

// Gives back what the calling thread has freed, and what others have freed of it. thread-safe
void release_memory();

}  // namespace tidemill
