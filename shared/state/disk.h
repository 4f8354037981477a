// Disk: the file system that states, snapshots and metadata are kept on: the machine's, or a
// simulated one. Everything of Tidemill that must survive a crash is written through it.
//
// thread-safe
#pragma once

#include <memory>
#include <string>

namespace rocksdb {
class Env;
}

namespace tidemill {

class Disk {
 public:
  // The machine's.
  static std::shared_ptr<Disk> real();
  // One of its own in memory, which keeps what was written to it as long as it lives itself. It
  // forgets nothing in a crash: for tests that are not about that.
  static std::shared_ptr<Disk> in_memory();
  // `env` is a file system with the semantics of POSIX: what was not synced may be lost in a crash.
  explicit Disk(std::shared_ptr<rocksdb::Env> env);
  ~Disk();

  rocksdb::Env* env() const { return env_.get(); }

 private:
  std::shared_ptr<rocksdb::Env> env_;
};

}  // namespace tidemill
