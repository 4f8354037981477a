#include "shared/window/image.h"

namespace tidemill {

void encode_image_head(uint16_t table, uint64_t hash, std::string_view key, ByteWriter* out) {
  out->put(kImageVersion);
  out->put(table);
  out->put(hash);
  out->put_string(key);
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
  const TableSchema& schema = schemas[image.table_];
  if (Status rows = image.rows_.decode(schema, in); !rows) {
    return rows.error().within("key image");
  }
  const BasePlan& plan = plans[image.table_];
  if (!plan.empty() && !image.base_.decode(plan, schema, in)) {
    return corrupt_error("key image: its base summary is not one of this job's");
  }
  return image;
}

}  // namespace tidemill
