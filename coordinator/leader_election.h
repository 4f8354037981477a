// LeaderElection: which of several coordinators decides. One leads at a time, for as long as it
// renews its lease; the others stand by.
//
// blocking: used on the blocking pool only, by one task at a time (one lane).
#pragma once

#include <cstdint>
#include <string>

#include "shared/base/result.h"

namespace tidemill {

struct Candidacy {
  bool leads = false;  // from now on
  std::string leader;  // host:port of the REST API of who leads; empty if nobody does
};

class LeaderElection {
 public:
  virtual ~LeaderElection() = default;

  // A leader leads for so long after it began to stand, or began a renewal that succeeded.
  virtual int64_t ttl_us() const = 0;

  // One attempt. kRetryable: it is not known who leads.
  virtual Result<Candidacy> stand() = 0;

  // Of a leader. kFenced: it leads no more.
  virtual Status renew() = 0;

  // Of a leader that ends: another one need not wait. Best effort.
  virtual void resign() = 0;
};

}  // namespace tidemill
