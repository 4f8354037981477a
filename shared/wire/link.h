// SendLink: the sender's side of one physical link, (reader, partition host) or (partition host,
// store shard): numbers messages, counts the bytes in flight against a credit, and notices a link
// on which nothing has been acknowledged for too long. Acknowledgements are cumulative, so a lost
// one is made good by the next. What arrived is decided by the sessions' own sequence numbers.
#pragma once

#include <cstdint>
#include <deque>

namespace tidemill {

class SendLink {
 public:
  explicit SendLink(uint64_t credit_bytes) : credit_bytes_(credit_bytes) {}

  bool has_credit() const { return in_flight_bytes_ < credit_bytes_; }
  // Catching up leaves half of the credit to what is new.
  bool has_credit_to_catch_up() const { return in_flight_bytes_ < credit_bytes_ / 2; }
  void set_credit(uint64_t credit_bytes) { credit_bytes_ = credit_bytes; }
  uint64_t in_flight_bytes() const { return in_flight_bytes_; }

  // The number of the message now being sent.
  uint64_t sent(uint64_t bytes, int64_t now_us);
  void acknowledged(uint64_t link_seq, int64_t now_us);
  // Something is in flight and nothing was acknowledged for `stall_us`.
  bool stalled(int64_t now_us, int64_t stall_us) const;
  // Forgets what is in flight: its sessions have been closed.
  void reset();
  int64_t last_sent_us() const { return last_sent_us_; }

 private:
  struct InFlight {
    uint64_t seq;
    uint64_t bytes;
  };

  uint64_t credit_bytes_;
  uint64_t next_seq_ = 1;
  uint64_t in_flight_bytes_ = 0;
  std::deque<InFlight> in_flight_;
  int64_t waiting_since_us_ = 0;  // of the oldest message in flight, or of the last progress
  int64_t last_sent_us_ = 0;
};

}  // namespace tidemill
