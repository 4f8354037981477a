// Lists: PostgreSQL's functions and operators of arrays of one dimension.
#include "shared/base/bytes_text.h"
#include "shared/base/decimal.h"
#include "shared/expr/functions.h"
#include "shared/expr/nested_kernels.h"
#include "shared/expr/scalars.h"
#include "shared/expr/types.h"
#include "shared/expr/utf8_text.h"

namespace tidemill {
namespace {

using View = std::string_view;
using proto::BOOL;
using proto::Expr;
using proto::INT32;
using proto::LIST;
using proto::STRING;

constexpr proto::ColumnType kAny = kAnyType;

constexpr RowFault kTooManyDigits{"22003", "an element has more digits than those of the list"};

// The writer's value as the row's.
void put_made(const Call& call, uint32_t row) {
  const View value = nested_call(call).writer.value();
  if (value.size() > kMaxNestedBytes) return call.fail(row, kTooManyItems);
  call.out->strings[row] = call.arena->copy(value);
}

void cardinality(const Call& call) {
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.any_null(i)) return;
    call.out->nulls[i] = 0;
    call.out->ints[i] = NestedInput(call.args[0]->strings[i]).items().count;
  });
}

// Of the first dimension, which is all that there is; null of an empty one.
void array_length(const Call& call) {
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.any_null(i) || call.args[1]->ints[i] != 1) return;
    const uint32_t count = NestedInput(call.args[0]->strings[i]).items().count;
    if (count == 0) return;
    call.out->nulls[i] = 0;
    call.out->ints[i] = count;
  });
}

void subscript(const Call& call) {
  const NestedType& list = nested_call(call).args[0];
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.any_null(i)) return;
    int64_t left = call.args[1]->ints[i];
    if (left < 1) return;
    each_element(list, call.args[0]->strings[i], [&](const NestedItem& item) {
      if (--left > 0) return true;
      if (item.has_value()) read_item(list.element(), *item, call.out, i);
      return false;
    });
  });
}

// array[x, ...]
void construct(const Call& call) {
  NestedCall& state = nested_call(call);
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    call.out->nulls[i] = 0;
    state.writer.clear();
    state.writer.begin_list();
    bool good = true;
    for (const Column* arg : call.args) {
      good = good && write_item(state.result.element(), *arg, i, &state.writer);
    }
    if (!good) return call.fail(i, kTooManyDigits);
    state.writer.end_list();
    put_made(call, i);
  });
}

enum class Adding { kBehind, kBefore };

// A list of null is one without elements; a null is an element.
template <Adding kWhere>
void add_element(const Call& call) {
  NestedCall& state = nested_call(call);
  const Column& list = *call.args[kWhere == Adding::kBehind ? 0 : 1];
  const Column& element = *call.args[kWhere == Adding::kBehind ? 1 : 0];
  const NestedType& type = state.result;
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    call.out->nulls[i] = 0;
    state.writer.clear();
    state.writer.begin_list();
    bool good = kWhere == Adding::kBehind || write_item(type.element(), element, i, &state.writer);
    if (list.nulls[i] == 0) {
      each_element(type, list.strings[i], [&](const NestedItem& item) {
        put_item(item, &state.writer);
        return true;
      });
    }
    good = good &&
           (kWhere == Adding::kBefore || write_item(type.element(), element, i, &state.writer));
    if (!good) return call.fail(i, kTooManyDigits);
    state.writer.end_list();
    put_made(call, i);
  });
}

void concatenate(const Call& call) {
  NestedCall& state = nested_call(call);
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.args[0]->nulls[i] != 0 && call.args[1]->nulls[i] != 0) return;
    call.out->nulls[i] = 0;
    state.writer.clear();
    state.writer.begin_list();
    for (const Column* list : call.args) {
      if (list->nulls[i] != 0) continue;
      each_element(state.result, list->strings[i], [&](const NestedItem& item) {
        put_item(item, &state.writer);
        return true;
      });
    }
    state.writer.end_list();
    put_made(call, i);
  });
}

// Nulls are alike.
void remove(const Call& call) {
  NestedCall& state = nested_call(call);
  ItemProbe probe(state.result.element(), *call.args[1]);
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.args[0]->nulls[i] != 0) return;
    call.out->nulls[i] = 0;
    probe.at(i);
    state.writer.clear();
    state.writer.begin_list();
    each_element(state.result, call.args[0]->strings[i], [&](const NestedItem& item) {
      const bool same =
          item.has_value() ? !probe.is_null() && probe.equals(*item) : probe.is_null();
      if (!same) put_item(item, &state.writer);
      return true;
    });
    state.writer.end_list();
    put_made(call, i);
  });
}

