#include "shared/expr/casts.h"

#include <array>
#include <limits>

#include "shared/base/bytes_text.h"
#include "shared/base/json_text.h"
#include "shared/base/utf8.h"
#include "shared/expr/civil.h"
#include "shared/expr/decimal_functions.h"
#include "shared/expr/functions.h"
#include "shared/expr/interval_text.h"
#include "shared/expr/kernels.h"
#include "shared/expr/scalars.h"
#include "shared/expr/suggest.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

using Type = proto::ColumnType;
using proto::BOOL;
using proto::BYTES;
using proto::DATE;
using proto::DECIMAL;
using proto::DOUBLE;
using proto::INT32;
using proto::INT64;
using proto::INTERVAL;
using proto::JSON;
using proto::LOCAL_TIMESTAMP;
using proto::STRING;
using proto::TIMESTAMP;
using View = std::string_view;
using I = int64_t;

template <typename From, typename To>
const RowFault* converted(To* out, From value) {
  *out = static_cast<To>(value);
  return nullptr;
}
const RowFault* truth(uint8_t* out, I value) {
  *out = value != 0;
  return nullptr;
}
const RowFault* narrowed(I* out, I value) {
  *out = value;
  return kernels::in_range<true>(value);
}
template <typename Int>
const RowFault* rounded(I* out, double value) {
  constexpr bool k32 = sizeof(Int) == 4;
  using L = std::numeric_limits<Int>;
  if (double_to_int(value, L::min(), L::max(), out)) return nullptr;
  return k32 ? &kernels::kInt32Range : &kernels::kInt64Range;
}
const RowFault* midnight(I* out, I days) {
  return timestamp_of(days, 0, out) ? nullptr : &kTimestampRange;
}
const RowFault* date_of(I* out, I time) {
  *out = day_of(time);
  return nullptr;
}

const RowFault* bool_text(Text* out, uint8_t value) {
  out->value = value != 0 ? "true" : "false";
  return nullptr;
}
template <typename V, View (*kText)(V, TextBuffer*)>
const RowFault* as_text(Text* out, V value) {
  TextBuffer buffer;
  out->value = out->arena->copy(kText(value, &buffer));
  return nullptr;
}
const RowFault* interval_text(Text* out, Interval value) {
  out->value = out->arena->copy(interval_to_text(value));
  return nullptr;
}
const RowFault* as_it_is(Text* out, View json) {
  out->value = json;
  return nullptr;
}
const RowFault* bytes_as_text(Text* out, View bytes) {
  const size_t size = 2 + 2 * bytes.size();
  char* begin = out->arena->take(size);
  bytes_to_text(bytes, begin);
  out->value = {begin, size};
  return nullptr;
}

constexpr RowFault kInvalidText{"22P02", nullptr};
constexpr RowFault kInvalidTime{"22007", nullptr};
constexpr RowFault kOutOfRange{"22003", nullptr};

// Casts from string: the message shows the text.
template <typename Stored, Type kTo, typename F>
void from_text(const Call& call, F&& read) {
  Stored* out = values_of<Stored>(*call.out).data();
  call.rows.each([&](uint32_t i) {
    call.out->nulls[i] = call.args[0]->nulls[i];
    out[i] = Stored{};
    if (call.out->nulls[i] != 0) return;
    const View text = call.args[0]->strings[i];
    const RowFault* fault = read(text, &out[i]);
    if (fault == nullptr) return;
    call.out->nulls[i] = 1;
    out[i] = Stored{};
    if (!call.failures->wanted) return call.failures->add(i, fault->sqlstate, "");
    constexpr size_t kShown = 40;
    const std::string shown =
        is_valid_utf8(text) ? "'" + clipped(text, kShown) + "'" : "text that is not UTF-8";
    const bool vowel = kTo == INT32 || kTo == INT64 || kTo == INTERVAL;
    call.failures->add(i, fault->sqlstate,
                       shown + " is not " + (vowel ? "an " : "a ") + type_name(kTo));
  });
}

