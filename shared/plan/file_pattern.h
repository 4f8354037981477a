// File name patterns: *, ? and [abc] within one path component.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"

namespace tidemill {

// The ending of gzip files; the format is told by what is before it: "a.csv.gz".
inline constexpr std::string_view kCompressedEnding = ".gz";
inline bool is_compressed(std::string_view name) { return name.ends_with(kCompressedEnding); }

// A pattern that is read the same wherever a process runs: a relative one lies in `base_dir`, in
// whose own name nothing is a pattern.
std::string absolute_pattern(const std::string& pattern, const std::string& base_dir);

// The regular files that match an absolute pattern, as absolute paths in byte order; there may be
// none. A directory that cannot be read is an error.
Result<std::vector<std::string>> matching_files(const std::string& absolute_pattern);

// The files that match `pattern` in `base_dir`; none is an error.
Result<std::vector<std::string>> expand_pattern(const std::string& pattern,
                                                const std::string& base_dir);

}  // namespace tidemill
