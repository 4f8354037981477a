// Avro object container files: a header with the schema, then blocks of records, each closed by the
// file's sync marker. https://avro.apache.org/docs/1.11.1/specification/#object-container-files
//
// Blocking. Failure: what cannot be read now, as a file that is cut off, is kUser; a block whose
// bytes are not where they should be is kCorrupt. A block that is whole but cannot be decompressed
// is none: `fault` says so, and reading can go on behind it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "shared/base/result.h"
#include "shared/schema/avro_schema.h"
#include "shared/source/avro_codecs.h"
#include "shared/source/file_text.h"

namespace tidemill {

inline constexpr size_t kAvroSyncBytes = 16;
// The number of a record in its block has so many bits of its offset.
inline constexpr int kAvroIndexBits = 20;
inline constexpr uint64_t kMaxAvroBlockRecords = (uint64_t{1} << kAvroIndexBits) - 1;
inline constexpr uint64_t kMaxAvroFileBytes = uint64_t{1} << (63 - kAvroIndexBits);

struct AvroHeader {
  std::shared_ptr<const AvroSchema> schema;
  AvroCodec codec{};
  std::array<char, kAvroSyncBytes> sync{};
  uint64_t size = 0;  // where the first block begins
};

struct AvroBlock {
  uint64_t begin = 0;  // in the file
  uint64_t next = 0;   // where the next one begins
  uint64_t records = 0;
  std::shared_ptr<const std::string> data;  // decompressed
  std::string fault;                        // it cannot be decompressed
};

Result<AvroHeader> read_avro_header(FileText* text);
// The block at `begin`, which is before the text's end.
Result<AvroBlock> read_avro_block(FileText* text, const AvroHeader& header, uint64_t begin);
// Whether a block may begin at `begin`: the marker is before it.
Result<bool> avro_block_begins(FileText* text, const AvroHeader& header, uint64_t begin);

}  // namespace tidemill