void text_as_bool(const Call& call) {
  from_text<uint8_t, BOOL>(call, [](View text, uint8_t* out) {
    bool value = false;
    if (!text_to_bool(text, &value)) return &kInvalidText;
    *out = value;
    return static_cast<const RowFault*>(nullptr);
  });
}
template <Type kTo>
void text_as_int(const Call& call) {
  from_text<I, kTo>(call, [](View text, I* out) -> const RowFault* {
    if (text_to_int(text, out) && (kTo == INT64 || kernels::fits_int32(*out))) return nullptr;
    const bool whole = text.find_first_of(".eEnN") == View::npos;
    return whole && is_number_text(text) ? &kOutOfRange : &kInvalidText;
  });
}
void text_as_double(const Call& call) {
  from_text<double, DOUBLE>(call, [](View text, double* out) -> const RowFault* {
    if (text_to_double(text, out)) return nullptr;
    return is_number_text(text) ? &kOutOfRange : &kInvalidText;
  });
}
template <Type kTo, bool (*kRead)(View, I*)>
void text_as_time(const Call& call) {
  from_text<I, kTo>(call, [](View text, I* out) -> const RowFault* {
    return kRead(text, out) ? nullptr : &kInvalidTime;
  });
}
void text_as_interval(const Call& call) {
  from_text<Interval, INTERVAL>(
      call, [](View text, Interval* out) { return text_to_interval(text, out); });
}
void text_as_bytes(const Call& call) {
  from_text<View, BYTES>(call, [&](View text, View* out) -> const RowFault* {
    char* begin = call.arena->take(text.size());
    const std::optional<size_t> size = text_to_bytes(text, begin);
    if (!size.has_value()) return &kInvalidText;
    *out = {begin, *size};
    return nullptr;
  });
}
void text_as_json(const Call& call) {
  from_text<View, JSON>(call, [](View text, View* out) -> const RowFault* {
    *out = text;
    return is_valid_json(text) ? nullptr : &kInvalidText;
  });
}

// Casts to decimal, of so many digits if the call keeps a type.
template <typename V, bool (*kRead)(const V&, Decimal*)>
void as_decimal(const Call& call) {
  const auto* type = static_cast<const DecimalCast*>(call.state);
  const V* in = values_of<V>(*call.args[0]).data();
  Decimal* out = call.out->decimals.data();
  call.rows.each([&](uint32_t i) {
    call.out->nulls[i] = call.args[0]->nulls[i];
    out[i] = {};
    if (call.out->nulls[i] != 0) return;
    Decimal value;
    if (!kRead(in[i], &value)) return call.fail(i, kDecimalRange);
    if (type == nullptr) {
      out[i] = value;
    } else if (!fit(value, type->type, &out[i])) {
      out[i] = {};
      call.fail(i, kDecimalOverflow);
    }
  });
}
bool of_int(const I& value, Decimal* out) {
  *out = decimal_of_int(value);
  return true;
}
bool of_double(const double& value, Decimal* out) { return decimal_of_double(value, out); }
bool of_decimal(const Decimal& value, Decimal* out) {
  *out = value;
  return true;
}
void text_as_decimal(const Call& call) {
  const auto* type = static_cast<const DecimalCast*>(call.state);
  from_text<Decimal, DECIMAL>(call, [&](View text, Decimal* out) -> const RowFault* {
    switch (text_to_decimal(text, type == nullptr ? nullptr : &type->type, out)) {
      case DecimalText::kGood:
        return nullptr;
      case DecimalText::kTooLong:
        return &kOutOfRange;
      case DecimalText::kInvalid:
        break;
    }
    return &kInvalidText;
  });
}
const RowFault* decimal_text(Text* out, const Decimal& value) {
  DecimalBuffer buffer;
  out->value = out->arena->copy(decimal_to_text(value, buffer));
  return nullptr;
}
const RowFault* decimal_as_double(double* out, const Decimal& value) {
  *out = decimal_to_double(value);
  return nullptr;
}
template <typename Int>
const RowFault* decimal_as_int(I* out, const Decimal& value) {
  using L = std::numeric_limits<Int>;
  if (decimal_to_int(value, L::min(), L::max(), out)) return nullptr;
  return sizeof(Int) == 4 ? &kernels::kInt32Range : &kernels::kInt64Range;
}

struct Cast {
  Type from;
  Type to;
  CastKernel kernel;
  bool can_fail = false;
  int promotes = 0;  // steps; 0: only where a cast is written
};

