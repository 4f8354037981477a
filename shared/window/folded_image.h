// Folded tiles of one key as bytes; a part of key images (docs/formats/image.md).
#pragma once

#include <vector>

#include "shared/base/bytes.h"
#include "shared/base/result.h"
#include "shared/window/folded_tiles.h"

namespace tidemill {

// What the body of an image begins with if tiles are folded, instead of a number of rows.
inline constexpr uint32_t kFoldedMark = UINT32_MAX;

// The tiles from `from` on; nothing if there are none.
void encode_folded(const ChunkLayout& layout, const FoldedTiles& tiles, int64_t from,
                   ByteWriter* out);

// Decoded tiles; strings of rows point into the reader's bytes.
class FoldedImage {
 public:
  // Whether encode_folded() has written something here.
  static bool begins(ByteReader in) { return in.get<uint32_t>() == kFoldedMark && in.ok(); }

  // `plan` is the table's; leaves that were made for others keep those. kCorrupt: the bytes are not
  // what encode_folded() writes.
  Status decode(const std::shared_ptr<const LeafPlan>& plan, const TableSchema& schema,
                ByteReader* in);
  bool any() const { return !tiles_.empty(); }
  // Leaves nothing in the image.
  FoldedTiles restore(const FoldContext& context);

 private:
  struct LeafImage {
    int64_t number = 0;
    TimeSpan times;
    uint64_t rows = 0;
    std::vector<TimeSpan> sessions;
    BaseImage summary;
  };
  struct TileImage {
    std::shared_ptr<const LeafPlan> plan;
    int64_t number = 0;
    int shift = 0;
    std::vector<LeafImage> leaves;
  };

  using Plans = std::vector<std::shared_ptr<const LeafPlan>>;

  static bool decode_plans(const std::shared_ptr<const LeafPlan>& own, const TableSchema& schema,
                           ByteReader* in, Plans* out);
  static bool decode_tile(const Plans& plans, const TableSchema& schema, ByteReader* in,
                          TileImage* out);
  static bool decode_leaf(const LeafPlan& plan, const TableSchema& schema, int shift,
                          ByteReader* in, LeafImage* out);

  std::vector<TileImage> tiles_;
};

}  // namespace tidemill
