// Structured log: a stable event name plus fields, one logfmt line each.
//
//   log_event(LogLevel::kWarning, "peer_unreachable", {{"node", name}, {"tries", 3}});
//   -> level=warning event=peer_unreachable node=7f3a tries=3
//
// Names are literals in snake_case; no feature values and no secrets. Per event name a burst of
// kLogBurst lines passes, then one a second, which says how many were suppressed before it.
// ERROR is for what must never happen: it fails a simulation run.
//
// thread-safe: rate limits are kept per thread, so a process with n threads may write n bursts.
// The sink is the process's stderr unless the thread has installed another one.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace tidemill {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

inline constexpr int64_t kLogBurst = 20;
inline constexpr int64_t kLogLineBytesMax = 4096;  // the rest of a line is cut off

std::string_view log_level_name(LogLevel level);

class LogField {
 public:
  LogField(std::string_view key, std::string_view value) : key_(key), value_(value) {}
  LogField(std::string_view key, const char* value) : key_(key), value_(std::string_view(value)) {}
  LogField(std::string_view key, const std::string& value)
      : key_(key), value_(std::string_view(value)) {}
  LogField(std::string_view key, bool value)
      : key_(key), value_(std::string_view(value ? "true" : "false")) {}
  template <std::signed_integral T>
  LogField(std::string_view key, T value) : key_(key), value_(static_cast<int64_t>(value)) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) LogField(std::string_view key, T value)
      : key_(key), value_(static_cast<uint64_t>(value)) {}
  template <std::floating_point T>
  LogField(std::string_view key, T value) : key_(key), value_(static_cast<double>(value)) {}

  void append_to(std::string* line) const;

 private:
  std::string_view key_;
  std::variant<std::string_view, int64_t, uint64_t, double> value_;
};

void log_event(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

// Lines below this are not written. Default: kInfo. Process-wide.
void set_log_level(LogLevel level);

// Where the lines of a thread go. now_us drives the rate limit: virtual time in simulation.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual int64_t now_us() = 0;
  virtual void write(LogLevel level, std::string_view line) = 0;
};

// The rate limits that belong to one sink; bounded by the number of distinct event names.
class LogLimiter;

// The sink and its rate limits for as long as it is installed or kept.
class LogChannel {
 public:
  explicit LogChannel(LogSink* sink);  // `sink` outlives the channel
  ~LogChannel();
  LogChannel(const LogChannel&) = delete;
  LogChannel& operator=(const LogChannel&) = delete;

 private:
  friend class ScopedLogChannel;
  friend void log_event(LogLevel, std::string_view, std::initializer_list<LogField>);
  LogSink* sink_;
  std::unique_ptr<LogLimiter> limiter_;
};

// Sends this thread's lines to `channel` until the end of the scope. Scopes nest.
class ScopedLogChannel {
 public:
  explicit ScopedLogChannel(LogChannel* channel);
  ~ScopedLogChannel();
  ScopedLogChannel(const ScopedLogChannel&) = delete;
  ScopedLogChannel& operator=(const ScopedLogChannel&) = delete;

 private:
  LogChannel* previous_;
};

}  // namespace tidemill
