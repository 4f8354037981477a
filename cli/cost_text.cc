#include <cmath>
#include <cstdio>

#include "cli/cost_tables.h"
#include "cli/table.h"
#include "shared/expr/types.h"

namespace tidemill::cli {
namespace {

using costs::Exactness;
using costs::JobCost;

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

// "31.4 kB".
std::string bytes_text(double bytes) {
  const char* unit = "B";
  for (const char* larger : {"kB", "MB", "GB"}) {
    if (bytes < 1000) break;
    bytes /= 1000;
    unit = larger;
  }
  char text[32];
  std::snprintf(text, sizeof text, bytes < 10 ? "%.1f %s" : "%.0f %s", bytes, unit);
  return text;
}

std::string joined(const std::vector<std::string>& names, const char* between, size_t most) {
  std::string out;
  for (size_t i = 0; i < std::min(names.size(), most); ++i)
    out += (i > 0 ? between : "") + names[i];
  if (names.size() > most) out += ", ... " + std::to_string(names.size()) + " in all";
  return out;
}

std::string sources_text(const JobCost& cost) {
  Table table({"SOURCE", "PARTITIONS NOW", "STATE PER EVENT"});
  table.align_right(1);
  table.align_right(2);
  for (const costs::SourceCost& source : cost.sources) {
    const std::string partitions =
        source.partitions.has_value() ? std::to_string(*source.partitions) : "asked at submit";
    table.add({source.name, partitions + (source.may_grow ? ", may grow" : ""),
               number(source.event_bytes) + " B"});
  }
  return table.render();
}

std::string state_text(const JobCost& cost) {
  Table table({"ENTITY", "SOURCE", "VIEWS", "COLUMNS", "ROW", "ONCE READ", "ROWS KEPT FOR",
               "BECAUSE OF", "A KEY OF 1,000 ROWS"});
  for (const size_t column : {3, 4, 5, 8}) table.align_right(column);
  for (const costs::TableCost& each : cost.tables) {
    table.add({each.entity, joined(each.sources, ", ", 3), joined(each.views, ", ", 3),
               std::to_string(each.columns.size()), number(each.row_bytes) + " B",
               "+" + number(each.cached_bytes) + " B",
               format_duration(each.retention) + " + " + format_duration(each.behind), each.longest,
               bytes_text(each.bytes_of(costs::kExampleEvents))});
  }
  return table.render();
}

std::string columns_text(const JobCost& cost) {
  Table table({"ENTITY", "COLUMN", "TYPE", "PER ROW"});
  table.align_right(3);
  for (const costs::TableCost& each : cost.tables) {
    for (const costs::ColumnCost& column : each.columns) {
      table.add({each.entity, column.text, type_name(static_cast<proto::ColumnType>(column.type)),
                 number(column.bytes) + " B"});
    }
    if (each.conditions == 0) continue;
    table.add({each.entity, std::to_string(each.conditions) + " of where:", "bit each",
               number(static_cast<double>(each.conditions) / 8) + " B"});
  }
  return table.render();
}

// Empty if nothing is kept for ever.
std::string bases_text(const JobCost& cost) {
  Table table({"ENTITY", "KEPT OF A KEY FOR EVER", "BOUND", "AT MOST", "FOR"});
  table.align_right(3);
  bool any = false;
  for (const costs::TableCost& each : cost.tables) {
    for (const costs::BaseCost& base : each.base) {
      any = true;
      table.add({each.entity, base.what, base.bound, bytes_text(base.bytes),
                 joined(base.features, ", ", 3)});
    }
  }
  return any ? "\nof every key there ever was, at the bounds of its lifetime windows:\n" +
                   table.render()
             : "";
}

// Empty if no table has a bound.
std::string row_bounds_text(const JobCost& cost) {
  Table table({"ENTITY", "VIEWS", "MAX ROWS", "IN A TILE OF", "TILES KEPT", "ROWS AT MOST",
               "LEAVES OF A FULL TILE", "THEN WINDOWS END AT"});
  for (const size_t column : {2, 3, 4, 5, 6, 7}) table.align_right(column);
  bool any = false;
  for (const costs::TableCost& each : cost.tables) {
    if (!each.bound.has_value()) continue;
    any = true;
    const auto& bound = *each.bound;
    const auto tile = static_cast<double>(bound.tile) / kMicrosPerSecond;
    table.add({each.entity, joined(each.views, ", ", 3),
               std::to_string(bound.tile_rows) + (bound.by_default ? " (default)" : ""),
               number(tile) + " s", std::to_string(bound.tiles),
               bytes_text(each.bytes_of(bound.tile_rows * bound.tiles)),
               std::to_string(bound.leaves),
               number(2 * tile / static_cast<double>(bound.leaves)) + " s or less"});
  }
  return any ? "\nof a hot key, whose rows of a tile are folded beyond max_rows; its answers are "
               "then approximate and say their resolution:\n" +
                   table.render()
             : "";
}

// Empty if every row counts.
std::string duplicates_text(const JobCost& cost) {
  std::string out;
  for (const costs::TableCost& each : cost.tables) {
    if (each.within == 0) continue;
    const std::string within = format_duration(each.within);
    out += "\ndeduplicated: view " + joined(each.views, ", ", 3) + " by " +
           joined(each.id, ", ", 8) + " within " + within +
           ".\nIts rows are a table of their own, where duplicates are kept too; " + within +
           " of the time that they are kept for is for telling them apart.\nA read compares the "
           "key's last 64 rows or less with those that lie within " +
           within + " of them.\n";
  }
  return out;
}

std::string bounds_of(const costs::FunctionCost& function) {
  std::string out;
  for (const costs::Bound& bound : function.bounds) {
    out += (out.empty() ? "" : ", ") + bound.key + ": " + bound.value +
           (bound.by_default ? " (default)" : "");
  }
  return out;
}

std::string exactness_of(const costs::Approximation& approximation) {
  switch (approximation.exactness) {
    case Exactness::kExact:
      return "exact";
    case Exactness::kExactUpToABound:
      return "exact; with " + approximation.beyond + ": " + approximation.error;
    case Exactness::kApproximate:
      break;
  }
  return "approximate: " + approximation.error;
}

// Empty if all functions are exact and without bounds.
std::string functions_text(const JobCost& cost) {
  Table table({"AGGREGATION", "FUNCTION", "BOUNDS", "VALUE"});
  bool any = false;
  for (const costs::FunctionCost& each : cost.functions) {
    if (each.bounds.empty() && each.approximation.exactness == Exactness::kExact) continue;
    any = true;
    table.add({each.name, each.function, bounds_of(each), exactness_of(each.approximation)});
  }
  const std::string rest = "All other values are exact, rounded once, when they are read.\n";
  return any ? "\n" + table.render() + rest
             : "\nAll values are exact, rounded once, when they are read.\n";
}

std::string hot_keys_text(const JobCost& cost) {
  std::string out =
      "\nhot keys: no key is split. All rows of a key belong to one of the job's " +
      std::to_string(cost.key_partitions) +
      " key partitions, which one thread\nof one worker applies, and a read is answered by one "
      "thread of a store, whatever the functions. It is so for each key of\n";
  for (const costs::EntityCost& each : cost.entities) {
    out += "  " + each.entity +
           ", with all that the views over it need: " + joined(each.views, ", ", 8) + "\n";
  }
  return out;
}

}  // namespace

std::string cost_text(const JobCost& cost) {
  return "What it costs in the memory of each store: an estimate by the types of columns, with "
         "times of 4 bytes and texts of 16, another\none in each row. Workers and snapshots keep "
         "the same rows on disk. --sample measures.\n\n" +
         sources_text(cost) + "\n" + state_text(cost) + "\n" + columns_text(cost) +
         bases_text(cost) + row_bounds_text(cost) + duplicates_text(cost) + functions_text(cost) + hot_keys_text(cost);
}

}  // namespace tidemill::cli
