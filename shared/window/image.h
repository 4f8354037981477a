// Images: one key as bytes: its rows in canonical order, its folded tiles, and its base summary.
// Keys of equal rows make equal bytes, however the rows arrived. Format: docs/formats/image.md.
#pragma once

#include <string_view>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/base/result.h"
#include "shared/window/base_summary.h"
#include "shared/window/folded_image.h"
#include "shared/window/row_codec.h"
#include "shared/window/row_log.h"

namespace tidemill {

inline constexpr uint8_t kImageVersion = 2;

void encode_image_head(uint16_t table, uint64_t hash, std::string_view key, ByteWriter* out);
inline size_t image_head_bytes(std::string_view key) { return 1 + 2 + 8 + 4 + key.size(); }
// Then its body: the rows at or after the context's limit, with the tiles that are folded, and if
// the table has lifetime windows the base summary. Rows before the limit are encoded as if they had
// been folded or freed, whether they have or not. The log is settled.
void encode_image_body(const LogContext& context, const RowLog& log, ByteWriter* out);

// A decoded image; `key` and the strings point into the reader's bytes.
class KeyImage {
 public:
  // Reads one image and checks all of it; on failure the reader's position means nothing. A table
  // without lifetime windows has an empty plan.
  static Result<KeyImage> decode(const std::vector<TableSchema>& schemas,
                                 const std::vector<BasePlan>& plans, ByteReader* in);
  // Reads the body of an image of a key of `table`, which is one of `schemas`.
  static Result<KeyImage> decode_body(const std::vector<TableSchema>& schemas,
                                      const std::vector<BasePlan>& plans, uint16_t table,
                                      ByteReader* in);

  // Replaces what the log holds. Once only.
  void fill(const LogContext& context, RowLog* log);

  uint16_t table() const { return table_; }
  uint64_t hash() const { return hash_; }
  std::string_view key() const { return key_; }
  const RowsImage& rows() const { return rows_; }

 private:
  Status take_body(const TableSchema& schema, const BasePlan& plan, ByteReader* in);

  uint16_t table_ = 0;
  uint64_t hash_ = 0;
  std::string_view key_;
  FoldedImage folded_;
  RowsImage rows_;
  BaseImage base_;
};

}  // namespace tidemill
