// Progress: a bar on stderr that is redrawn in place, if stderr is a terminal; else nothing.
#pragma once

#include <cstdint>
#include <string>

namespace tidemill {

class Progress {
 public:
  // `total` steps of `unit` ("events"); `label` goes before the bar. Nothing is drawn
  // unless it is wanted.
  Progress(std::string label, std::string unit, uint64_t total, bool wanted = true);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Draws only when the bar would look different.
  void update(uint64_t done);

 private:
  void draw(uint64_t permille, uint64_t done);

  std::string label_;
  std::string unit_;
  uint64_t total_;
  bool visible_;
  uint64_t drawn_permille_ = UINT64_MAX;
};

}  // namespace tidemill
