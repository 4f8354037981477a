#include "shared/window/block_list.h"

#include <algorithm>

namespace tidemill {

bool fits(const std::vector<TableSchema>& schemas, const RowBlockView& block) {
  if (block.table() >= schemas.size()) return false;
  const TableSchema& schema = schemas[block.table()];
  return block.filter_count() == schema.filters &&
         std::equal(block.columns().begin(), block.columns().end(), schema.columns.begin(),
                    schema.columns.end(),
                    [](const RowBlockColumn& c, ColumnType type) { return c.type == type; });
}

Status parse_blocks(const Buffer& bytes, const std::vector<TableSchema>& schemas,
                    std::vector<RowBlockView>* views) {
  for (size_t at = 0; at < bytes.size();) {
    auto view = RowBlockView::parse(bytes.bytes().subspan(at));
    if (!view) return view.error();
    if (!fits(schemas, *view)) {
      return corrupt_error("row block: not of a table of this job's plan");
    }
    at += view->byte_size();
    views->push_back(std::move(*view));
  }
  return {};
}

}  // namespace tidemill
