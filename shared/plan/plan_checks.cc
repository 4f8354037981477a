#include "shared/plan/plan_checks.h"

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "shared/base/utf8.h"
#include "shared/expr/check.h"
#include "shared/expr/parse_tree.h"
#include "shared/expr/types.h"
#include "shared/plan/features.h"
#include "shared/plan/file_pattern.h"
#include "shared/plan/kafka_checks.h"
#include "shared/plan/limits.h"
#include "shared/plan/summaries.h"
#include "shared/plan/table_bound.h"
#include "shared/plan/table_inputs.h"
#include "shared/plan/type_checks.h"
#include "shared/plan/window_kinds.h"

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
    if (!is_column_type(field.type())) {
      return user_error("column '" + field.name() + "' has no type");
    }
    if (Status s = check_details(field.type(), field.has_details(), field.details()); !s.ok()) {
      return s.error().within("column '" + field.name() + "'");
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

bool is_absolute(const std::string& path) {
  return !path.empty() && path[0] == '/' && path.find('\0') == std::string::npos &&
         is_valid_utf8(path);
}

std::string shown(const std::string& path) { return "'" + printable(path, 80) + "'"; }

Status check_patterns(const proto::FilesInput& files) {
  const auto patterns = static_cast<size_t>(files.patterns_size());
  if (!files.follow()) {
    return patterns == 0 ? Status() : user_error("only followed files have patterns");
  }
  if (patterns == 0 || patterns > limits::kFilePatterns) {
    return user_error("followed files have from 1 to " + std::to_string(limits::kFilePatterns) +
                      " patterns");
  }
  for (const std::string& pattern : files.patterns()) {
    if (!is_absolute(pattern) || is_compressed(pattern)) {
      return user_error(shown(pattern) +
                        " is not an absolute pattern, in UTF-8, of files that grow");
    }
  }
  if (files.replay_speed() != 0) return user_error("followed files are not replayed");
  return {};
}

Status check_files(const proto::Source& source) {
  const proto::FilesInput& files = source.files();
  if (files.format() < proto::FilesInput::CSV || files.format() > proto::FilesInput::PARQUET) {
    return user_error("the files have no known format");
  }
  const bool grows =
      files.format() == proto::FilesInput::CSV || files.format() == proto::FilesInput::NDJSON;
  if (files.follow() && !grows) return user_error("only files of CSV and NDJSON are followed");
  if (files.paths_size() == 0 && !files.follow()) return user_error("there are no files");
  if (files.identities_size() != 0 && files.identities_size() != files.paths_size()) {
    return user_error("the number of file identities is not that of files");
  }
  for (const proto::FileIdentity& identity : files.identities()) {
    if (identity.head_bytes() > limits::kFileHeadBytes) {
      return user_error("a file's identity is of more than its head");
    }
  }
  for (const std::string& path : files.paths()) {
    if (!is_absolute(path)) {
      return user_error(shown(path) + " is not an absolute path in UTF-8");
    }
  }
  if (!is_speed(files.replay_speed())) return user_error("the replay speed is out of range");
  return check_patterns(files);
}

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ",") + name;
  return out;
}

Status check_all(const google::protobuf::RepeatedPtrField<proto::Expr>& list,
                 const google::protobuf::RepeatedField<int>& types,
                 const std::vector<ColumnType>& schema, const std::string& what) {
  if (list.size() != types.size()) {
    return user_error("an input has " + std::to_string(list.size()) + " " + what + "s of " +
                      std::to_string(types.size()));
  }
  for (int i = 0; i < list.size(); ++i) {
    if (Status s = check_expression(list[i], schema); !s.ok()) return s;
    if (list[i].type() != types[i]) return user_error("a " + what + " is not of its type");
    if (list[i].type() == proto::DECIMAL && list[i].details().precision() == 0) {
      return user_error("a " + what + " is a decimal of no precision");
    }
  }
  return {};
}

