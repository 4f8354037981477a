#include "shared/base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace tidemill {

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "ASSERT failed: %s at %s:%d\n", expression, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace tidemill