void position(const Call& call) {
  const NestedType& list = nested_call(call).args[0];
  ItemProbe probe(list.element(), *call.args[1]);
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.args[0]->nulls[i] != 0) return;
    probe.at(i);
    int64_t at = 0;
    each_element(list, call.args[0]->strings[i], [&](const NestedItem& item) {
      ++at;
      const bool same =
          item.has_value() ? !probe.is_null() && probe.equals(*item) : probe.is_null();
      if (!same) return true;
      call.out->nulls[i] = 0;
      call.out->ints[i] = at;
      return false;
    });
  });
}

enum class Test { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

template <Test kTest>
bool passes(const ItemProbe& probe, View item) {
  if constexpr (kTest == Test::kEqual) return probe.equals(item);
  if constexpr (kTest == Test::kNotEqual) return !probe.equals(item);
  const int order = probe.compare(item);
  if constexpr (kTest == Test::kLess) return order < 0;
  if constexpr (kTest == Test::kLessEqual) return order <= 0;
  if constexpr (kTest == Test::kGreater) return order > 0;
  return order >= 0;
}

// x = any(list), x <> all(list) and their like. Over no elements the value is known, whatever x is.
template <Test kTest, bool kAll>
void quantified(const Call& call) {
  const NestedType& list = nested_call(call).args[1];
  ItemProbe probe(list.element(), *call.args[0]);
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.args[1]->nulls[i] != 0) return;
    probe.at(i);
    bool decided = false;
    bool unknown = false;
    each_element(list, call.args[1]->strings[i], [&](const NestedItem& item) {
      if (probe.is_null() || !item.has_value()) {
        unknown = true;
      } else {
        decided = passes<kTest>(probe, *item) != kAll;
      }
      return !decided;
    });
    if (!decided && unknown) return;
    call.out->nulls[i] = 0;
    call.out->bools[i] = decided != kAll;
  });
}

// Whether the first list has an element of the second. A null is like none.
bool has_element(const NestedType& list, View bytes, View wanted) {
  bool found = false;
  each_element(list, bytes, [&](const NestedItem& item) {
    found = item == wanted;
    return !found;
  });
  return found;
}

template <size_t kWhole>
void contains(const Call& call) {
  const NestedType& list = nested_call(call).args[0];
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.any_null(i)) return;
    bool all = true;
    each_element(list, call.args[1 - kWhole]->strings[i], [&](const NestedItem& item) {
      all = item.has_value() && has_element(list, call.args[kWhole]->strings[i], *item);
      return all;
    });
    call.out->nulls[i] = 0;
    call.out->bools[i] = all;
  });
}

void overlaps(const Call& call) {
  const NestedType& list = nested_call(call).args[0];
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.any_null(i)) return;
    bool any = false;
    each_element(list, call.args[1]->strings[i], [&](const NestedItem& item) {
      any = item.has_value() && has_element(list, call.args[0]->strings[i], *item);
      return !any;
    });
    call.out->nulls[i] = 0;
    call.out->bools[i] = any;
  });
}

// An element as PostgreSQL writes it in text.
void append_text(const NestedType& type, View item, std::string* out) {
  NestedInput in(item);
  TextBuffer buffer;
  switch (type.kind) {
    case ColumnType::kBool:
      *out += in.boolean() ? 't' : 'f';
      return;
    case ColumnType::kInt32:
    case ColumnType::kInt64:
      *out += int_to_text(in.whole(type.kind), &buffer);
      return;
    case ColumnType::kTimestamp:
      *out += timestamp_to_text(in.whole(type.kind), &buffer);
      return;
    case ColumnType::kDate:
      *out += date_to_text(in.whole(type.kind), &buffer);
      return;
    case ColumnType::kDouble:
      *out += double_to_text(in.real(), &buffer);
      return;
    case ColumnType::kDecimal:
      *out += decimal_bytes_to_string(in.text());
      return;
    case ColumnType::kBytes:
      *out += bytes_text(in.text());
      return;
    default:
      *out += in.text();
  }
}

constexpr RowFault kTooLongText{"54000", "the text would be longer than 1 MiB, the most allowed"};

void to_text(const Call& call) {
  NestedCall& state = nested_call(call);
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.args[0]->nulls[i] != 0 || call.args[1]->nulls[i] != 0) return;
    const Column* null_text = call.args.size() > 2 ? call.args[2] : nullptr;
    const bool skips_nulls = null_text == nullptr || null_text->nulls[i] != 0;
    state.text.clear();
    bool first = true;
    each_element(state.args[0], call.args[0]->strings[i], [&](const NestedItem& item) {
      if (!item.has_value() && skips_nulls) return true;
      if (!std::exchange(first, false)) state.text += call.args[1]->strings[i];
      if (item.has_value()) {
        append_text(state.args[0].element(), *item, &state.text);
      } else {
        state.text += null_text->strings[i];
      }
      return state.text.size() <= kMaxTextBytes;
    });
    call.out->nulls[i] = 0;
    if (state.text.size() > kMaxTextBytes) return call.fail(i, kTooLongText);
    call.out->strings[i] = call.arena->copy(state.text);
  });
}

