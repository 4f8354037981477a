// Parquet files, by the library that reads them and what is made of its columns.
#include "tests/fuzz/input.h"
#include "tests/fuzz/records.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  fuzz::read_both_ways(proto::FilesInput::PARQUET, fuzz::text_of(data, size));
  return 0;
}
