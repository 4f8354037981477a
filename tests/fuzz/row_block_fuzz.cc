// RowBlockView: what parses can be walked to its last row.
#include "shared/columns/row_block.h"
#include "tests/fuzz/input.h"

namespace tidemill::fuzz {
namespace {

void touch_column(const RowBlockColumn& column, uint32_t rows) {
  volatile int64_t sink = 0;
  for (uint32_t row = 0; row < rows; ++row) {
    if (column.is_null(row)) sink = 1;
    switch (column.type) {
      case ColumnType::kBool:
        sink = column.bool_at(row) ? 1 : 0;
        break;
      case ColumnType::kDouble:
        sink = column.doubles[row] > 0 ? 1 : 0;
        break;
      case ColumnType::kString:
        touch(column.string_at(row));
        break;
      case ColumnType::kInt32:
      case ColumnType::kInt64:
      case ColumnType::kTimestamp:
        sink = column.ints[row];
        break;
    }
  }
}

void walk(const RowBlockView& block, size_t size) {
  ASSERT(block.byte_size() <= size);
  ASSERT(block.rows() <= kMaxRowsPerBlock);
  volatile uint64_t sink = 0;
  for (uint32_t row = 0; row < block.rows(); ++row) {
    sink = block.key_hashes()[row] ^ static_cast<uint64_t>(block.event_times()[row]);
    touch(block.key(row));
    for (size_t filter = 0; filter < block.filter_count(); ++filter) {
      sink = block.passes(filter, row) ? 1 : 0;
    }
  }
  for (const RowBlockColumn& column : block.columns()) touch_column(column, block.rows());
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
