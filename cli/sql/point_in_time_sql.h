// Point-in-time SQL of a job: one statement that gives each row of a spine table its features, of
// tables with the sources' events. PostgreSQL reads the events of each row of the spine by an index
// (lateral joins); DuckDB and Spark join and group.
#pragma once

#include <string>

#include "cli/sql/dialect.h"
#include "cli/training/feature_choice.h"

namespace tidemill::sql {

struct SpineTable {
  std::string name;  // "table" or "schema.table"
  std::string time_column = "event_time";
};

// What a dialect cannot say is refused, with the reason.
Result<std::string> point_in_time_sql(const training::FeatureChoice& choice,
                                      const SpineTable& spine, Dialect dialect);

}  // namespace tidemill::sql
