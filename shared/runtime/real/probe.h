// What the real runtime counts.
#pragma once

#include "shared/obs/metrics.h"

namespace tidemill {

struct RuntimeProbe {
  explicit RuntimeProbe(MetricsRegistry& metrics);

  Counter& network_messages_sent;
  Counter& network_bytes_sent;
  Counter& network_messages_received;
  Counter& network_bytes_received;
  // Dropped on arrival, by reason.
  Counter& dropped_malformed;
  Counter& dropped_stale_incarnation;
  Counter& dropped_no_actor;
  Counter& dropped_mailbox_full;
  // Refused, and the sender told.
  Counter& refused_mailbox_full;
  Counter& refused_link_full;
  Counter& refused_too_large;
};

}  // namespace tidemill
