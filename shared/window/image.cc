#include "shared/window/image.h"

namespace tidemill {

void encode_image_head(uint16_t table, uint64_t hash, std::string_view key, ByteWriter* out) {
  out->put(kImageVersion);
  out->put(table);
  out->put(hash);
  out->put_string(key);
}

void encode_image_body(const LogContext& context, const RowLog& log, ByteWriter* out) {
  std::vector<LeafSummary> expired_leaves;
  if (log.folded() != nullptr) {
    const int64_t kept = context.leaves->bound.tile_of(context.limit);
    encode_folded(context.layout, *log.folded(), kept, out);
    for (const FoldedTile& tile : log.folded()->all()) {
      if (tile.number() >= kept) break;
      for (const auto& leaf : tile.leaves())
        expired_leaves.push_back({&tile.plan().parts, &leaf->summary});
    }
  }
  std::vector<RowRef> rows;
  log.collect(context, &rows);
  encode_rows(context.layout, rows, out);
  if (context.base == nullptr) return;
  std::vector<ChunkRows> expired;
  log.collect_expired(context, &expired);
  encode_base(*context.base, context.layout, log.base(), expired, expired_leaves, out);
}

Result<KeyImage> KeyImage::decode(const std::vector<TableSchema>& schemas,
                                  const std::vector<BasePlan>& plans, ByteReader* in) {
  KeyImage image;
  const auto version = in->get<uint8_t>();
  if (in->ok() && version != kImageVersion) {
    return corrupt_error("key image: version " + std::to_string(version) + ", this build reads " +
                         std::to_string(kImageVersion));
  }
  image.table_ = in->get<uint16_t>();
  image.hash_ = in->get<uint64_t>();
  image.key_ = in->get_string();
  if (!in->ok()) return corrupt_error("key image: shorter than its header");
  if (image.table_ >= schemas.size()) {
    return corrupt_error("key image: table " + std::to_string(image.table_) + ", the job has " +
                         std::to_string(schemas.size()));
  }
  Status body = image.take_body(schemas[image.table_], plans[image.table_], in);
  if (!body) return body.error();
  return image;
}

Result<KeyImage> KeyImage::decode_body(const std::vector<TableSchema>& schemas,
                                       const std::vector<BasePlan>& plans, uint16_t table,
                                       ByteReader* in) {
  KeyImage image;
  image.table_ = table;
  Status body = image.take_body(schemas[table], plans[table], in);
  if (!body) return body.error();
  return image;
}

Status KeyImage::take_body(const TableSchema& schema, const BasePlan& plan, ByteReader* in) {
  if (FoldedImage::begins(*in)) {
    if (plan.leaves == nullptr) {
      return corrupt_error("key image: folded tiles of a table that has no bound");
    }
    if (Status folded = folded_.decode(plan.leaves, schema, in); !folded) {
      return folded.error().within("key image");
    }
  }
  if (Status rows = rows_.decode(schema, in); !rows) return rows.error().within("key image");
  if (!plan.empty() && !base_.decode(plan, schema, in)) {
    return corrupt_error("key image: its base summary is not one of this job's");
  }
  return {};
}

void KeyImage::fill(const LogContext& context, RowLog* log) {
  log->clear(context);
  if (base_.any) {
    log->restore_base(context, base_.restore(*context.base, context.layout, &context.stats->bytes));
  }
  if (folded_.any()) log->restore_folded(context, folded_.restore(context.fold()));
  for (uint32_t r = 0; r < rows_.rows(); ++r) {
    const RowInput row = rows_.row(r);
    if (row.time >= context.limit || context.base != nullptr) log->append(context, row);
  }
  log->settle(context);
}

}  // namespace tidemill
