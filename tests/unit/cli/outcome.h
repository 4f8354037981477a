// What a command printed, and how it ended.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct Outcome {
  ExitCode exit;
  std::string out;
  std::string err;
};

template <typename Command>
Outcome outcome(const Command& command, const GlobalOptions& global) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const ExitCode exit = command.run(global);
  std::fflush(stdout);
  return {exit, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

}  // namespace tidemill::cli