Status check_input(const proto::JobPlan& plan, const proto::Table& table,
                   const proto::TableInput& input) {
  if (input.source() >= static_cast<uint32_t>(plan.sources_size())) {
    return user_error("the source of an input is out of range");
  }
  std::vector<ColumnType> schema;
  for (const proto::Field& field : plan.sources(static_cast<int>(input.source())).schema()) {
    schema.push_back(static_cast<ColumnType>(field.type()));
  }
  google::protobuf::RepeatedField<int> bools;
  bools.Resize(table.inputs(0).filters_size(), proto::BOOL);
  const Status parts[] = {check_all(input.keys(), table.key_types(), schema, "key"),
                          check_all(input.columns(), table.column_types(), schema, "column"),
                          check_all(input.filters(), bools, schema, "filter")};
  for (const Status& s : parts) {
    if (!s.ok()) return s;
  }
  if (input.has_where()) {
    if (Status s = check_expression(input.where(), schema); !s.ok()) return s;
    if (input.where().type() != proto::BOOL) return user_error("a where is not of type bool");
  }
  return check_input_details(plan.sources(static_cast<int>(input.source())), table, input);
}

// What all inputs of a table have in common.
Status check_table_size(const proto::Table& table) {
  if (table.inputs_size() == 0 || table.inputs_size() > static_cast<int>(limits::kTableInputs)) {
    return user_error("its inputs are not from 1 to " + std::to_string(limits::kTableInputs));
  }
  if (table.key_types_size() == 0 ||
      table.key_types_size() > static_cast<int>(limits::kEntityColumns)) {
    return user_error("its entity columns are not from 1 to " +
                      std::to_string(limits::kEntityColumns));
  }
  for (const int type : table.key_types()) {
    if (!is_key_type(static_cast<proto::ColumnType>(type))) {
      return user_error("an entity column has a wrong type");
    }
  }
  if (table.column_types_size() > static_cast<int>(limits::kTableColumns) ||
      table.inputs(0).filters_size() > static_cast<int>(limits::kTableFilters)) {
    return user_error("it has too many columns or filters");
  }
  for (const int type : table.column_types()) {
    if (!is_column_type(static_cast<proto::ColumnType>(type))) {
      return user_error("a column has no type that rows can have");
    }
  }
  return check_column_types(table);
}

Status check_deduplication(const proto::Table& table) {
  if (!table.has_deduplication()) return {};
  const proto::Deduplication& by = table.deduplication();
  if (by.within_us() <= 0 || by.within_us() > table.retention_us()) {
    return user_error("its deduplication is within no time, or longer than it retains rows");
  }
  if (by.filter() > static_cast<uint32_t>(table.inputs(0).filters_size())) {
    return user_error("the filter of its deduplication is out of range");
  }
  const std::set<uint32_t> columns(by.by().begin(), by.by().end());
  if (columns.empty() || columns.size() > limits::kDeduplicateColumns ||
      columns.size() != static_cast<size_t>(by.by_size())) {
    return user_error("the columns of its deduplication are none, too many, or there twice");
  }
  for (const uint32_t column : columns) {
    if (column >= static_cast<uint32_t>(table.column_types_size()) ||
        !is_id_type(table.column_types(static_cast<int>(column)))) {
      return user_error("a column of its deduplication is out of range, or not of a type for that");
    }
  }
  return {};
}

// Joined they are the table's entity, which seeds hashes: none may read like two.
Status check_entity(const proto::Table& table, const proto::View& view) {
  for (const std::string& name : view.entity()) {
    if (!is_column_name(name) || name.find(',') != std::string::npos) {
      return user_error("the name of an entity column is not valid");
    }
  }
  if (view.entity_size() != table.key_types_size() || joined(view.entity()) != table.entity()) {
    return user_error("its entity is not its table's");
  }
  return {};
}

template <typename Fail>
Status check_parameters(const proto::Feature& feature, const Fail& fail) {
  using Field = FunctionParameter::Field;
  const std::vector<FunctionParameter> parameters = function_parameters(feature.function());
  for (const Field field :
       {Field::kN, Field::kBound, Field::kPercentile, Field::kRelativeAccuracy, Field::kHalfLife}) {
    const auto found = std::find_if(parameters.begin(), parameters.end(),
                                    [&](const FunctionParameter& p) { return p.field == field; });
    const uint64_t value = parameter_of(feature, field);
    if (found == parameters.end()) {
      if (value != 0) return fail("its function takes no such parameter");
    } else if (value < found->least || value > found->most) {
      return fail("its '" + std::string(found->key) + "' is out of range");
    }
  }
  if (feature.half_life_us() > 0 && feature.lifetime()) {
    return fail("what decays has no lifetime window");
  }
  return {};
}

