#include "shared/plan/plan_checks.h"

#include <cmath>
#include <set>
#include <vector>

#include "shared/expr/check.h"
#include "shared/expr/parse_tree.h"
#include "shared/expr/types.h"
#include "shared/plan/features.h"
#include "shared/plan/limits.h"

namespace tidemill {
namespace {

bool in_time_range(int64_t us) { return us >= 0 && us <= limits::kLongestTime; }

bool is_speed(double speed) { return speed >= 0 && speed <= limits::kReplaySpeed; }

bool is_share(double share) { return share >= 0 && share <= 1; }

Status check_schema(const proto::Source& source) {
  const auto columns = static_cast<size_t>(source.schema_size());
  if (columns == 0 || columns > limits::kSchemaColumns) {
    return user_error("the schema has " + std::to_string(columns) + " columns; from 1 to " +
                      std::to_string(limits::kSchemaColumns) + " are allowed");
  }
  std::set<std::string> names;
  for (const proto::Field& field : source.schema()) {
    if (!is_column_name(field.name())) return user_error("a column's name is not valid");
    if (!is_known_type(field.type())) {
      return user_error("column '" + field.name() + "' has no type");
    }
    if (!names.insert(field.name()).second) {
      return user_error("column '" + field.name() + "' is there twice");
    }
  }
  if (source.event_time_field() >= columns ||
      source.schema(static_cast<int>(source.event_time_field())).type() != proto::TIMESTAMP) {
    return user_error("the event time is not a column of type timestamp");
  }
  return {};
}

Status check_files(const proto::Source& source) {
  const proto::FilesInput& files = source.files();
  if (files.format() != proto::FilesInput::CSV && files.format() != proto::FilesInput::NDJSON) {
    return user_error("the files have no known format");
  }
  if (files.paths_size() == 0) return user_error("there are no files");
  if (static_cast<uint32_t>(files.paths_size()) != source.partitions()) {
    return user_error("the number of files is not that of partitions");
  }
  for (const std::string& path : files.paths()) {
    if (path.empty() || path[0] != '/' || path.find('\0') != std::string::npos) {
      return user_error("'" + path + "' is not an absolute path");
    }
  }
  if (!is_speed(files.replay_speed())) return user_error("the replay speed is out of range");
  return {};
}

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ",") + name;
  return out;
}

Status check_keys(const proto::Source& source, const proto::Table& table) {
  if (table.key_fields_size() == 0 ||
      table.key_fields_size() > static_cast<int>(limits::kEntityColumns) ||
      table.key_fields_size() != table.key_types_size()) {
    return user_error("its entity columns are not from 1 to " +
                      std::to_string(limits::kEntityColumns));
  }
  google::protobuf::RepeatedPtrField<std::string> names;
  for (int i = 0; i < table.key_fields_size(); ++i) {
    const uint32_t at = table.key_fields(i);
    if (at >= static_cast<uint32_t>(source.schema_size())) {
      return user_error("an entity column is out of range");
    }
    const proto::Field& field = source.schema(static_cast<int>(at));
    if (field.type() != table.key_types(i) || field.type() == proto::DOUBLE) {
      return user_error("entity column '" + field.name() + "' has a wrong type");
    }
    *names.Add() = field.name();
  }
  if (joined(names) != table.entity()) return user_error("its entity is not its key columns");
  return {};
}

Status check_expressions(const proto::Source& source, const proto::Table& table) {
  std::vector<ColumnType> types;
  for (const proto::Field& field : source.schema()) {
    types.push_back(static_cast<ColumnType>(field.type()));
  }
  if (table.columns_size() > static_cast<int>(limits::kTableColumns) ||
      table.filters_size() > static_cast<int>(limits::kTableFilters)) {
    return user_error("it has too many columns or filters");
  }
  for (const proto::Expr& column : table.columns()) {
    if (Status s = check_expression(column, types); !s.ok()) return s;
  }
  for (const proto::Expr& filter : table.filters()) {
    if (Status s = check_expression(filter, types); !s.ok()) return s;
    if (filter.type() != proto::BOOL) return user_error("a filter is not of type bool");
  }
  return {};
}

Status check_feature(const proto::Table& table, const proto::Feature& feature) {
  if (feature.name().empty() || feature.name().size() > 4 * limits::kColumnNameBytes ||
      !is_valid_utf8(feature.name())) {
    return user_error("a feature's name is not valid");
  }
  const auto fail = [&](const std::string& what) {
    return user_error("feature '" + feature.name() + "': " + what);
  };
  if (feature.function() < proto::Feature::COUNT ||
      feature.function() > proto::Feature::STDDEV_SAMP) {
    return fail("unknown function");
  }
  if (feature.column() < -1 || feature.column() >= table.columns_size() || feature.filter() < -1 ||
      feature.filter() >= table.filters_size()) {
    return fail("its column or filter is out of range");
  }
  if (!in_time_range(feature.window_us()) || feature.window_us() == 0 ||
      !in_time_range(feature.offset_us()) ||
      feature.window_us() + feature.offset_us() > table.retention_us()) {
    return fail("its window does not lie within the table's retention");
  }
  if (feature.closed() < proto::Feature::RIGHT || feature.closed() > proto::Feature::NEITHER) {
    return fail("unknown kind of window ends");
  }
  std::optional<proto::ColumnType> column;
  if (feature.column() >= 0) column = table.columns(feature.column()).type();
  if (feature_type(feature.function(), column) != feature.type()) {
    return fail("its type does not follow from its function and column");
  }
  return {};
}

}  // namespace

