// Structs and maps, and what lists, structs and maps have in common.
#include <array>

#include "shared/expr/functions.h"
#include "shared/expr/nested_kernels.h"
#include "shared/expr/suggest.h"
#include "shared/expr/types.h"
#include "shared/nested/nested_json.h"

namespace tidemill {
namespace {

using proto::BOOL;
using proto::Expr;
using proto::INT32;
using proto::JSON;
using proto::LIST;
using proto::MAP;
using proto::STRING;
using proto::STRUCT;

constexpr proto::ColumnType kAny = kAnyType;

// (payload).amount
struct FieldOf : NestedCall {
  size_t field = 0;
};

Result<size_t> field_number(const Expr& call) {
  const Expr& name = call.args(1);
  std::vector<std::string> known;
  for (int i = 0; i < call.args(0).details().fields_size(); ++i) {
    known.push_back(call.args(0).details().fields(i).name());
    if (name.literal_case() == Expr::kLiteralString && known.back() == name.literal_string()) {
      return static_cast<size_t>(i);
    }
  }
  if (name.literal_case() != Expr::kLiteralString) {
    return user_error("the field of a struct is a name");
  }
  return user_error("the struct has no field '" + name.literal_string() + "'" +
                    suggestion(name.literal_string(), known));
}

Result<proto::Type> field_type(const Expr& call) {
  const Result<size_t> field = field_number(call);
  if (!field.ok()) return field.error();
  return call.args(0).details().fields(static_cast<int>(*field)).type();
}

Result<std::unique_ptr<FunctionState>> prepare_field(const Expr& call) {
  const Result<size_t> field = field_number(call);
  if (!field.ok()) return field.error();
  auto state = std::make_unique<FieldOf>();
  state->args.push_back(nested_type_of(call.args(0)));
  state->field = *field;
  return std::unique_ptr<FunctionState>(std::move(state));
}

void field_value(const Call& call) {
  const FieldOf& state = static_cast<const FieldOf&>(*call.state);
  const NestedType& type = state.args[0];
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.args[0]->nulls[i] != 0) return;
    NestedInput in(call.args[0]->strings[i]);
    const NestedInput::Items items = in.fields(type.fields.size());
    for (uint32_t k = 0; k <= state.field && in.ok(); ++k) {
      if (items.is_null(k)) continue;
      const std::string_view item = in.take(type.fields[k].type);
      if (k == state.field && in.ok()) read_item(type.fields[k].type, item, call.out, i);
    }
  });
}

// m -> 'k'
void map_value(const Call& call) {
  const NestedType& map = nested_call(call).args[0];
  ItemProbe probe(map.key(), *call.args[1]);
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.any_null(i)) return;
    probe.at(i);
    each_entry(map, call.args[0]->strings[i], [&](std::string_view key, const NestedItem& value) {
      if (!probe.equals(key)) return true;
      if (value.has_value()) read_item(map.value(), *value, call.out, i);
      return false;
    });
  });
}

void has_key(const Call& call) {
  const NestedType& map = nested_call(call).args[0];
  ItemProbe probe(map.key(), *call.args[1]);
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.any_null(i)) return;
    probe.at(i);
    bool found = false;
    each_entry(map, call.args[0]->strings[i], [&](std::string_view key, const NestedItem&) {
      found = probe.equals(key);
      return !found;
    });
    call.out->nulls[i] = 0;
    call.out->bools[i] = found;
  });
}

template <bool kKeys>
void entries(const Call& call) {
  NestedCall& state = nested_call(call);
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.any_null(i)) return;
    call.out->nulls[i] = 0;
    state.writer.clear();
    state.writer.begin_list();
    each_entry(state.args[0], call.args[0]->strings[i],
               [&](std::string_view key, const NestedItem& value) {
                 put_item(kKeys ? NestedItem(key) : value, &state.writer);
                 return true;
               });
    state.writer.end_list();
    call.out->strings[i] = call.arena->copy(state.writer.value());  // no longer than the map
  });
}

void map_size(const Call& call) {
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.any_null(i)) return;
    call.out->nulls[i] = 0;
    call.out->ints[i] = NestedInput(call.args[0]->strings[i]).items().count;
  });
}

