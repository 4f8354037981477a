#include "shared/base/time_zone.h"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>

#include <algorithm>
#include <fstream>

namespace tidemill {
namespace {

constexpr size_t kLongestName = 64;

TimeUs clamped(__int128 micros) {
  return static_cast<TimeUs>(std::clamp<__int128>(micros, kMinTime, kMaxTime));
}

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

TimeUs micros_of(absl::Time time, int64_t below_second) {
  return clamped(static_cast<__int128>(absl::ToUnixSeconds(time)) * kMicrosPerSecond +
                 below_second);
}

LocalInstants instants(const absl::TimeZone& zone, absl::CivilSecond second, int64_t below) {
  const absl::TimeZone::TimeInfo info = zone.At(second);
  LocalInstants out{.by_offset_before = micros_of(info.pre, below),
                    .by_offset_after = micros_of(info.post, below),
                    .change = micros_of(info.trans, below)};
  if (info.kind == absl::TimeZone::TimeInfo::UNIQUE) return out;
  const bool skipped = info.kind == absl::TimeZone::TimeInfo::SKIPPED;
  out.kind = skipped ? LocalInstants::Kind::kSkipped : LocalInstants::Kind::kTwice;
  out.change = micros_of(info.trans, 0);
  return out;
}

// What the library reads is a path below the zones' directory: only names lead there.
bool is_zone_name(const std::string& name) {
  if (name.empty() || name.size() > kLongestName || name[0] < 'A' || name[0] > 'Z') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '+' || c == '/';
  });
}

}  // namespace

struct TimeZone::Rules {
  std::string name;
  absl::TimeZone zone;
};

TimeZone::TimeZone() {
  static const auto utc =
      std::make_shared<const Rules>(Rules{.name = "UTC", .zone = absl::UTCTimeZone()});
  rules_ = utc;
}

Result<TimeZone> TimeZone::find(const std::string& name) {
  absl::TimeZone zone;
  if (!is_zone_name(name) || !absl::LoadTimeZone(name, &zone)) {
    return user_error("unknown time zone '" + name.substr(0, kLongestName) +
                      "'; write its IANA name, such as UTC, Europe/Berlin or America/New_York");
  }
  return TimeZone(std::make_shared<const Rules>(Rules{.name = name, .zone = zone}));
}

const std::string& TimeZone::name() const { return rules_->name; }

LocalUs TimeZone::local_of(TimeUs time) const {
  const absl::Time second = absl::FromUnixSeconds(floor_divide(time, kMicrosPerSecond));
  return clamped(static_cast<__int128>(time) +
                 int64_t{rules_->zone.At(second).offset} * kMicrosPerSecond);
}

LocalInstants TimeZone::instants_of(LocalUs local) const {
  const int64_t seconds = floor_divide(local, kMicrosPerSecond);
  return instants(rules_->zone, absl::CivilSecond() + seconds, local - seconds * kMicrosPerSecond);
}

TimeUs TimeZone::start_of_day(int64_t day) const {
  // As a date, since its midnight may lie outside of int64 where the day itself does not.
  const LocalInstants midnight =
      instants(rules_->zone, absl::CivilSecond(absl::CivilDay() + day), 0);
  return midnight.kind == LocalInstants::Kind::kSkipped ? midnight.change
                                                        : midnight.by_offset_before;
}

int64_t TimeZone::day_of(TimeUs time) const { return floor_divide(local_of(time), kMicrosPerDay); }

int64_t first_day_of_month(int64_t month) {
  return absl::CivilDay(absl::CivilMonth() + month) - absl::CivilDay();
}

int64_t month_of_day(int64_t day) {
  return absl::CivilMonth(absl::CivilDay() + day) - absl::CivilMonth();
}

// The first line of tzdata's compact form: "# version 2025b".
std::string time_zone_release() {
  constexpr char kSays[] = "# version ";
  std::ifstream file("/usr/share/zoneinfo/tzdata.zi");
  std::string line;
  if (!std::getline(file, line) || !line.starts_with(kSays)) return "unknown";
  return line.substr(sizeof kSays - 1);
}

}  // namespace tidemill
