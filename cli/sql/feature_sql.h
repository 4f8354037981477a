// One feature in SQL: an aggregate over the rows of its window, and the value from that.
#pragma once

#include <string>

#include "cli/sql/dialect.h"

namespace tidemill::sql {

// What features are computed of: the columns of `r`, one row of history, are t (its time), c<i> and
// f<i> (columns and filters of the table).
struct FeatureText {
  std::string aggregate;
  std::string value;      // of the aggregate, which is column `a.<name>`
  std::string otherwise;  // where the value is null, or where there are no rows; empty: null
};

// `asked`: the time of the spine's row, in what DialectText::time() gives. `name`: of the
// aggregate.
Result<FeatureText> feature_sql(const proto::Feature& feature, const proto::View& view,
                                const proto::Table& table, const std::string& asked,
                                const std::string& name, const DialectText& text);

}  // namespace tidemill::sql
