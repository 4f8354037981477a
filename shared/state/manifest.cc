#include "shared/state/manifest.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "shared/base/hash.h"
#include "shared/state/partition_disk.h"

namespace tidemill {
namespace {

constexpr std::string_view kMagic = "TMSNAP1\n";
constexpr size_t kFrontBytes = 8 + sizeof(uint32_t);
constexpr size_t kDigits = 16;
constexpr std::string_view kBase = "base-";
constexpr std::string_view kRows = "rows-";
constexpr std::string_view kManifest = "manifest-";
constexpr std::string_view kSst = ".sst";
constexpr std::string_view kLog = ".log";

std::string hex(uint64_t number) {
  char text[kDigits + 1];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

// Takes "-" between numbers of 16 digits each off; true if nothing is left.
bool parse_numbers(std::string_view text, std::span<uint64_t> numbers) {
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0) {
      if (text.empty() || text.front() != '-') return false;
      text.remove_prefix(1);
    }
    if (text.size() < kDigits) return false;
    numbers[i] = 0;
    for (const char c : text.substr(0, kDigits)) {
      const bool digit = c >= '0' && c <= '9';
      if (!digit && (c < 'a' || c > 'f')) return false;
      numbers[i] = numbers[i] << 4 | static_cast<uint64_t>(digit ? c - '0' : c - 'a' + 10);
    }
    text.remove_prefix(kDigits);
  }
  return text.empty();
}

bool parse_name(std::string_view name, std::string_view front, std::string_view end,
                std::span<uint64_t> numbers) {
  if (!name.starts_with(front) || !name.ends_with(end) || name.size() < front.size() + end.size()) {
    return false;
  }
  return parse_numbers(name.substr(front.size(), name.size() - front.size() - end.size()), numbers);
}

std::string_view text_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// `at`: where the files before it end.
Status check_file(const proto::StateFile& file, bool first, bool logs_before, const Stamp& at) {
  if (!is_state_file_name(file.name())) {
    return corrupt_error("manifest: '" + file.name() + "' is no name of a state's file");
  }
  if (file.base() && !first) return corrupt_error("manifest: a base behind other files");
  if (logs_before && !is_log_file_name(file.name())) {
    return corrupt_error("manifest: " + file.name() + " behind a log");
  }
  if (file.from_version() != at.version) {
    return corrupt_error("manifest: " + file.name() + " begins at version " +
                         std::to_string(file.from_version()) + ", where version " +
                         std::to_string(at.version) + " is expected");
  }
  // Versions fall where a copy has gone on with an owner that went on from an older state.
  if (file.epoch() <= at.epoch.value && file.to_version() < file.from_version()) {
    return corrupt_error("manifest: " + file.name() + " ends before it begins");
  }
  return {};
}

}  // namespace

std::string base_file_name(Stamp stamp) {
  return std::string(kBase) + hex(stamp.epoch.value) + "-" + hex(stamp.version) + std::string(kSst);
}

std::string rows_file_name(Stamp stamp, uint64_t from_version) {
  return std::string(kRows) + hex(stamp.epoch.value) + "-" + hex(from_version) + "-" +
         hex(stamp.version) + std::string(kSst);
}

std::string log_file_name(Stamp stamp, uint64_t from_version) {
  return std::string(kRows) + hex(stamp.epoch.value) + "-" + hex(from_version) + "-" +
         hex(stamp.version) + std::string(kLog);
}

std::string manifest_file_name(Stamp stamp) {
  return std::string(kManifest) + hex(stamp.epoch.value) + "-" + hex(stamp.version);
}

bool parse_manifest_name(std::string_view name, Stamp* stamp) {
  uint64_t numbers[2];
  if (!parse_name(name, kManifest, "", numbers)) return false;
  *stamp = {Epoch(numbers[0]), numbers[1]};
  return true;
}

bool is_state_file_name(std::string_view name) {
  uint64_t numbers[3];
  return parse_name(name, kBase, kSst, std::span(numbers).first(2)) ||
         parse_name(name, kRows, kSst, numbers) || parse_name(name, kRows, kLog, numbers);
}

bool is_log_file_name(std::string_view name) { return name.ends_with(kLog); }

Stamp stamp_of(const proto::StateManifest& manifest) {
  const auto& ancestry = manifest.head().ancestry();
  if (ancestry.empty()) return {};
  return {Epoch(ancestry.rbegin()->epoch()), ancestry.rbegin()->last_version()};
}

Status check_manifest(const proto::StateManifest& manifest) {
  if (manifest.format_version() != kManifestFormat) {
    return corrupt_error("manifest: format " + std::to_string(manifest.format_version()) +
                         ", this build reads " + std::to_string(kManifestFormat));
  }
  if (manifest.head().ancestry().empty()) return corrupt_error("manifest: a head of nothing");
  if (manifest.files().empty()) return corrupt_error("manifest: no files");
  Stamp at;
  bool logs = false;
  for (const proto::StateFile& file : manifest.files()) {
    const bool first = &file == &manifest.files(0);
    if (Status good = check_file(file, first, logs, at); !good) return good;
    logs = is_log_file_name(file.name());
    at = {Epoch(file.epoch()), file.to_version()};
  }
  const Stamp stamp = stamp_of(manifest);
  if (at != stamp) {
    return corrupt_error("manifest: its files end at version " + std::to_string(at.version) +
                         ", its head is of version " + std::to_string(stamp.version));
  }
  return {};
}

std::vector<uint8_t> encode_manifest(const proto::StateManifest& manifest) {
  ByteWriter out;
  out.put_bytes({reinterpret_cast<const uint8_t*>(kMagic.data()), kMagic.size()});
  out.put_string(manifest.SerializeAsString());
  out.put(hash_bytes(text_of(out.bytes()), 0));
  return out.take();
}

Result<proto::StateManifest> decode_manifest(std::span<const uint8_t> bytes) {
  if (bytes.size() > kManifestBytesMax) return corrupt_error("manifest: too long");
  ByteReader in(bytes);
  if (text_of(in.take(kMagic.size())) != kMagic) return corrupt_error("manifest: not one");
  const std::string_view message = in.get_string();
  const auto checksum = in.get<uint64_t>();
  if (!in.ok() || in.remaining() != 0) {
    return corrupt_error("manifest: length does not match its contents");
  }
  if (checksum != hash_bytes(text_of(bytes.first(kFrontBytes + message.size())), 0)) {
    return corrupt_error("manifest: checksum does not match");
  }
  proto::StateManifest manifest;
  if (!manifest.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return corrupt_error("manifest: does not parse");
  }
  if (Status good = check_manifest(manifest); !good) return good.error();
  return manifest;
}

std::string partition_directory(const std::string& data_dir, JobId job, KeyPartitionId k) {
  char text[32];
  std::snprintf(text, sizeof text, "/job-%08x/k-%u", job.value, k.value);
  return data_dir + text;
}

}  // namespace tidemill
