#include "shared/obs/log.h"

#include <atomic>
#include <charconv>
#include <map>
#include <utility>

#include "shared/obs/stderr_sink.h"

namespace tidemill {
namespace {

constexpr int64_t kRefillUs = 1'000'000;  // one line
constexpr size_t kEventNamesMax = 4096;   // names are literals; beyond it they share one limit

std::atomic<LogLevel> lowest_level{LogLevel::kInfo};

bool is_plain(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return false;
  }
  return true;
}

void append_quoted(std::string_view text, std::string* line) {
  line->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      line->push_back('\\');
      line->push_back(c);
    } else if (c == '\n') {
      line->append("\\n");
    } else if (c >= 0 && c < ' ') {
      line->push_back('?');
    } else {
      line->push_back(c);
    }
  }
  line->push_back('"');
}

template <typename T>
void append_number(T value, std::string* line) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  line->append(text, end);
}

}  // namespace

class LogLimiter {
 public:
  // Whether a line passes now; if so *suppressed is how many did not since the last one.
  bool pass(std::string_view event, int64_t now_us, uint64_t* suppressed) {
    auto it = by_event_.find(event);
    if (it == by_event_.end()) {
      if (by_event_.size() >= kEventNamesMax) event = "";
      it = by_event_.try_emplace(std::string(event), State{kLogBurst, now_us, 0}).first;
    }
    State& s = it->second;
    const int64_t refill = (now_us - s.refilled_us) / kRefillUs;
    if (refill > 0) {
      s.lines = s.lines + refill > kLogBurst ? kLogBurst : s.lines + refill;
      s.refilled_us += refill * kRefillUs;
    }
    if (s.lines == 0) {
      ++s.suppressed;
      return false;
    }
    // After a burst, one line a second: a full second has to pass, not what is left of one.
    if (s.lines == kLogBurst) s.refilled_us = now_us;
    --s.lines;
    *suppressed = std::exchange(s.suppressed, 0);
    return true;
  }

 private:
  struct State {
    int64_t lines;
    int64_t refilled_us;
    uint64_t suppressed;
  };
  std::map<std::string, State, std::less<>> by_event_;
};

namespace {

thread_local LogChannel* installed_channel = nullptr;

LogChannel& current_channel() {
  if (installed_channel != nullptr) return *installed_channel;
  thread_local LogChannel own(&stderr_sink());
  return own;
}

}  // namespace

LogChannel::LogChannel(LogSink* sink) : sink_(sink), limiter_(std::make_unique<LogLimiter>()) {}
LogChannel::~LogChannel() = default;

ScopedLogChannel::ScopedLogChannel(LogChannel* channel)
    : previous_(std::exchange(installed_channel, channel)) {}
ScopedLogChannel::~ScopedLogChannel() { installed_channel = previous_; }

std::string_view log_level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      break;
  }
  return "error";
}

void LogField::append_to(std::string* line) const {
  line->append(key_);
  line->push_back('=');
  if (const auto* text = std::get_if<std::string_view>(&value_)) {
    if (is_plain(*text)) {
      line->append(*text);
    } else {
      append_quoted(*text, line);
    }
  } else if (const auto* i = std::get_if<int64_t>(&value_)) {
    append_number(*i, line);
  } else if (const auto* u = std::get_if<uint64_t>(&value_)) {
    append_number(*u, line);
  } else {
    append_number(std::get<double>(value_), line);
  }
}

void set_log_level(LogLevel level) { lowest_level.store(level, std::memory_order_relaxed); }

void log_event(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (level < lowest_level.load(std::memory_order_relaxed)) return;
  LogChannel& channel = current_channel();
  uint64_t suppressed = 0;
  if (!channel.limiter_->pass(event, channel.sink_->now_us(), &suppressed)) return;
  std::string line;
  line.append("level=").append(log_level_name(level)).append(" event=").append(event);
  for (const LogField& field : fields) {
    line.push_back(' ');
    field.append_to(&line);
  }
  if (suppressed > 0) {
    line.push_back(' ');
    LogField("suppressed", suppressed).append_to(&line);
  }
  if (line.size() > static_cast<size_t>(kLogLineBytesMax)) {
    line.resize(static_cast<size_t>(kLogLineBytesMax) - 3);
    line.append("...");
  }
  channel.sink_->write(level, line);
}

}  // namespace tidemill
