// RowBlockView: what parses can be walked to its last row.
#include "shared/columns/row_block.h"
#include "tests/fuzz/input.h"

namespace tidemill::fuzz {
namespace {

// Adds what every value is to `sum`, so that the sanitizer looks at where it is.
void touch_column(const RowBlockColumn& column, uint32_t rows, uint64_t* sum) {
  for (uint32_t row = 0; row < rows; ++row) {
    *sum += column.is_null(row) ? 1 : 0;
    switch (storage_of(column.type)) {
      case Storage::kBits:
        *sum += column.bool_at(row) ? 1 : 0;
        break;
      case Storage::kDoubles:
        *sum += column.doubles[row] > 0 ? 1 : 0;
        break;
      case Storage::kStrings:
        touch(column.string_at(row));
        break;
      case Storage::kInts:
        *sum += static_cast<uint64_t>(column.ints[row]);
        break;
      default:
        ASSERT(false);  // of a type that no block has
    }
  }
}

void walk(const RowBlockView& block, size_t size) {
  ASSERT(block.byte_size() <= size);
  ASSERT(block.rows() <= kMaxRowsPerBlock);
  uint64_t sum = 0;
  for (uint32_t row = 0; row < block.rows(); ++row) {
    sum += block.key_hashes()[row] ^ static_cast<uint64_t>(block.event_times()[row]);
    touch(block.key(row));
    for (size_t filter = 0; filter < block.filter_count(); ++filter) {
      sum += block.passes(filter, row) ? 1 : 0;
    }
  }
  for (const RowBlockColumn& column : block.columns()) touch_column(column, block.rows(), &sum);
  touch({reinterpret_cast<const char*>(&sum), sizeof sum});
}

}  // namespace
}  // namespace tidemill::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  const auto bytes = fuzz::copy_of(data, size);
  const auto block = RowBlockView::parse(bytes);
  if (block.ok()) fuzz::walk(*block, size);
  return 0;
}
