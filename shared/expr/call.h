// One function's evaluation over the rows of a batch: its arguments' columns, its result, and the
// templates that make a function of columns of a function of one row's values.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "shared/base/arena.h"
#include "shared/columns/column.h"

namespace tidemill {

// Why a row has no value: PostgreSQL's code for it, and words. Kernels answer with constants.
struct RowFault {
  const char* sqlstate;
  const char* message;
};

// The rows to work on: the first `count`, or those that `index` lists in rising order.
struct RowSelection {
  const uint32_t* index = nullptr;
  uint32_t count = 0;

  template <typename F>
  void each(F&& f) const {
    if (index == nullptr) {
      for (uint32_t i = 0; i < count; ++i) f(i);
    } else {
      for (uint32_t k = 0; k < count; ++k) f(index[k]);
    }
  }
};

// A string result: a part of an argument, or bytes in the arena.
struct Text {
  std::string_view value;
  Arena* arena = nullptr;
};

// Where failed rows are noted. Only the first failure of a row counts.
struct Failures {
  std::vector<uint8_t>* failed = nullptr;
  bool any = false;
  bool wanted = true;  // false: nobody reads the words

  struct Noted {
    uint32_t row;
    const char* sqlstate;
    std::string reason;
  };
  std::vector<Noted> noted{};

  bool has_failed(uint32_t row) const { return any && (*failed)[row] != 0; }
  void add(uint32_t row, const char* sqlstate, std::string reason) {
    if ((*failed)[row] != 0) return;
    (*failed)[row] = 1;
    any = true;
    if (wanted) noted.push_back({row, sqlstate, std::move(reason)});
  }
};

// What a function keeps from row to row and batch to batch, such as a compiled pattern.
struct FunctionState {
  virtual ~FunctionState() = default;
};

template <typename V>
std::vector<V>& values_of(Column& column) {
  if constexpr (std::is_same_v<V, uint8_t>) return column.bools;
  if constexpr (std::is_same_v<V, int64_t>) return column.ints;
  if constexpr (std::is_same_v<V, double>) return column.doubles;
  if constexpr (std::is_same_v<V, std::string_view>) return column.strings;
  if constexpr (std::is_same_v<V, Interval>) return column.intervals;
  if constexpr (std::is_same_v<V, Decimal>) return column.decimals;
}
template <typename V>
const std::vector<V>& values_of(const Column& column) {
  return values_of<V>(const_cast<Column&>(column));
}

// Calls f with a value-initialised V of what columns of `type` hold.
template <typename F>
decltype(auto) with_values(ColumnType type, F&& f) {
  if (type == ColumnType::kDecimal) return f(Decimal{});  // as expressions hold it
  switch (storage_of(type)) {
    case Storage::kBits:
      return f(uint8_t{});
    case Storage::kDoubles:
      return f(double{});
    case Storage::kStrings:
      return f(std::string_view{});
    case Storage::kIntervals:
      return f(Interval{});
    case Storage::kInts:
      break;
  }
  return f(int64_t{});
}

struct Call {
  RowSelection rows;
  std::span<const Column* const> args;
  Column* out;
  Arena* arena;
  FunctionState* state;
  Failures* failures;

  void fail(uint32_t row, const RowFault& fault) const {
    out->nulls[row] = 1;
    failures->add(row, fault.sqlstate, failures->wanted ? fault.message : "");
  }
  bool any_null(uint32_t row) const {
    for (const Column* arg : args) {
      if (arg->nulls[row] != 0) return true;
    }
    return false;
  }
};

namespace call_detail {

template <typename R>
struct Result {
  using Stored = R;
  static Stored stored(const R& value) { return value; }
};
template <>
struct Result<Text> {
  using Stored = std::string_view;
  static Stored stored(const Text& value) { return value.value; }
};

template <typename R, typename... A, size_t... k, typename F>
void each_row(const Call& call, std::index_sequence<k...>, F&& f) {
  using Stored = typename Result<R>::Stored;
  Stored* out = values_of<Stored>(*call.out).data();
  uint8_t* nulls = call.out->nulls.data();
  const std::tuple<const std::remove_cvref_t<A>*...> in{
      values_of<std::remove_cvref_t<A>>(*call.args[k]).data()...};
  call.rows.each([&](uint32_t i) {
    out[i] = Stored{};
    nulls[i] = static_cast<uint8_t>((0 | ... | call.args[k]->nulls[i]));
    if (nulls[i] != 0) return;
    R value{};
    if constexpr (std::is_same_v<R, Text>) value.arena = call.arena;
    if (const RowFault* fault = f(&value, std::get<k>(in)[i]...); fault != nullptr) {
      return call.fail(i, *fault);
    }
    out[i] = Result<R>::stored(value);
  });
}

template <auto kFunction, typename R, typename... A>
void run(const Call& call, const RowFault* (*)(R*, A...)) {
  each_row<R, A...>(call, std::index_sequence_for<A...>(),
                    [](R* out, const A&... args) { return kFunction(out, args...); });
}

template <auto kFunction, typename S, typename R, typename... A>
void run_with(const Call& call, const RowFault* (*)(S&, R*, A...)) {
  S& state = static_cast<S&>(*call.state);
  each_row<R, A...>(call, std::index_sequence_for<A...>(),
                    [&](R* out, const A&... args) { return kFunction(state, out, args...); });
}

}  // namespace call_detail

// The kernel of `const RowFault* f(R* out, A... args)`, which is not asked where an argument is
// null. It answers null for no fault; R is Text for strings, uint8_t for bool.
template <auto kFunction>
void strict(const Call& call) {
  call_detail::run<kFunction>(call, kFunction);
}

// The same of `const RowFault* f(State& state, R* out, A... args)`.
template <auto kFunction>
void strict_with_state(const Call& call) {
  call_detail::run_with<kFunction>(call, kFunction);
}

}  // namespace tidemill
