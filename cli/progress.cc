#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace tidemill {
namespace {

constexpr uint64_t kBarColumns = 40;

}  // namespace

Progress::Progress(std::string label, std::string unit, uint64_t total, bool wanted)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(std::max<uint64_t>(total, 1)),
      visible_(wanted && ::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (visible_ && drawn_permille_ != UINT64_MAX) std::fputc('\n', stderr);
}

void Progress::update(uint64_t done) {
  if (!visible_) return;
  const double share = static_cast<double>(done) / static_cast<double>(total_);
  const auto permille = static_cast<uint64_t>(std::min(share, 1.0) * 1000);
  if (permille == drawn_permille_) return;
  drawn_permille_ = permille;
  draw(permille, done);
}

void Progress::draw(uint64_t permille, uint64_t done) {
  std::string bar(permille * kBarColumns / 1000, '#');
  bar.resize(kBarColumns, '.');
  std::fprintf(stderr, "\r%s [%s] %5.1f%%  %llu %s", label_.c_str(), bar.c_str(),
               static_cast<double>(permille) / 10, static_cast<unsigned long long>(done),
               unit_.c_str());
  std::fflush(stderr);
}

}  // namespace tidemill
