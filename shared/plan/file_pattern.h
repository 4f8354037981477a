// File name patterns: *, ? and [abc] within one path component.
#pragma once

#include <string>
#include <vector>

#include "shared/base/result.h"

namespace tidemill {

// The regular files that match `pattern` (relative ones lie in `base_dir`), as absolute paths in
// byte order. None is an error, and so is a directory that cannot be read.
Result<std::vector<std::string>> expand_pattern(const std::string& pattern,
                                                const std::string& base_dir);

}  // namespace tidemill
