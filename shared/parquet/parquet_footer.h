// What decoding the footer of a Parquet file takes, found out without decoding it: three bytes of a
// footer can be a column of a row group, which takes a kilobyte when it is decoded.
//
// A footer is a FileMetaData of parquet.thrift (https://github.com/apache/parquet-format), in
// Thrift's compact protocol
// (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
#pragma once

#include <cstdint>
#include <string_view>

#include "shared/base/result.h"

namespace tidemill {

inline constexpr uint32_t kMaxFooterBytes = 16u << 20;
inline constexpr uint64_t kMaxFooterMemory = uint64_t{512} << 20;  // when it is decoded

// kCorrupt if it is no such message; kUser if what it lists takes more than kMaxFooterMemory. Pure;
// reads each byte once.
Status check_footer(std::string_view footer);

}  // namespace tidemill
