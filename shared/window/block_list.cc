#include "shared/window/block_list.h"

namespace tidemill {

Status parse_blocks(const Buffer& bytes, const PartitionState& state,
                    std::vector<RowBlockView>* views) {
  for (size_t at = 0; at < bytes.size();) {
    auto view = RowBlockView::parse(bytes.bytes().subspan(at));
    if (!view) return view.error();
    if (!state.accepts(*view)) {
      return corrupt_error("row block: not of a table of this job's plan");
    }
    at += view->byte_size();
    views->push_back(std::move(*view));
  }
  return {};
}

}  // namespace tidemill
