#include "shared/runtime/real/probe.h"

namespace tidemill {
namespace {

Counter& dropped(MetricsRegistry& metrics, const char* reason) {
  return metrics.counter("tidemill_runtime_dropped_messages_total",
                         "Messages from the network dropped on arrival.", {{"reason", reason}});
}

Counter& refused(MetricsRegistry& metrics, const char* reason) {
  return metrics.counter("tidemill_runtime_refused_messages_total",
                         "Messages not taken; the sender was told.", {{"reason", reason}});
}

}  // namespace

RuntimeProbe::RuntimeProbe(MetricsRegistry& metrics)
    : network_messages_sent(metrics.counter("tidemill_runtime_network_sent_messages_total",
                                            "Messages handed to the network.")),
      network_bytes_sent(metrics.counter("tidemill_runtime_network_sent_bytes_total",
                                         "Bytes of bodies handed to the network.")),
      network_messages_received(metrics.counter("tidemill_runtime_network_received_messages_total",
                                                "Messages taken from the network.")),
      network_bytes_received(metrics.counter("tidemill_runtime_network_received_bytes_total",
                                             "Bytes of bodies taken from the network.")),
      dropped_malformed(dropped(metrics, "malformed")),
      dropped_stale_incarnation(dropped(metrics, "stale_incarnation")),
      dropped_no_actor(dropped(metrics, "no_actor")),
      dropped_mailbox_full(dropped(metrics, "mailbox_full")),
      refused_mailbox_full(refused(metrics, "mailbox_full")),
      refused_link_full(refused(metrics, "link_full")),
      refused_too_large(refused(metrics, "too_large")) {}

}  // namespace tidemill
