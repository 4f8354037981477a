#include "shared/source/avro_codecs.h"

#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <memory>

namespace tidemill {
namespace {

constexpr size_t kPieceBytes = 256u << 10;
constexpr size_t kChecksumBytes = 4;  // behind snappy's data
constexpr int kRawWindow = -15;       // deflate without a header, the largest window

Error damaged(const std::string& codec) {
  return corrupt_error("its bytes are not valid " + codec + " data");
}

Error too_large() {
  return corrupt_error("it holds more than " + std::to_string(kMaxAvroBlockBytes >> 20) +
                       " MB; write smaller blocks");
}

struct InflateEnd {
  void operator()(z_stream* stream) const { ::inflateEnd(stream); }
};

Result<std::string> inflate_raw(std::string_view bytes) {
  z_stream stream{};
  if (::inflateInit2(&stream, kRawWindow) != Z_OK) return retryable_error("zlib has no memory");
  const std::unique_ptr<z_stream, InflateEnd> ended(&stream);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  size_t filled = 0;
  for (;;) {
    if (filled > kMaxAvroBlockBytes) return too_large();
    out.resize(filled + kPieceBytes);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
    stream.avail_out = kPieceBytes;
    const int code = ::inflate(&stream, Z_NO_FLUSH);
    filled += kPieceBytes - stream.avail_out;
    if (code == Z_STREAM_END) break;
    if (code != Z_OK) return damaged("deflate");
  }
  if (filled > kMaxAvroBlockBytes) return too_large();
  out.resize(filled);
  return out;
}

Result<std::string> unsnap(std::string_view bytes) {
  size_t size = 0;
  if (bytes.size() < kChecksumBytes) return damaged("snappy");
  const std::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  if (!snappy::GetUncompressedLength(body.data(), body.size(), &size)) return damaged("snappy");
  if (size > kMaxAvroBlockBytes) return too_large();
  std::string out(size, '\0');
  if (!snappy::RawUncompress(body.data(), body.size(), out.data())) return damaged("snappy");
  uint32_t stored = 0;
  for (const char byte : bytes.substr(body.size())) {
    stored = stored << 8 | static_cast<uint8_t>(byte);
  }
  const auto found =
      ::crc32(0, reinterpret_cast<const Bytef*>(out.data()), static_cast<uInt>(out.size()));
  if (stored != static_cast<uint32_t>(found)) return corrupt_error("its checksum is wrong");
  return out;
}

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

Result<std::string> unzstd(std::string_view bytes) {
  const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  if (!context) return retryable_error("zstd has no memory");
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  std::string out;
  size_t filled = 0;
  size_t left = 1;  // of a frame: 0 behind its end
  while (in.pos < in.size || left != 0) {
    if (filled > kMaxAvroBlockBytes) return too_large();
    out.resize(filled + kPieceBytes);
    ZSTD_outBuffer to{out.data() + filled, kPieceBytes, 0};
    left = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(left) != 0) return damaged("zstandard");
    filled += to.pos;
    if (to.pos == 0 && in.pos == in.size && left != 0) return damaged("zstandard");
  }
  if (filled > kMaxAvroBlockBytes) return too_large();
  out.resize(filled);
  return out;
}

}  // namespace

std::optional<AvroCodec> avro_codec(std::string_view name) {
  if (name.empty() || name == "null") return AvroCodec::kNull;
  if (name == "deflate") return AvroCodec::kDeflate;
  if (name == "snappy") return AvroCodec::kSnappy;
  if (name == "zstandard") return AvroCodec::kZstandard;
  return std::nullopt;
}

Result<std::string> decompress_avro(AvroCodec codec, std::string_view bytes) {
  switch (codec) {
    case AvroCodec::kNull:
      return std::string(bytes);
    case AvroCodec::kDeflate:
      return inflate_raw(bytes);
    case AvroCodec::kSnappy:
      return unsnap(bytes);
    case AvroCodec::kZstandard:
      return unzstd(bytes);
  }
  return corrupt_error("its codec is not known");
}

}  // namespace tidemill
