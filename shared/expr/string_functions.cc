#include <algorithm>
#include <limits>

#include "shared/expr/functions.h"
#include "shared/expr/text_hash.h"
#include "shared/expr/utf8_text.h"

namespace tidemill {
namespace {

using View = std::string_view;
using proto::BOOL;
using proto::BYTES;
using proto::INT32;
using proto::INT64;
using proto::STRING;

constexpr RowFault kTooLong{"54000", "the result is longer than 1 MiB"};
constexpr RowFault kNegativeLength{"22011", "negative substring length"};
constexpr RowFault kFieldZero{"22023", "the field's number must not be zero"};

const RowFault* lower(Text* out, View text) {
  out->value = with_case(text, LetterCase::kLower, out->arena);
  return nullptr;
}
const RowFault* upper(Text* out, View text) {
  out->value = with_case(text, LetterCase::kUpper, out->arena);
  return nullptr;
}
const RowFault* initcap(Text* out, View text) {
  out->value = with_case(text, LetterCase::kInitial, out->arena);
  return nullptr;
}

const RowFault* length(int64_t* out, View text) {
  *out = character_count(text);
  return nullptr;
}
const RowFault* octet_length(int64_t* out, View text) {
  *out = static_cast<int64_t>(text.size());
  return nullptr;
}

// Characters `from` to `end` (not with it), from 1.
View characters(View text, int64_t from, int64_t end) {
  from = std::max<int64_t>(from, 1);
  if (end <= from) return {};
  text.remove_prefix(bytes_of_characters(text, from - 1));
  return text.substr(0, bytes_of_characters(text, end - from));
}

const RowFault* substring_from(Text* out, View text, int64_t from) {
  out->value = characters(text, from, std::numeric_limits<int64_t>::max());
  return nullptr;
}
const RowFault* substring(Text* out, View text, int64_t from, int64_t count) {
  if (count < 0) return &kNegativeLength;
  out->value = characters(text, from, from + count);
  return nullptr;
}

const RowFault* left(Text* out, View text, int64_t count) {
  if (count < 0) count = std::max<int64_t>(character_count(text) + count, 0);
  out->value = text.substr(0, bytes_of_characters(text, count));
  return nullptr;
}
const RowFault* right(Text* out, View text, int64_t count) {
  // PostgreSQL's least int32 has no opposite there, and drops nothing.
  if (count == std::numeric_limits<int32_t>::min()) count = 0 - count;
  const int64_t drop = count < 0 ? -count : std::max<int64_t>(character_count(text) - count, 0);
  out->value = text.substr(bytes_of_characters(text, drop));
  return nullptr;
}

bool is_among(View character, View set) {
  while (!set.empty()) {
    const size_t n = first_character(set);
    if (set.substr(0, n) == character) return true;
    set.remove_prefix(n);
  }
  return false;
}
View without_front(View text, View set) {
  while (!text.empty() && is_among(text.substr(0, first_character(text)), set)) {
    text.remove_prefix(first_character(text));
  }
  return text;
}
View without_back(View text, View set) {
  while (!text.empty() && is_among(text.substr(last_character(text)), set)) {
    text = text.substr(0, last_character(text));
  }
  return text;
}
const RowFault* ltrim_set(Text* out, View text, View set) {
  out->value = without_front(text, set);
  return nullptr;
}
const RowFault* rtrim_set(Text* out, View text, View set) {
  out->value = without_back(text, set);
  return nullptr;
}
const RowFault* btrim_set(Text* out, View text, View set) {
  out->value = without_back(without_front(text, set), set);
  return nullptr;
}
const RowFault* ltrim(Text* out, View text) { return ltrim_set(out, text, " "); }
const RowFault* rtrim(Text* out, View text) { return rtrim_set(out, text, " "); }
const RowFault* btrim(Text* out, View text) { return btrim_set(out, text, " "); }

const RowFault* strpos(int64_t* out, View text, View part) {
  const size_t at = text.find(part);
  *out = at == View::npos ? 0 : character_count(text.substr(0, at)) + 1;
  return nullptr;
}
const RowFault* starts_with(uint8_t* out, View text, View prefix) {
  *out = text.starts_with(prefix) ? 1 : 0;
  return nullptr;
}

const RowFault* replace(Text* out, View text, View from, View to) {
  size_t found = 0;
  if (!from.empty()) {
    for (size_t at = text.find(from); at != View::npos; at = text.find(from, at + from.size())) {
      ++found;
    }
  }
  out->value = text;
  if (found == 0) return nullptr;
  const size_t size = text.size() - found * from.size() + found * to.size();
  if (size > kMaxTextBytes) return &kTooLong;
  char* const begin = out->arena->take(size);
  char* put = begin;
  size_t done = 0;
  for (size_t at = text.find(from); at != View::npos; at = text.find(from, done)) {
    put = std::copy(text.data() + done, text.data() + at, put);
    put = std::copy(to.begin(), to.end(), put);
    done = at + from.size();
  }
  std::copy(text.data() + done, text.data() + text.size(), put);
  out->value = {begin, size};
  return nullptr;
}

// Each character of `from` becomes the one at its place in `to`, or nothing if that is shorter.
const RowFault* translate(Text* out, View text, View from, View to) {
  const size_t room = text.size() * 4;
  if (room > 4 * kMaxTextBytes) return &kTooLong;
  char* const begin = out->arena->take(room);
  char* put = begin;
  while (!text.empty()) {
    const View character = text.substr(0, first_character(text));
    text.remove_prefix(character.size());
    View in = from;
    View replacement = to;
    while (!in.empty() && in.substr(0, first_character(in)) != character) {
      in.remove_prefix(first_character(in));
      replacement.remove_prefix(first_character(replacement));
    }
    const View with = in.empty() ? character : replacement.substr(0, first_character(replacement));
    if (with.size() > 4) return &kTooLong;
    put = std::copy(with.begin(), with.end(), put);
  }
  const auto size = static_cast<size_t>(put - begin);
  out->arena->give_back(room - size);
  out->value = {begin, size};
  return nullptr;
}

const RowFault* split_part(Text* out, View text, View separator, int64_t field) {
  if (field == 0) return &kFieldZero;
  if (separator.empty()) {
    if (field == 1 || field == -1) out->value = text;
    return nullptr;
  }
  if (field > 0) {
    for (; field > 1; --field) {
      const size_t at = text.find(separator);
      if (at == View::npos) return nullptr;
      text.remove_prefix(at + separator.size());
    }
    out->value = text.substr(0, text.find(separator));
    return nullptr;
  }
  // From the end is counted in the separators that are found from the front.
  int64_t fields = 1;
  for (size_t at = text.find(separator); at != View::npos;
       at = text.find(separator, at + separator.size())) {
    ++fields;
  }
  if (fields + field < 0) return nullptr;
  return split_part(out, text, separator, fields + field + 1);
}

const RowFault* joined(Text* out, View a, View b) {
  if (a.size() + b.size() > kMaxTextBytes) return &kTooLong;
  char* begin = out->arena->take(a.size() + b.size());
  std::copy(b.begin(), b.end(), std::copy(a.begin(), a.end(), begin));
  out->value = {begin, a.size() + b.size()};
  return nullptr;
}

// The arguments from `first` on that are not null, with args[0] between them if first is 1.
void join_all(const Call& call, size_t first) {
  call.rows.each([&](uint32_t i) {
    call.out->strings[i] = {};
    call.out->nulls[i] = first == 1 ? call.args[0]->nulls[i] : 0;
    if (call.out->nulls[i] != 0) return;
    const View between = first == 1 ? call.args[0]->strings[i] : View();
    size_t size = 0;
    size_t pieces = 0;
    for (const Column* arg : call.args.subspan(first)) {
      if (arg->nulls[i] == 0) size += arg->strings[i].size() + (pieces++ > 0 ? between.size() : 0);
    }
    if (size > kMaxTextBytes) return call.fail(i, kTooLong);
    char* const begin = call.arena->take(size);
    char* put = begin;
    pieces = 0;
    for (const Column* arg : call.args.subspan(first)) {
      if (arg->nulls[i] != 0) continue;
      if (pieces++ > 0) put = std::copy(between.begin(), between.end(), put);
      put = std::copy(arg->strings[i].begin(), arg->strings[i].end(), put);
    }
    call.out->strings[i] = {begin, size};
  });
}
void concat(const Call& call) { join_all(call, 0); }
void concat_ws(const Call& call) { join_all(call, 1); }

const RowFault* repeat(Text* out, View text, int64_t times) {
  times = std::max<int64_t>(times, 0);
  if (text.empty() || times == 0) return nullptr;
  if (static_cast<uint64_t>(times) > kMaxTextBytes / text.size()) return &kTooLong;
  const size_t size = text.size() * static_cast<size_t>(times);
  char* const begin = out->arena->take(size);
  for (size_t at = 0; at < size; at += text.size()) std::copy(text.begin(), text.end(), begin + at);
  out->value = {begin, size};
  return nullptr;
}

const RowFault* reverse(Text* out, View text) {
  char* const begin = out->arena->take(text.size());
  char* put = begin + text.size();
  out->value = {begin, text.size()};
  while (!text.empty()) {
    const size_t n = first_character(text);
    put -= n;
    std::copy_n(text.data(), n, put);
    text.remove_prefix(n);
  }
  return nullptr;
}

// `text` cut to, or filled up to, `length` characters, with the fill before or behind it.
const RowFault* padded(Text* out, View text, int64_t length, View fill, bool before) {
  length = std::max<int64_t>(length, 0);
  text = text.substr(0, bytes_of_characters(text, length));
  const int64_t missing = fill.empty() ? 0 : length - character_count(text);
  out->value = text;
  if (missing == 0) return nullptr;
  if (missing > static_cast<int64_t>(kMaxTextBytes)) return &kTooLong;
  const int64_t whole = missing / character_count(fill);
  const size_t rest = bytes_of_characters(fill, missing % character_count(fill));
  const size_t pad = static_cast<size_t>(whole) * fill.size() + rest;
  if (text.size() + pad > kMaxTextBytes) return &kTooLong;
  char* const begin = out->arena->take(text.size() + pad);
  char* put = before ? begin : std::copy(text.begin(), text.end(), begin);
  for (int64_t k = 0; k < whole; ++k) put = std::copy(fill.begin(), fill.end(), put);
  put = std::copy_n(fill.data(), rest, put);
  if (before) std::copy(text.begin(), text.end(), put);
  out->value = {begin, text.size() + pad};
  return nullptr;
}
const RowFault* lpad_with(Text* out, View text, int64_t length, View fill) {
  return padded(out, text, length, character_count(fill) == 0 ? View() : fill, true);
}
const RowFault* rpad_with(Text* out, View text, int64_t length, View fill) {
  return padded(out, text, length, character_count(fill) == 0 ? View() : fill, false);
}
const RowFault* lpad(Text* out, View text, int64_t length) {
  return padded(out, text, length, " ", true);
}
const RowFault* rpad(Text* out, View text, int64_t length) {
  return padded(out, text, length, " ", false);
}

const RowFault* md5(Text* out, View text) {
  char* begin = out->arena->take(32);
  md5_digits(text, begin);
  out->value = {begin, 32};
  return nullptr;
}
const RowFault* hash(int64_t* out, View text, int64_t seed) {
  *out = lookup3_hash(text, seed);
  return nullptr;
}

}  // namespace

std::span<const SqlFunction> string_functions() {
  static const std::vector<SqlFunction> all = {
      {"||", {STRING, STRING}, STRING, strict<joined>, true, "both, one behind the other"},
      {"concat", {STRING}, STRING, concat, true, "all that are not null", true},
      {"concat_ws",
       {STRING, STRING},
       STRING,
       concat_ws,
       true,
       "all that are not null, with the first between them",
       true},
      {"lower", {STRING}, STRING, strict<lower>, false, "in small letters"},
      {"upper", {STRING}, STRING, strict<upper>, false, "in capital letters"},
      {"initcap", {STRING}, STRING, strict<initcap>, false, "each word with a capital letter"},
      {"length", {STRING}, INT32, strict<length>, false, "number of characters"},
      {"length", {BYTES}, INT32, strict<octet_length>, false, "number of bytes"},
      {"char_length", {STRING}, INT32, strict<length>, false, "number of characters"},
      {"character_length", {STRING}, INT32, strict<length>, false, "number of characters"},
      {"octet_length", {STRING}, INT32, strict<octet_length>, false, "number of bytes"},
      {"octet_length", {BYTES}, INT32, strict<octet_length>, false, "number of bytes"},
      {"substring",
       {STRING, INT32},
       STRING,
       strict<substring_from>,
       false,
       "from that character on, counted from 1; also `substring(s from i)`"},
      {"substring",
       {STRING, INT32, INT32},
       STRING,
       strict<substring>,
       true,
       "so many characters; also `substring(s from i for n)`"},
      {"substr", {STRING, INT32}, STRING, strict<substring_from>, false, "as substring"},
      {"substr", {STRING, INT32, INT32}, STRING, strict<substring>, true, "as substring"},
      {"left",
       {STRING, INT32},
       STRING,
       strict<left>,
       false,
       "the first characters; without the last if negative"},
      {"right",
       {STRING, INT32},
       STRING,
       strict<right>,
       false,
       "the last characters; without the first if negative"},
      {"ltrim", {STRING}, STRING, strict<ltrim>, false, "without leading spaces"},
      {"ltrim",
       {STRING, STRING},
       STRING,
       strict<ltrim_set>,
       false,
       "without leading characters of a set; also `trim(leading set from s)`"},
      {"rtrim", {STRING}, STRING, strict<rtrim>, false, "without trailing spaces"},
      {"rtrim",
       {STRING, STRING},
       STRING,
       strict<rtrim_set>,
       false,
       "without trailing characters of a set; also `trim(trailing set from s)`"},
      {"btrim", {STRING}, STRING, strict<btrim>, false, "without both; also `trim(s)`"},
      {"btrim", {STRING, STRING}, STRING, strict<btrim_set>, false, "also `trim(set from s)`"},
      {"strpos",
       {STRING, STRING},
       INT32,
       strict<strpos>,
       false,
       "where the second begins in the first, from 1; 0 if nowhere; also `position(part in s)`"},
      {"starts_with",
       {STRING, STRING},
       BOOL,
       strict<starts_with>,
       false,
       "whether the first begins with the second"},
      {"replace",
       {STRING, STRING, STRING},
       STRING,
       strict<replace>,
       true,
       "each occurrence of the second replaced by the third"},
      {"translate",
       {STRING, STRING, STRING},
       STRING,
       strict<translate>,
       true,
       "characters of the second replaced by those of the third"},
      {"split_part",
       {STRING, STRING, INT32},
       STRING,
       strict<split_part>,
       true,
       "the n-th field between separators, from the end if negative"},
      {"repeat", {STRING, INT32}, STRING, strict<repeat>, true, "so many times"},
      {"reverse", {STRING}, STRING, strict<reverse>, false, "characters in opposite order"},
      {"lpad", {STRING, INT32}, STRING, strict<lpad>, true, "spaces before, or cut"},
      {"lpad", {STRING, INT32, STRING}, STRING, strict<lpad_with>, true, "filled before, or cut"},
      {"rpad", {STRING, INT32}, STRING, strict<rpad>, true, "spaces behind, or cut"},
      {"rpad", {STRING, INT32, STRING}, STRING, strict<rpad_with>, true, "filled behind, or cut"},
      {"md5", {STRING}, STRING, strict<md5>, false, "MD5 in hexadecimal digits"},
      {"md5", {BYTES}, STRING, strict<md5>, false, "MD5 in hexadecimal digits"},
      {"hashtextextended",
       {STRING, INT64},
       INT64,
       strict<hash>,
       false,
       "a hash of 64 bits, with a seed"},
  };
  return all;
}

}  // namespace tidemill
