// What libtidemill_parquet.so gives to the process that loads it. Both are built together: the
// interface is that of one build.
#pragma once

#include "shared/parquet/parquet_file.h"

namespace tidemill {

class ParquetLibrary {
 public:
  virtual ~ParquetLibrary() = default;
  virtual Result<std::unique_ptr<ParquetReader>> open_reader(
      std::unique_ptr<ParquetInput> file) const = 0;
  virtual Result<std::unique_ptr<ParquetWriter>> open_writer(
      ParquetOutput* out, const ParquetReader* kept,
      const std::vector<ParquetField>& fields) const = 0;
};

inline constexpr char kParquetLibraryFile[] = "libtidemill_parquet.so";
inline constexpr char kParquetLibrarySymbol[] = "tidemill_parquet_library";
// The symbol is a function of this type.
using ParquetLibraryFunction = const ParquetLibrary*();

}  // namespace tidemill
