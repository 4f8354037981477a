#include "shared/obs/log.h"

#include <gtest/gtest.h>

namespace tidemill {
namespace {

struct CapturingSink : LogSink {
  int64_t now_us() override { return now; }
  void write(LogLevel level, std::string_view line) override {
    levels.push_back(level);
    lines.emplace_back(line);
  }
  int64_t now = 0;
  std::vector<LogLevel> levels;
  std::vector<std::string> lines;
};

struct LogTest : testing::Test {
  CapturingSink sink;
  LogChannel channel{&sink};
  ScopedLogChannel scope{&channel};
};

TEST_F(LogTest, OneLineWithLevelEventAndTypedFields) {
  log_event(LogLevel::kWarning, "link_slow",
            {{"node", std::string("7f3a")},
             {"tries", -3},
             {"bytes", 18446744073709551615u},
             {"ratio", 0.5},
             {"open", true}});
  ASSERT_EQ(sink.lines.size(), 1u);
  EXPECT_EQ(sink.lines[0],
            "level=warning event=link_slow node=7f3a tries=-3 bytes=18446744073709551615 ratio=0.5 "
            "open=true");
  EXPECT_EQ(sink.levels[0], LogLevel::kWarning);
}

TEST_F(LogTest, ValuesThatWouldBreakTheFormatAreQuoted) {
  log_event(LogLevel::kInfo, "e",
            {{"a", "two words"},
             {"b", "say \"x\"\\\n"},
             {"c", ""},
             {"d", "k=v"},
             {"e", std::string("\x01")}});
  EXPECT_EQ(sink.lines.at(0),
            "level=info event=e a=\"two words\" b=\"say \\\"x\\\"\\\\\\n\" c=\"\" d=\"k=v\" "
            "e=\"?\"");
}

TEST_F(LogTest, LongLinesAreCutOff) {
  log_event(LogLevel::kInfo, "e", {{"a", std::string(100'000, 'x')}});
  EXPECT_EQ(sink.lines.at(0).size(), static_cast<size_t>(kLogLineBytesMax));
  EXPECT_TRUE(sink.lines.at(0).ends_with("x..."));
}

TEST_F(LogTest, ABurstThenOneASecondWithTheCountOfSuppressedLines) {
  for (int i = 0; i < 100; ++i) log_event(LogLevel::kInfo, "busy");
  ASSERT_EQ(sink.lines.size(), static_cast<size_t>(kLogBurst));
  sink.now += 999'999;
  log_event(LogLevel::kInfo, "busy");
  EXPECT_EQ(sink.lines.size(), static_cast<size_t>(kLogBurst));
  sink.now += 1;
  log_event(LogLevel::kInfo, "busy");
  log_event(LogLevel::kInfo, "busy");
  ASSERT_EQ(sink.lines.size(), static_cast<size_t>(kLogBurst) + 1);
  EXPECT_EQ(sink.lines.back(), "level=info event=busy suppressed=81");
}

TEST_F(LogTest, EventsDoNotLimitOneAnother) {
  for (int i = 0; i < 100; ++i) log_event(LogLevel::kInfo, "busy");
  log_event(LogLevel::kError, "rare");
  EXPECT_EQ(sink.lines.back(), "level=error event=rare");
}

TEST_F(LogTest, AQuietEventRegainsItsBurstAndNoMore) {
  for (int i = 0; i < 100; ++i) log_event(LogLevel::kInfo, "busy");
  sink.lines.clear();
  sink.now += 3'600'000'000;
  for (int i = 0; i < 100; ++i) log_event(LogLevel::kInfo, "busy");
  EXPECT_EQ(sink.lines.size(), static_cast<size_t>(kLogBurst));
}

TEST_F(LogTest, LinesBelowTheLevelAreNotWritten) {
  log_event(LogLevel::kDebug, "detail");
  EXPECT_TRUE(sink.lines.empty());
  set_log_level(LogLevel::kDebug);
  log_event(LogLevel::kDebug, "detail");
  set_log_level(LogLevel::kInfo);
  EXPECT_EQ(sink.lines.size(), 1u);
}

TEST_F(LogTest, ScopesNestAndTheOuterChannelComesBack) {
  CapturingSink inner_sink;
  LogChannel inner(&inner_sink);
  {
    const ScopedLogChannel scope_inner(&inner);
    log_event(LogLevel::kInfo, "inner");
  }
  log_event(LogLevel::kInfo, "outer");
  EXPECT_EQ(inner_sink.lines, std::vector<std::string>{"level=info event=inner"});
  EXPECT_EQ(sink.lines, std::vector<std::string>{"level=info event=outer"});
}

TEST(LogStderr, LinesGoToStderrWithTheTimeInFront) {
  testing::internal::CaptureStderr();
  log_event(LogLevel::kInfo, "hello", {{"n", 1}});
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(text.starts_with("time=2")) << text;
  EXPECT_TRUE(text.ends_with("Z level=info event=hello n=1\n")) << text;
}

}  // namespace
}  // namespace tidemill
