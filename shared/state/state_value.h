// Keys and values of a state's SST files. docs/formats/snapshot.md draws them.
//
//   key     u16 table, u64 hash, both big-endian so that bytes sort as numbers do | entity key
//           the head has the key "", which sorts first
//   value   parts, one after another: u8 kind (1 run, 2 image) | varint bytes | body
//           run: a row run (shared/window/row_run.h) that comes after what is before it
//           image: the body of a key image (docs/formats/image.md), instead of what is before it
//
// So values are merged by putting one behind the other.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/base/result.h"
#include "shared/window/key_merger.h"

namespace tidemill {

inline constexpr std::string_view kHeadKey;

struct StateKeyView {
  uint16_t table = 0;
  uint64_t hash = 0;
  std::string_view key;
};

void encode_state_key(const StateKeyView& key, std::string* out);  // replaces *out
// False if the bytes are no key.
bool decode_state_key(std::string_view bytes, StateKeyView* out);

enum class PartKind : uint8_t { kRun = 1, kImage = 2 };

void put_part(PartKind kind, std::span<const uint8_t> body, std::string* out);

// A value of one part, encoded into its place: a hot key's is not copied.
class PartWriter {
 public:
  // What the body is to be appended to, before finish().
  ByteWriter* begin();
  // Valid until begin().
  std::string_view finish(PartKind kind);

 private:
  ByteWriter bytes_;
};

// How many rows the body of an image holds, and for one of which tiles are folded how many would be
// as large: what is in files is weighed by it.
uint64_t image_rows(std::span<const uint8_t> body);

// Brings the values of one key together; reused from key to key.
class ValueMerger {
 public:
  explicit ValueMerger(TableSchemas schemas) : merger_(std::move(schemas)) {}

  // Takes a key of `table` whose values are these, oldest first; rows below what `horizon` keeps
  // are left out or folded. False if nothing is left of it: its image has no rows then.
  Result<bool> merge(uint16_t table, TimeUs horizon, std::span<const std::string_view> values);
  // Appends the body of the key's image, once, while the values are still there; then nothing of
  // the key is held any more.
  void append_body(ByteWriter* out);

 private:
  struct Part {
    PartKind kind;
    std::span<const uint8_t> body;
  };

  Status collect(std::string_view value);

  KeyMerger merger_;
  std::vector<Part> parts_;
  bool as_it_is_ = false;  // the key's only part is its image
};

}  // namespace tidemill
