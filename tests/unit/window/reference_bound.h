// Independent truth for tiles with more rows than the bound: the rows of a key, cut into leaves
// straight from the definition (docs/semantics.md, "Hot keys").
#pragma once

#include <map>
#include <vector>

#include "tests/unit/window/reference.h"

namespace tidemill::testing {

struct BoundedValue {
  FeatureValue value;
  DurationUs resolution = 0;
};

class ReferenceBound {
 public:
  ReferenceBound(const std::vector<Row>& rows, const TableSchema& schema);
  BoundedValue value(const FeatureSpec& feature, TimeUs as_of) const;

 private:
  struct Part {  // a leaf; or a row of a tile that is not folded
    std::vector<const Row*> rows;
    DurationUs width = 0;
  };

  BoundedValue session_value(const FeatureSpec& feature, TimeUs as_of) const;

  const TableSchema& schema_;
  std::vector<Part> parts_;  // by time
};

}  // namespace tidemill::testing
