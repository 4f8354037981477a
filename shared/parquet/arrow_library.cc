// The one symbol of libtidemill_parquet.so.
#include "shared/parquet/arrow_reader.h"
#include "shared/parquet/arrow_writer.h"
#include "shared/parquet/parquet_library.h"

namespace tidemill {
namespace {

class ArrowLibrary : public ParquetLibrary {
 public:
  Result<std::unique_ptr<ParquetReader>> open_reader(
      std::unique_ptr<ParquetInput> file) const override {
    return ArrowReader::open(std::move(file));
  }
  Result<std::unique_ptr<ParquetWriter>> open_writer(
      ParquetOutput* out, const ParquetReader* kept,
      const std::vector<ParquetField>& fields) const override {
    return ArrowWriter::open(out, static_cast<const ArrowReader*>(kept), fields);
  }
};

}  // namespace
}  // namespace tidemill

extern "C" __attribute__((visibility("default"))) const tidemill::ParquetLibrary*
tidemill_parquet_library() {
  static const tidemill::ArrowLibrary library;
  return &library;
}
