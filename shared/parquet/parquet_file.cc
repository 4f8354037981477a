#include "shared/parquet/parquet_file.h"

#include <dlfcn.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "shared/base/hash.h"
#include "shared/parquet/parquet_footer.h"
#include "shared/parquet/parquet_library.h"

namespace tidemill {
namespace {

constexpr std::string_view kMagic = "PAR1";
constexpr std::string_view kEncryptedMagic = "PARE";
constexpr size_t kTailBytes = 8;  // u32 size of the footer, magic

// It lies in ../lib beside the program, and what it needs beside it.
Result<const ParquetLibrary*> load_library() {
  std::error_code ec;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ec);
  const auto path = (program.parent_path().parent_path() / "lib" / kParquetLibraryFile).string();
  void* const handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* const why = ::dlerror();
    return fatal_error("the library for Parquet files cannot be loaded: " +
                       std::string(why != nullptr ? why : path) +
                       "; it belongs into 'lib' beside the directory of the programs");
  }
  void* const symbol = ::dlsym(handle, kParquetLibrarySymbol);
  if (symbol == nullptr) return fatal_error(path + " is not the library for Parquet files");
  return reinterpret_cast<ParquetLibraryFunction*>(symbol)();
}

const Result<const ParquetLibrary*>& library() {
  static const Result<const ParquetLibrary*> loaded = load_library();
  return loaded;
}

Error cut_off() {
  return user_error(
      "it was cut off, or is still being written: a Parquet file is read when it is complete");
}

}  // namespace

Result<uint64_t> check_parquet(ParquetInput* file) {
  std::array<char, kMagic.size()> head{};
  std::array<char, kTailBytes> tail{};
  const uint64_t size = file->size();
  if (size < head.size()) return cut_off();
  if (Status read = file->read(0, head.data(), head.size()); !read) return read.error();
  const std::string_view begin(head.data(), head.size());
  if (begin == kEncryptedMagic) {
    return user_error("its footer is encrypted; write it without encryption");
  }
  if (begin != kMagic) return user_error("this is no Parquet file: it does not begin with 'PAR1'");
  if (size < head.size() + tail.size()) return cut_off();
  if (Status read = file->read(size - tail.size(), tail.data(), tail.size()); !read) {
    return read.error();
  }
  if (std::string_view(tail.data() + 4, kMagic.size()) != kMagic) return cut_off();
  uint32_t footer = 0;
  std::memcpy(&footer, tail.data(), sizeof footer);
  if (footer == 0 || footer > size - head.size() - tail.size()) {
    return corrupt_error("its footer is damaged: it cannot have " + std::to_string(footer) +
                         " bytes");
  }
  if (footer > kMaxFooterBytes) {
    return user_error("its footer has " + std::to_string(footer) + " bytes, and may have " +
                      std::to_string(kMaxFooterBytes) +
                      "; write larger row groups, or fewer columns");
  }
  std::string bytes(footer, '\0');
  if (Status read = file->read(size - tail.size() - footer, bytes.data(), footer); !read) {
    return read.error();
  }
  if (Status checked = check_footer(bytes); !checked) return checked.error();
  return hash_bytes(bytes, size);
}

Result<std::unique_ptr<ParquetReader>> open_parquet_reader(std::unique_ptr<ParquetInput> file) {
  const auto& loaded = library();
  if (!loaded) return loaded.error();
  return (*loaded)->open_reader(std::move(file));
}

Result<std::unique_ptr<ParquetWriter>> open_parquet_writer(
    ParquetOutput* out, const ParquetReader* kept, const std::vector<ParquetField>& fields) {
  const auto& loaded = library();
  if (!loaded) return loaded.error();
  return (*loaded)->open_writer(out, kept, fields);
}

}  // namespace tidemill
