#pragma once

#include <set>
#include <string>

#include "core/unique_fd.h"

namespace vmpulse {

// What was heard of the devices of a network namespace.
struct LinkNews {
  std::set<std::string> names;  // Made, changed or removed; how they are now is to be asked.
  bool overrun = false;         // More happened than could be told: any device may have changed.
};

// Hears of every change of a network device: an rtnetlink socket in the group of links, in the network
// namespace of the thread that makes it.
class LinkMonitor {
 public:
  LinkMonitor();

  // Waits until something was heard and adds it to `news`; false once stop() was called. One thread at a
  // time. Throws SyscallError when the socket fails.
  bool wait(LinkNews& news);
  // Ends wait(), now or at its next call. From any thread.
  void stop() noexcept;

 private:
  void receive(LinkNews& news);

  UniqueFd socket_;
  UniqueFd stop_;
};

}  // namespace vmpulse
