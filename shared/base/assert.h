// ASSERT: a programmer's error ends the process, in release builds too.
// Input and environment are never ASSERTed: they are Results (base/result.h).
#pragma once

namespace tidemill {

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace tidemill

#define ASSERT(expression)                            \
  (__builtin_expect(static_cast<bool>(expression), 1) \
       ? static_cast<void>(0)                         \
       : ::tidemill::assertion_failed(#expression, __FILE__, __LINE__))