void split(const Call& call) {
  NestedCall& state = nested_call(call);
  NestedWriter& out = state.writer;
  call.rows.each([&](uint32_t i) {
    set_null(call.out, i);
    if (call.args[0]->nulls[i] != 0) return;
    const Column* null_text = call.args.size() > 2 ? call.args[2] : nullptr;
    const auto put = [&](View part) {
      const bool null =
          null_text != nullptr && null_text->nulls[i] == 0 && null_text->strings[i] == part;
      if (null) {
        out.null();
      } else {
        out.text(part);
      }
    };
    View rest = call.args[0]->strings[i];
    const bool by_character = call.args[1]->nulls[i] != 0;
    const View delimiter = by_character ? View() : call.args[1]->strings[i];
    out.clear();
    out.begin_list();
    uint32_t count = 0;
    while (by_character && !rest.empty() && ++count <= kMaxNestedItems) {
      const size_t size = first_character(rest);
      put(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    while (!by_character && !call.args[0]->strings[i].empty() && ++count <= kMaxNestedItems) {
      const size_t at = delimiter.empty() ? View::npos : rest.find(delimiter);
      put(rest.substr(0, at));
      if (at == View::npos) break;
      rest.remove_prefix(at + delimiter.size());
    }
    out.end_list();
    call.out->nulls[i] = 0;
    if (count > kMaxNestedItems) return call.fail(i, kTooManyItems);
    put_made(call, i);
  });
}

// Types of results.

Result<proto::Type> element_type(const Expr& call) {
  return call.args(0).details().fields(0).type();
}

Result<proto::Type> constructed(const Expr& call) {
  if (call.args().empty()) {
    if (call.details().fields_size() != 1) return user_error("an empty list has no type");
    return call.details();
  }
  const proto::Type element = full_type(call.args(0));
  for (const Expr& arg : call.args()) {
    const bool same = element.kind() == proto::DECIMAL ? arg.type() == proto::DECIMAL
                                                       : same_type(full_type(arg), element);
    if (!same) return user_error("the elements of a list have one type");
  }
  // What a decimal element is as one of the list, the call says.
  if (element.kind() == proto::DECIMAL && call.details().fields_size() == 1 &&
      call.details().fields(0).type().kind() == proto::DECIMAL) {
    return call.details();
  }
  return list_of(element);
}

// That an argument is an element of the list.
Status fits_element(const Expr& list, const Expr& element) {
  const proto::Type& wanted = list.details().fields(0).type();
  const bool same = wanted.kind() == proto::DECIMAL ? element.type() == proto::DECIMAL
                                                    : same_type(full_type(element), wanted);
  if (same) return {};
  return user_error("the elements of the list are " + type_name(wanted) + ", and this is " +
                    type_name(full_type(element)));
}

Result<proto::Type> appended(const Expr& call) {
  if (Status s = fits_element(call.args(0), call.args(1)); !s.ok()) return s.error();
  return call.args(0).details();
}
Result<proto::Type> prepended(const Expr& call) {
  if (Status s = fits_element(call.args(1), call.args(0)); !s.ok()) return s.error();
  return call.args(1).details();
}
Result<proto::Type> both(const Expr& call) {
  if (same_type(call.args(0).details(), call.args(1).details())) return call.args(0).details();
  return user_error("the lists have elements of different types, " +
                    type_name(call.args(0).details().fields(0).type()) + " and " +
                    type_name(call.args(1).details().fields(0).type()) +
                    "; array_append() adds one element");
}

proto::Type plain(proto::ColumnType kind) {
  proto::Type out;
  out.set_kind(kind);
  return out;
}
Result<proto::Type> compared(const Expr& call) {
  Result<proto::Type> same = both(call);
  if (!same.ok()) return same;
  return plain(BOOL);
}
Result<proto::Type> found_at(const Expr& call) {
  if (Status s = fits_element(call.args(0), call.args(1)); !s.ok()) return s.error();
  return plain(INT32);
}
template <bool kOrdered>
Result<proto::Type> tested(const Expr& call) {
  if (Status s = fits_element(call.args(1), call.args(0)); !s.ok()) return s.error();
  const proto::Type& element = call.args(1).details().fields(0).type();
  if (element.kind() == proto::JSON || (kOrdered && is_nested(element.kind()))) {
    return user_error("elements that are " + type_name(element) + " have no " +
                      (kOrdered ? "order" : "="));
  }
  return plain(BOOL);
}
Result<proto::Type> joined(const Expr& call) {
  const proto::Type& element = call.args(0).details().fields(0).type();
  if (!is_nested(element.kind())) return plain(STRING);
  return user_error("elements that are " + type_name(element) + " have no text; write to_json()");
}
Result<proto::Type> strings(const Expr&) { return list_of(plain(STRING)); }

constexpr auto kPrepare = prepare_nested;

template <bool kAll>
void add_tests(std::vector<SqlFunction>* all) {
  const auto add = [&](std::string_view name, auto kernel, auto type, std::string_view summary) {
    SqlFunction function{name, {kAny, LIST}, BOOL, kernel, false, summary, false, kPrepare};
    function.type = type;
    all->push_back(std::move(function));
  };
  constexpr std::string_view kAnySummary = "it holds of one of the elements";
  constexpr std::string_view kAllSummary = "it holds of all elements";
  const std::string_view what = kAll ? kAllSummary : kAnySummary;
  add(kAll ? "= all" : "= any", quantified<Test::kEqual, kAll>, tested<false>, what);
  add(kAll ? "<> all" : "<> any", quantified<Test::kNotEqual, kAll>, tested<false>, what);
  add(kAll ? "< all" : "< any", quantified<Test::kLess, kAll>, tested<true>, what);
  add(kAll ? "<= all" : "<= any", quantified<Test::kLessEqual, kAll>, tested<true>, what);
  add(kAll ? "> all" : "> any", quantified<Test::kGreater, kAll>, tested<true>, what);
  add(kAll ? ">= all" : ">= any", quantified<Test::kGreaterEqual, kAll>, tested<true>, what);
}

std::vector<SqlFunction> make_list_functions() {
  std::vector<SqlFunction> all;
  const auto add = [&](std::string_view name, std::vector<proto::ColumnType> args,
                       proto::ColumnType result, auto kernel, bool can_fail,
                       std::string_view summary, auto type) -> SqlFunction& {
    SqlFunction function{name, std::move(args), result, kernel, can_fail, summary, false, kPrepare};
    function.type = type;
    all.push_back(std::move(function));
    return all.back();
  };
  using TypeOf = Result<proto::Type> (*)(const Expr&);
  constexpr TypeOf kKnown = nullptr;
  add("array", {}, LIST, construct, false, "`array[]`, in a cast that says its type", constructed);
  add("array", {kAny}, LIST, construct, true, "`array[x, ...]`: a list of these", constructed)
      .variadic = true;
  add("[]", {LIST, INT32}, kAny, subscript, false,
      "`tags[1]`: the element, counted from 1; null if there is none", element_type);
  add("cardinality", {LIST}, INT32, cardinality, false, "number of elements", kKnown);
  add("array_length", {LIST, INT32}, INT32, array_length, false,
      "`array_length(tags, 1)`: number of elements, null if there are none", kKnown);
  add("array_position", {LIST, kAny}, INT32, position, false,
      "where the element is first, counted from 1; null if it is not there", found_at);
  add_tests<false>(&all);
  add_tests<true>(&all);
  add("@>", {LIST, LIST}, BOOL, contains<0>, false, "has all elements of the other", compared);
  add("<@", {LIST, LIST}, BOOL, contains<1>, false, "the other has all its elements", compared);
  add("&&", {LIST, LIST}, BOOL, overlaps, false, "they have an element in common", compared);
  add("||", {LIST, LIST}, LIST, concatenate, true, "both, one behind the other", both);
  add("||", {LIST, kAny}, LIST, add_element<Adding::kBehind>, true, "with one element more",
      appended);
  add("||", {kAny, LIST}, LIST, add_element<Adding::kBefore>, true, "with one element before",
      prepended);
  add("array_cat", {LIST, LIST}, LIST, concatenate, true, "both, one behind the other", both);
  add("array_append", {LIST, kAny}, LIST, add_element<Adding::kBehind>, true,
      "with one element more", appended);
  add("array_prepend", {kAny, LIST}, LIST, add_element<Adding::kBefore>, true,
      "with one element before", prepended);
  add("array_remove", {LIST, kAny}, LIST, remove, false, "without this element", appended);
  add("array_to_string", {LIST, STRING}, STRING, to_text, true,
      "the elements that are not null, with the text between them", joined);
  add("array_to_string", {LIST, STRING, STRING}, STRING, to_text, true,
      "the same, with the last text for nulls", joined);
  add("string_to_array", {STRING, STRING}, LIST, split, true,
      "the parts between the second text; the characters if that is null", strings);
  add("string_to_array", {STRING, STRING, STRING}, LIST, split, true,
      "the same, with null for parts that are the last text", strings);
  return all;
}

}  // namespace

std::span<const SqlFunction> list_functions() {
  static const std::vector<SqlFunction> all = make_list_functions();
  return all;
}

}  // namespace tidemill