proto::Type key_type(const proto::Feature& feature) {
  if (feature.has_key_details()) return feature.key_details();
  proto::Type out;
  out.set_kind(feature.key_type());
  return out;
}

// Of a feature with or without `by`.
template <typename Fail>
Status check_groups(const proto::Table& table, const proto::Feature& feature, const Fail& fail) {
  if (feature.by() == 0) {
    if (feature.max_groups() != 0) return fail("it has max_groups without 'by'");
    return {};
  }
  if (feature.by() > static_cast<uint32_t>(table.column_types_size()) ||
      feature.by() > limits::kTableColumns) {
    return fail("its 'by' is out of range");
  }
  if (!gives_scalar(feature.function())) return fail("its function does not go with 'by'");
  const proto::Type key = column_type(table, static_cast<int>(feature.by()) - 1);
  if (key.kind() == proto::DOUBLE || !feature.map() || !same_type(key_type(feature), key)) {
    return fail("its map's keys are not of the type of its 'by', or of none that they can have");
  }
  if (feature.max_groups() < 1 || feature.max_groups() > limits::kGroupsMost ||
      (feature.lifetime() && feature.max_groups() > most_lifetime_groups(feature))) {
    return fail("its max_groups is out of range");
  }
  return {};
}

// The type of the value, list, map and its keys.
template <typename Fail>
Status check_value_type(const proto::Feature& feature, const std::optional<proto::Type>& column,
                        const Fail& fail) {
  if (feature.has_details() != has_details(feature.type()) ||
      feature.has_key_details() != has_details(feature.key_type())) {
    return fail("the details of its type are missing, or there needlessly");
  }
  const auto type = feature_type(feature.function(), column);
  if (feature.by() != 0) {
    if (feature.list() || !type.has_value() || !same_type(full_type(feature), *type)) {
      return fail("its type does not follow from its function and column");
    }
    return {};
  }
  if (gives_map(feature.function()) ? !feature.map()
                                    : feature.map() && !may_give_map(feature.function())) {
    return fail("only some functions give maps");
  }
  if (feature.list() != (gives_list(feature.function()) && !feature.map())) {
    return fail("only functions that give lists do, and they always do");
  }
  if (!same_type(key_type(feature),
                 feature.map() ? column.value_or(proto::Type()) : proto::Type())) {
    return fail("its map's keys are not of its column's type");
  }
  proto::Type count;
  count.set_kind(proto::INT64);
  if (!type.has_value() || !same_type(full_type(feature), feature.map() ? count : *type)) {
    return fail("its type does not follow from its function and column");
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
  if (function_name(feature.function()).empty()) return fail("unknown function");
  if (feature.column() < -1 || feature.column() >= table.column_types_size() ||
      feature.filter() < -1 || feature.filter() >= table.inputs(0).filters_size()) {
    return fail("its column or filter is out of range");
  }
  if (feature.closed() < proto::Feature::RIGHT || feature.closed() > proto::Feature::NEITHER) {
    return fail("unknown kind of window ends");
  }
  std::optional<proto::Type> column;
  if (feature.column() >= 0) column = column_type(table, feature.column());
  if (Status s = check_value_type(feature, column, fail); !s.ok()) return s;
  if (Status s = check_parameters(feature, fail); !s.ok()) return s;
  // How large groups may be follows from parameters that are in their range.
  if (Status s = check_groups(table, feature, fail); !s.ok()) return s;
  if (Status s = check_window(feature); !s.ok()) return fail(s.error().message());
  if (table.has_deduplication() && feature.lifetime()) {
    return fail("a lifetime window does not go with deduplication");
  }
  if (reach_of(feature) + table.deduplication().within_us() > table.retention_us()) {
    return fail("its window does not lie within the table's retention");
  }
  return {};
}

// What summaries of keys are made for: features as of some revision of the job.
Status check_summarized(const proto::Table& table) {
  if (static_cast<size_t>(table.summarized_size()) > limits::kFeatures) {
    return user_error("its summaries are for too many features");
  }
  for (const proto::LifetimeFeature& kept : table.summarized()) {
    if (!kept.feature().lifetime())
      return user_error("its summaries are for lifetime windows alone");
    if (Status s = check_feature(table, kept.feature()); !s.ok()) return s.error();
    for (const uint32_t column : kept.order()) {
      if (column >= static_cast<uint32_t>(table.column_types_size())) {
        return user_error("a column of what its summaries are for is out of range");
      }
    }
  }
  return {};
}

// Of the table's columns or filters, whose texts are canonical. Adds up their parts.
Status check_tuples(const proto::Table& table, const char* what, int count,
                    ExprTuple (*tuple_of)(const proto::Table&, int32_t), size_t* parts) {
  std::set<std::vector<std::string>> seen;
  for (int i = 0; i < count; ++i) {
    std::vector<std::string> texts;
    for (const proto::Expr& expr : tuple_of(table, i)) {
      texts.push_back(expr.text());
      *parts += count_parts(expr, limits::kExpressionParts);
    }
    if (!seen.insert(std::move(texts)).second) {
      return user_error(std::string("a ") + what + " is there twice");
    }
    if (*parts > limits::kExpressionParts) {
      return user_error("the expressions of the plan have more than " +
                        std::to_string(limits::kExpressionParts) + " parts up to here");
    }
  }
  return {};
}

// Rows that tie in all of a view's order must be interchangeable for it.
Status check_order(const proto::Table& table, const proto::View& view) {
  std::set<uint32_t> columns;
  for (const uint32_t column : view.order()) {
    if (column >= static_cast<uint32_t>(table.column_types_size())) {
      return user_error("a column of its order is out of range");
    }
    if (!columns.insert(column).second) return user_error("a column of its order is there twice");
  }
  for (const proto::Feature& feature : view.features()) {
    const bool column =
        feature.column() < 0 || columns.count(static_cast<uint32_t>(feature.column())) != 0;
    const bool by = feature.by() == 0 || columns.count(feature.by() - 1) != 0;
    if (column && by) continue;
    return user_error("a column of feature '" + feature.name() + "' is missing in its order");
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

bool is_key_type(proto::ColumnType type) {
  return type >= proto::BOOL && type <= proto::TIMESTAMP && type != proto::DOUBLE;
}

bool is_id_type(proto::ColumnType type) {
  return is_key_type(type) || type == proto::DATE || type == proto::BYTES || type == proto::DECIMAL;
}

bool is_column_name(std::string_view name) {
  if (name.empty() || name.size() > limits::kColumnNameBytes || !is_valid_utf8(name)) return false;
  for (char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
  }
  return true;
}

Status check_generator(const proto::GeneratorInput& in) {
  if (in.partitions_at_most() != 0 && (in.partitions_at_most() < in.partitions() ||
                                       in.partitions_at_most() > limits::kSourcePartitions)) {
    return user_error("the generator's partitions_at_most is 0, or from partitions to " +
                      std::to_string(limits::kSourcePartitions));
  }
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

Status check_source(const proto::Source& source) {
  if (!is_name(source.name())) return user_error("a source's name is not valid");
  const std::string where = "source '" + source.name() + "'";
  if (Status s = check_schema(source); !s.ok()) return s.error().within(where);
  if (!in_time_range(source.max_out_of_orderness_us()) || !in_time_range(source.idle_after_us())) {
    return user_error(where + ": a duration is out of range");
  }
  if (!in_time_range(source.max_future_us()) ||
      (!source.has_kafka() && source.max_future_us() != 0)) {
    return user_error(where + ": max_future is out of range, or for records without a timestamp");
  }
  if (source.has_files()) {
    if (Status s = check_files(source); !s.ok()) return s.error().within(where);
    return {};
  }
  if (source.has_kafka()) {
    if (Status s = check_kafka(source); !s.ok()) return s.error().within(where);
    return {};
  }
  if (!source.has_generator()) return user_error(where + " has no input");
  if (Status s = check_generator(source.generator()); !s.ok()) return s.error().within(where);
  return {};
}

namespace {

// What an update has stated.
Status check_stated(const proto::JobPlan& plan, const proto::Table& table) {
  const proto::Deduplication& by = table.deduplication();
  const bool stated = table.fed() != proto::Table::FED_UNSPECIFIED ||
                      table.has_first_retention_us() || table.since_revision() != 0 ||
                      by.order_stated();
  if (stated && plan.revision() == 0) return user_error("it is of a job that was never changed");
  if (!proto::Table::Fed_IsValid(table.fed())) return user_error("it is fed in no known way");
  if (table.since_revision() > plan.revision()) return user_error("it is of a later revision");
  if (table.first_retention_us() < 0 || table.first_retention_us() > table.retention_us()) {
    return user_error("it keeps rows for less long than it did");
  }
  const auto below = [](const auto& list, int count) {
    return std::all_of(list.begin(), list.end(),
                       [&](uint32_t i) { return i < static_cast<uint32_t>(count); });
  };
  if (!below(by.order(), table.column_types_size()) ||
      !below(by.order_filters(), table.inputs(0).filters_size())) {
    return user_error("the order of its deduplication is out of range");
  }
  return {};
}

}  // namespace

Status check_table(const proto::JobPlan& plan, const proto::Table& table) {
  const std::string where = "table '" + table.entity() + "'";
  if (!in_time_range(table.retention_us())) {
    return user_error(where + ": its retention is out of range");
  }
  if (Status s = check_table_size(table); !s.ok()) return s.error().within(where);
  for (const proto::TableInput& input : table.inputs()) {
    if (Status s = check_input(plan, table, input); !s.ok()) return s.error().within(where);
  }
  if (Status s = check_deduplication(table); !s.ok()) return s.error().within(where);
  if (Status s = check_summarized(table); !s.ok()) return s.error().within(where);
  if (Status s = check_bound(table); !s.ok()) return s.error().within(where);
  if (Status s = check_stated(plan, table); !s.ok()) return s.error().within(where);
  return {};
}

Status check_expressions(const proto::JobPlan& plan) {
  size_t parts = 0;
  for (const proto::Table& table : plan.tables()) {
    const Status lists[] = {
        check_tuples(table, "column", table.column_types_size(), column_of, &parts),
        check_tuples(table, "filter", table.inputs(0).filters_size(), filter_of, &parts)};
    for (const Status& s : lists) {
      if (!s.ok()) return s.error().within("table '" + table.entity() + "'");
    }
  }
  return {};
}

Status check_view(const proto::JobPlan& plan, const proto::View& view) {
  if (!is_name(view.name())) return user_error("a view's name is not valid");
  const std::string where = "view '" + view.name() + "'";
  if (view.table() >= static_cast<uint32_t>(plan.tables_size())) {
    return user_error(where + ": its table is out of range");
  }
  const proto::Table& table = plan.tables(static_cast<int>(view.table()));
  if (Status s = check_entity(table, view); !s.ok()) return s.error().within(where);
  if (view.features_size() == 0) return user_error(where + " has no features");
  std::set<std::string> names;
  for (const proto::Feature& feature : view.features()) {
    if (Status s = check_feature(table, feature); !s.ok()) return s.error().within(where);
    if (!names.insert(feature.name()).second) {
      return user_error(where + ": feature '" + feature.name() + "' is there twice");
    }
  }
  if (Status s = check_order(table, view); !s.ok()) return s.error().within(where);
  if (table.summarized_size() == 0) return {};
  const auto kept = summarized_features(plan, view.table());
  for (const proto::Feature& feature : view.features()) {
    if (!feature.lifetime() || summaries_hold(kept, feature, view.order())) continue;
    return user_error(where + ": feature '" + feature.name() +
                      "' is not one that the summaries of its table's keys are for");
  }
  return {};
}

}  // namespace tidemill
