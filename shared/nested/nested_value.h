// Values of lists, structs and maps as bytes, everywhere: equal values are equal bytes. Format,
// drawn: docs/formats/nested.md. What is in them is found by their type; a value within another one
// is the same bytes as it is alone, so that a part is a part of the bytes.
//
// The reader is safe on hostile bytes: past the end it yields zeros and remembers the failure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shared/columns/column.h"
#include "shared/nested/nested_type.h"

namespace tidemill {

inline constexpr size_t kMaxNestedBytes = 64 << 10;    // of one value
inline constexpr uint32_t kMaxNestedItems = 64 << 10;  // of one list or map

class NestedInput {
 public:
  explicit NestedInput(std::string_view bytes) : rest_(bytes) {}

  // How many there are, and which of them are null: those have no bytes.
  struct Items {
    uint32_t count = 0;
    const char* null_bits = nullptr;  // null: none is
    bool is_null(uint32_t i) const {
      return null_bits != nullptr && (static_cast<uint8_t>(null_bits[i / 8]) >> (i % 8) & 1) != 0;
    }
  };

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  void fail() {
    ok_ = false;
    rest_ = {};
  }

  // Of a list: its elements follow. Of a map: for each entry the key, then the value.
  Items items();
  Items fields(size_t count);
  bool boolean();
  int64_t whole(ColumnType kind);
  double real();
  std::string_view text();  // strings, bytes, JSON, decimals
  // The bytes of the next value.
  std::string_view take(const NestedType& type);
  void skip(const NestedType& type) { skip(type, 0); }

 private:
  std::string_view raw(size_t size);
  uint32_t number();
  const char* bits(uint32_t count);
  void skip(const NestedType& type, int depth);

  std::string_view rest_;
  bool ok_ = true;
};

// Makes values. Whatever is put is an item of the list, struct or map begun last, or, if there is
// none, the value.
class NestedWriter {
 public:
  // Before each value.
  void clear();

  void begin_list() { begin(); }
  void begin_struct() { begin(); }
  void begin_map() { begin(); }  // keys and values alternately
  void end_list();
  void end_struct();
  // False if a key is there twice: `*twice` is its place among the entries.
  bool end_map(const NestedType& key, uint32_t* twice);

  void null();
  void boolean(bool value);
  void whole(ColumnType kind, int64_t value);
  void real(double value);
  void text(std::string_view value);
  void encoded(std::string_view bytes);  // a value as NestedInput::take() gives it

  // Valid until the next one begins.
  std::string_view value() const { return levels_[0].body; }

 private:
  struct Level {
    std::string body;
    std::vector<uint8_t> nulls;    // of each item
    std::vector<uint32_t> begins;  // of each item: where it begins in the body

    void clear() {
      body.clear();
      nulls.clear();
      begins.clear();
    }
  };

  void begin();
  Level end();
  void give_back(Level level);
  std::string& item(bool null);
  void put_items(const Level& level, uint32_t count, size_t step);

  std::vector<Level> levels_;  // [0] holds the outermost value
  size_t depth_ = 0;
  std::vector<uint32_t> order_;
};

// Whether bytes are a value of the type, and in the one form that there is.
bool is_nested_value(const NestedType& type, std::string_view bytes);

// An item as NestedInput::take() gives it, into row `row` of a column of its type's kind as
// expressions hold it (decimals are numbers); strings point into `bytes`.
void read_item(const NestedType& type, std::string_view bytes, Column* out, size_t row);
// Such a column's value as the next item. False: it has more digits than the type.
bool write_item(const NestedType& type, const Column& column, size_t row, NestedWriter* out);

// Of two scalars as NestedInput::take() gives them: < 0, 0 or > 0, as their values are.
int compare_keys(const NestedType& type, std::string_view a, std::string_view b);

}  // namespace tidemill
