#include "shared/source/avro_container.h"

#include <algorithm>
#include <cstring>

#include "shared/base/utf8.h"
#include "shared/schema/schema_limits.h"
#include "shared/source/avro_input.h"

namespace tidemill {
namespace {

constexpr std::string_view kMagic{"Obj\x01", 4};
constexpr size_t kMaxHeaderBytes = kMaxSchemaBytes + (1u << 20);
constexpr size_t kMaxEntries = 10'000;     // of the header's map
constexpr size_t kMaxBlockHeadBytes = 20;  // two numbers

// Of numbers and bytes alone, which no schema says anything about.
const AvroSchema& no_schema() {
  static const auto schema = AvroSchema::parse("null").value();
  return *schema;
}

Error cut_off() {
  return user_error(
      "it was cut off, or is still being written: an Avro file is read when it is "
      "complete");
}

// Up to `bytes` at `offset`; fewer at the end of the text.
Result<std::string> read_up_to(FileText* text, uint64_t offset, size_t bytes) {
  std::string out(bytes, '\0');
  size_t filled = 0;
  while (filled < bytes) {
    const auto got = text->read(offset + filled, out.data() + filled, bytes - filled);
    if (!got.ok()) return got.error();
    if (*got == 0) break;
    filled += *got;
  }
  out.resize(filled);
  return out;
}

struct Metadata {
  std::string schema;
  std::string codec;
};

// False if the bytes are no map of bytes.
bool read_metadata(AvroInput* in, Metadata* out) {
  size_t entries = 0;
  for (;;) {
    int64_t count = in->number();
    if (count < 0) {
      in->number();  // the block's size
      if (count == INT64_MIN) return false;
      count = -count;
    }
    if (count == 0) return in->ok();
    for (; count > 0 && in->ok(); --count) {
      if (++entries > kMaxEntries) return false;
      const std::string_view key = in->bytes();
      const std::string_view value = in->bytes();
      if (key == "avro.schema") out->schema = value;
      if (key == "avro.codec") out->codec = value;
    }
    if (!in->ok()) return false;
  }
}

}  // namespace

Result<AvroHeader> read_avro_header(FileText* text) {
  const size_t bytes = std::min<uint64_t>(text->end(), kMaxHeaderBytes);
  const auto head = read_up_to(text, 0, bytes);
  if (!head.ok()) return head.error();
  if (!head->starts_with(kMagic.substr(0, std::min(head->size(), kMagic.size())))) {
    return user_error("this is no Avro file: it does not begin with 'Obj' and a byte 1");
  }
  if (text->end() > kMaxAvroFileBytes) {
    return user_error("the file is larger than " + std::to_string(kMaxAvroFileBytes >> 40) +
                      " TB; split it");
  }
  if (head->size() < kMagic.size()) return cut_off();
  AvroInput in(no_schema(), std::string_view(*head).substr(kMagic.size()));
  Metadata metadata;
  const bool read = read_metadata(&in, &metadata);
  AvroHeader header;
  const std::string_view sync = read ? in.take(kAvroSyncBytes) : std::string_view();
  if (!in.ok() || sync.size() != kAvroSyncBytes) {
    if (head->size() < kMaxHeaderBytes) return cut_off();
    return user_error("the file's header is larger than " + std::to_string(kMaxHeaderBytes) +
                      " bytes; make its schema smaller");
  }
  std::copy(sync.begin(), sync.end(), header.sync.begin());
  header.size = kMagic.size() + in.used();
  const auto codec = avro_codec(metadata.codec);
  if (!codec) {
    return user_error("its blocks are compressed by '" + printable(metadata.codec, 40) +
                      "'; write it with null, deflate, snappy or zstandard");
  }
  header.codec = *codec;
  auto schema = AvroSchema::parse(metadata.schema);
  if (!schema.ok()) return schema.error().within("the schema in its header");
  header.schema = std::move(*schema);
  return header;
}

Result<bool> avro_block_begins(FileText* text, const AvroHeader& header, uint64_t begin) {
  if (begin < header.size) return false;
  const auto before = read_up_to(text, begin - kAvroSyncBytes, kAvroSyncBytes);
  if (!before.ok()) return before.error();
  return before->size() == kAvroSyncBytes &&
         std::equal(before->begin(), before->end(), header.sync.begin());
}

Result<AvroBlock> read_avro_block(FileText* text, const AvroHeader& header, uint64_t begin) {
  const auto at = [&](const std::string& what) {
    return corrupt_error("the block at byte " + std::to_string(begin) + " " + what);
  };
  const auto head = read_up_to(text, begin, kMaxBlockHeadBytes);
  if (!head.ok()) return head.error();
  AvroInput in(no_schema(), *head);
  const int64_t records = in.number();
  const int64_t bytes = in.number();
  if (!in.ok() && head->size() < kMaxBlockHeadBytes) return cut_off();
  if (!in.ok() || records < 0 || bytes < 0) return at("is damaged: its head makes no sense");
  if (static_cast<uint64_t>(records) > kMaxAvroBlockRecords) {
    return at("has " + std::to_string(records) + " records, above the " +
              std::to_string(kMaxAvroBlockRecords) + " that can be read; write smaller blocks");
  }
  if (static_cast<uint64_t>(bytes) > kMaxAvroBlockBytes) {
    return at("has " + std::to_string(bytes) + " bytes, above the " +
              std::to_string(kMaxAvroBlockBytes) + " that can be read; write smaller blocks");
  }
  AvroBlock block;
  block.begin = begin;
  block.records = static_cast<uint64_t>(records);
  const auto size = static_cast<size_t>(bytes);
  auto body = read_up_to(text, begin + in.used(), size + kAvroSyncBytes);
  if (!body.ok()) return body.error();
  if (body->size() < size + kAvroSyncBytes) return cut_off();
  block.next = begin + in.used() + size + kAvroSyncBytes;
  if (!std::equal(header.sync.begin(), header.sync.end(),
                  body->begin() + static_cast<long>(size))) {
    return at("is damaged: the file's marker is not behind it");
  }
  body->resize(size);
  auto data =
      header.codec == AvroCodec::kNull ? std::move(body) : decompress_avro(header.codec, *body);
  if (data.ok()) {
    block.data = std::make_shared<const std::string>(std::move(*data));
  } else if (data.error().code() == ErrorCode::kCorrupt) {
    block.fault = data.error().message();
    block.data = std::make_shared<const std::string>();
  } else {
    return data.error();
  }
  return block;
}

}  // namespace tidemill