constexpr RowFault kTooLongText{"54000", "the JSON would be longer than 1 MiB, the most allowed"};

void as_json(const Call& call) {
  NestedCall& state = nested_call(call);
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.any_null(i)) return;
    call.out->nulls[i] = 0;
    state.text.clear();
    append_nested_json(state.args[0], call.args[0]->strings[i], JsonDoubles::kShortest,
                       &state.text);
    if (state.text.size() > kMaxTextBytes) return call.fail(i, kTooLongText);
    call.out->strings[i] = call.arena->copy(state.text);
  });
}

Status fits_key(const Expr& call) {
  const proto::Type& wanted = call.args(0).details().fields(0).type();
  if (wanted.kind() == call.args(1).type()) return {};
  return user_error("the keys of the map are " + type_name(wanted) + ", and this is " +
                    type_name(full_type(call.args(1))));
}
Result<proto::Type> value_type(const Expr& call) {
  if (Status s = fits_key(call); !s.ok()) return s.error();
  return call.args(0).details().fields(1).type();
}
Result<proto::Type> truth(const Expr& call) {
  if (Status s = fits_key(call); !s.ok()) return s.error();
  proto::Type out;
  out.set_kind(BOOL);
  return out;
}
template <int kPart>
Result<proto::Type> list_of_part(const Expr& call) {
  return list_of(call.args(0).details().fields(kPart).type());
}

std::vector<SqlFunction> make_nested_functions() {
  std::vector<SqlFunction> all;
  const auto add = [&](std::string_view name, std::vector<proto::ColumnType> args,
                       proto::ColumnType result, auto kernel, bool can_fail,
                       std::string_view summary, Result<proto::Type> (*type)(const Expr&)) {
    SqlFunction function{name,     std::move(args), result, kernel,
                         can_fail, summary,         false,  prepare_nested};
    function.type = type;
    all.push_back(std::move(function));
  };
  add(".", {STRUCT, STRING}, kAny, field_value, false,
      "`(payload).amount`, also `payload.amount`: the field of a struct", field_type);
  all.back().prepare = prepare_field;
  add("->", {MAP, kAny}, kAny, map_value, false, "the value of a key, null if it is not there",
      value_type);
  add("?", {MAP, kAny}, BOOL, has_key, false, "whether the key is there", truth);
  add("akeys", {MAP}, LIST, entries<true>, false, "the keys, in order", list_of_part<0>);
  add("avals", {MAP}, LIST, entries<false>, false, "the values, in the order of their keys",
      list_of_part<1>);
  add("cardinality", {MAP}, INT32, map_size, false, "number of entries", nullptr);
  for (const proto::ColumnType kind : {LIST, STRUCT, MAP}) {
    add("to_json", {kind}, JSON, as_json, true,
        "as JSON; what a cast to json or string begins with", nullptr);
  }
  return all;
}

}  // namespace

Result<std::unique_ptr<FunctionState>> prepare_nested(const Expr& call) {
  auto state = std::make_unique<NestedCall>();
  for (const Expr& arg : call.args()) state->args.push_back(nested_type_of(arg));
  state->result = nested_type_of(call);
  return std::unique_ptr<FunctionState>(std::move(state));
}

proto::Type list_of(const proto::Type& element) {
  proto::Type out;
  out.set_kind(LIST);
  *out.add_fields()->mutable_type() = element;
  return out;
}

void ItemProbe::at(uint32_t row) {
  row_ = row;
  if (is_null() || type_.kind == ColumnType::kDecimal) return;
  value_.clear();
  write_item(type_, column_, row, &value_);
}

bool ItemProbe::equals(std::string_view item) const {
  if (type_.kind == ColumnType::kDecimal) return compare(item) == 0;
  return value_.value() == item;
}

int ItemProbe::compare(std::string_view item) const {
  if (type_.kind != ColumnType::kDecimal) return compare_keys(type_, value_.value(), item);
  const Decimal other = decode_decimal(NestedInput(item).text()).value_or(Decimal());
  return compare_decimals(column_.decimals[row_], other);
}

std::span<const SqlFunction> nested_functions() {
  static const std::vector<SqlFunction> all = make_nested_functions();
  return all;
}

}  // namespace tidemill
