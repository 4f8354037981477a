// OutputFile: a file that appears under its name whole, in finish(), or not at all. Until then it
// is beside it under another name. Failure: kUser, with what --out should be.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace tidemill::training {

class OutputFile {
 public:
  explicit OutputFile(std::string path) : path_(std::move(path)) {}
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  Status open();
  Status write(std::string_view bytes);
  Status finish();

 private:
  Status flush();
  Error failed(const std::string& what) const;

  std::string path_;
  std::string temporary_;  // empty: none is left
  int fd_ = -1;
  std::string buffer_;
};

}  // namespace tidemill::training