constexpr std::array<Cast, 44> kCasts{{
    {BOOL, INT32, strict<converted<uint8_t, I>>},
    {BOOL, DOUBLE, strict<converted<uint8_t, double>>},
    {BOOL, STRING, strict<bool_text>},
    {INT32, BOOL, strict<truth>},
    {INT32, INT64, strict<converted<I, I>>, false, 1},
    {INT32, DOUBLE, strict<converted<I, double>>, false, 2},
    {INT32, STRING, strict<as_text<I, int_to_text>>},
    {INT64, INT32, strict<narrowed>, true},
    {INT64, DOUBLE, strict<converted<I, double>>, false, 1},
    {INT64, STRING, strict<as_text<I, int_to_text>>},
    {DOUBLE, INT32, strict<rounded<int32_t>>, true},
    {DOUBLE, INT64, strict<rounded<int64_t>>, true},
    {DOUBLE, STRING, strict<as_text<double, double_to_text>>},
    {STRING, BOOL, text_as_bool, true},
    {STRING, INT32, text_as_int<INT32>, true},
    {STRING, INT64, text_as_int<INT64>, true},
    {STRING, DOUBLE, text_as_double, true},
    {STRING, TIMESTAMP, text_as_time<TIMESTAMP, text_to_timestamp>, true},
    {STRING, DATE, text_as_time<DATE, text_to_date>, true},
    {STRING, LOCAL_TIMESTAMP, text_as_time<LOCAL_TIMESTAMP, text_to_timestamp>, true},
    {STRING, INTERVAL, text_as_interval, true},
    {STRING, BYTES, text_as_bytes, true},
    {STRING, JSON, text_as_json, true},
    {TIMESTAMP, STRING, strict<as_text<I, timestamp_to_text>>},
    {TIMESTAMP, DATE, strict<date_of>},
    {TIMESTAMP, LOCAL_TIMESTAMP, strict<converted<I, I>>},
    {LOCAL_TIMESTAMP, STRING, strict<as_text<I, local_timestamp_to_text>>},
    {LOCAL_TIMESTAMP, DATE, strict<date_of>},
    {LOCAL_TIMESTAMP, TIMESTAMP, strict<converted<I, I>>, false, 1},
    {DATE, TIMESTAMP, strict<midnight>, true, 1},
    {DATE, LOCAL_TIMESTAMP, strict<midnight>, true, 2},
    {DATE, STRING, strict<as_text<I, date_to_text>>},
    {INTERVAL, STRING, strict<interval_text>},
    {BYTES, STRING, strict<bytes_as_text>},
    {JSON, STRING, strict<as_it_is>},
    // Farther than to double, which PostgreSQL prefers where a function is of both.
    {INT32, DECIMAL, as_decimal<I, of_int>, false, 4},
    {INT64, DECIMAL, as_decimal<I, of_int>, false, 3},
    {DOUBLE, DECIMAL, as_decimal<double, of_double>, true},
    {STRING, DECIMAL, text_as_decimal, true},
    {DECIMAL, DECIMAL, as_decimal<Decimal, of_decimal>},
    {DECIMAL, INT32, strict<decimal_as_int<int32_t>>, true},
    {DECIMAL, INT64, strict<decimal_as_int<int64_t>>, true},
    {DECIMAL, DOUBLE, strict<decimal_as_double>, false, 1},
    {DECIMAL, STRING, strict<decimal_text>},
}};

const Cast* find(Type from, Type to) {
  for (const Cast& each : kCasts) {
    if (each.from == from && each.to == to) return &each;
  }
  return nullptr;
}

}  // namespace

bool can_cast(proto::ColumnType from, proto::ColumnType to) { return find(from, to) != nullptr; }

bool cast_can_fail(proto::ColumnType from, proto::ColumnType to) {
  const Cast* cast = find(from, to);
  return cast != nullptr ? cast->can_fail : from != to;
}

std::optional<int> promotion_steps(proto::ColumnType from, proto::ColumnType to) {
  if (from == to) return 0;
  const Cast* cast = find(from, to);
  if (cast == nullptr || cast->promotes == 0) return std::nullopt;
  return cast->promotes;
}

std::optional<proto::ColumnType> common_type(proto::ColumnType a, proto::ColumnType b) {
  if (promotion_steps(a, b).has_value()) return b;
  if (promotion_steps(b, a).has_value()) return a;
  return std::nullopt;
}

CastKernel cast_kernel(proto::ColumnType from, proto::ColumnType to) {
  const Cast* cast = find(from, to);
  return cast == nullptr ? nullptr : cast->kernel;
}

}  // namespace tidemill