bool is_name(std::string_view name) {
  if (name.empty() || name.size() > limits::kNameBytes || (name[0] >= '0' && name[0] <= '9')) {
    return false;
  }
  for (char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && (c < '0' || c > '9') && c != '_') return false;
  }
  return true;
}

bool is_column_name(std::string_view name) {
  if (name.empty() || name.size() > limits::kColumnNameBytes || !is_valid_utf8(name)) return false;
  for (char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
  }
  return true;
}

Status check_generator(const proto::GeneratorInput& in) {
  if (in.customers() < 1 || in.customers() > limits::kGeneratorIds || in.terminals() < 1 ||
      in.terminals() > limits::kGeneratorIds) {
    return user_error("the generator's customers and terminals are from 1 to 4294967296");
  }
  if (!(in.zipf_exponent() >= 0 && in.zipf_exponent() <= 10)) {
    return user_error("the generator's zipf_exponent is from 0 to 10");
  }
  if (!(in.events_per_second() >= 1e-6 && in.events_per_second() <= limits::kGeneratorRate)) {
    return user_error("the generator's events_per_second is out of range");
  }
  if (!is_share(in.late_share()) || !is_share(in.tie_share()) || !is_share(in.burst_share()) ||
      !is_share(in.malformed_share()) || !is_share(in.fraud_share())) {
    return user_error("the generator's shares are from 0 to 1");
  }
  if (in.late_share() > 0 && in.late_by_us() == 0) {
    return user_error("late_share is over 0, so late_by must be, too: write late_by: 10m, say");
  }
  constexpr TimeUs kYear1 = -62'135'596'800'000'000;
  constexpr TimeUs kYear9999 = 253'402'300'799'999'999;
  if (!in_time_range(in.late_by_us()) || in.start_time_us() > kYear9999 ||
      in.start_time_us() < kYear1 + in.late_by_us()) {
    return user_error("start_time less late_by must lie in the years 1 to 9999");
  }
  if (in.burst_share() > 0 && !(in.burst_factor() >= 1 && in.burst_factor() <= 1e6)) {
    return user_error("the generator's burst_factor is from 1 to 1000000");
  }
  if (!is_speed(in.replay_speed())) return user_error("the replay speed is out of range");
  return {};
}

Status check_source(const proto::Source& source, uint32_t first_partition) {
  if (!is_name(source.name())) return user_error("a source's name is not valid");
  const std::string where = "source '" + source.name() + "'";
  if (Status s = check_schema(source); !s.ok()) return s.error().within(where);
  if (!in_time_range(source.max_out_of_orderness_us()) || !in_time_range(source.idle_after_us())) {
    return user_error(where + ": a duration is out of range");
  }
  if (source.first_partition() != first_partition || source.partitions() == 0 ||
      source.partitions() > limits::kSourcePartitions - first_partition) {
    return user_error(where + ": its partitions are not numbered from " +
                      std::to_string(first_partition) + " or are more than " +
                      std::to_string(limits::kSourcePartitions));
  }
  if (source.has_files()) {
    if (Status s = check_files(source); !s.ok()) return s.error().within(where);
    return {};
  }
  if (!source.has_generator()) return user_error(where + " has no input");
  if (source.generator().partitions() != source.partitions()) {
    return user_error(where + ": the generator has another number of partitions");
  }
  if (Status s = check_generator(source.generator()); !s.ok()) return s.error().within(where);
  return {};
}

Status check_table(const proto::JobPlan& plan, const proto::Table& table) {
  const std::string where = "table '" + table.entity() + "'";
  if (table.source() >= static_cast<uint32_t>(plan.sources_size())) {
    return user_error(where + ": its source is out of range");
  }
  if (!in_time_range(table.retention_us())) {
    return user_error(where + ": its retention is out of range");
  }
  const proto::Source& source = plan.sources(static_cast<int>(table.source()));
  if (Status s = check_keys(source, table); !s.ok()) return s.error().within(where);
  if (Status s = check_expressions(source, table); !s.ok()) return s.error().within(where);
  return {};
}

Status check_view(const proto::JobPlan& plan, const proto::View& view) {
  if (!is_name(view.name())) return user_error("a view's name is not valid");
  const std::string where = "view '" + view.name() + "'";
  if (view.table() >= static_cast<uint32_t>(plan.tables_size())) {
    return user_error(where + ": its table is out of range");
  }
  const proto::Table& table = plan.tables(static_cast<int>(view.table()));
  if (view.entity_size() != table.key_fields_size() || joined(view.entity()) != table.entity()) {
    return user_error(where + ": its entity is not its table's");
  }
  if (view.features_size() == 0) return user_error(where + " has no features");
  std::set<std::string> names;
  for (const proto::Feature& feature : view.features()) {
    if (Status s = check_feature(table, feature); !s.ok()) return s.error().within(where);
    if (!names.insert(feature.name()).second) {
      return user_error(where + ": feature '" + feature.name() + "' is there twice");
    }
  }
  return {};
}

}  // namespace tidemill
