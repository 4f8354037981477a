// MessageParser: from the messages of a log to events, each message one record.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/base/time.h"
#include "shared/source/batch_writer.h"

namespace tidemill {

inline constexpr size_t kMaxRecordBytes = 1 << 20;
// Readable bytes behind a window: parsers look at whole vectors.
inline constexpr size_t kWindowPadding = 64;

// Bytes of a file, or a message. They may be changed (escapes are undone in place); strings of the
// events point into them.
struct Window {
  char* data = nullptr;
  size_t size = 0;      // kWindowPadding more are readable, and may be changed too
  uint64_t offset = 0;  // of data[0] in the file, or of the message in its log
  bool at_end = false;  // the file ends with the window
};

class MessageParser {
 public:
  virtual ~MessageParser() = default;

  // No event may be dated later than this.
  void set_latest_event_time(TimeUs time) { latest_event_time_ = time; }

  // Gets from elsewhere what it takes to parse these messages. Returns how many of them, from the
  // first, can be parsed by now; for the others it has to be called again. An error: it is not to
  // be had now, and none of them may be parsed. Blocking.
  virtual Result<size_t> prepare(std::span<const std::string_view> messages) {
    return messages.size();
  }
  // Adds the one record that is all of `message`, as an event or a bad record.
  virtual void parse_message(const Window& message, BatchWriter* writer) = 0;

 protected:
  TimeUs latest_event_time() const { return latest_event_time_; }

 private:
  TimeUs latest_event_time_ = kMaxTime;
};

// A parser for the messages of a topic, in the format that its source says.
Result<std::unique_ptr<MessageParser>> make_message_parser(const proto::Source& source);

}  // namespace tidemill
