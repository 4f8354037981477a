#include "shared/runtime/real/process_memory.h"

#include <mimalloc.h>
#include <unistd.h>

#include <fstream>

namespace tidemill {

uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t pages = 0;
  uint64_t resident = 0;
  if (!(statm >> pages >> resident)) return 0;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

void release_memory_at_once() { mi_option_set(mi_option_decommit_delay, 0); }

void release_memory() { mi_collect(true); }

}  // namespace tidemill
