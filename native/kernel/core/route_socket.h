#pragma once

#include <functional>
#include <string>

#include "core/netlink_message.h"
#include "core/unique_fd.h"

namespace vmpulse {

// One received message: its type and what follows its header.
using EachMessage = std::function<void(uint16_t type, const std::byte* data, size_t bytes)>;

// A conversation with the kernel's routing tables, in the network namespace of the calling thread. One
// request at a time; an answer that does not come within a second is ETIMEDOUT.
class RouteSocket {
 public:
  RouteSocket();

  // Sends and waits for the end of the answer; `each` gets every message of it. Throws SyscallError, named
  // by `what` ("RTM_NEWLINK") and `subject` (the device).
  void ask(NetlinkMessage& request, const char* what, const std::string& subject,
           const EachMessage& each = nullptr);

 private:
  UniqueFd fd_;
  uint32_t sequence_ = 0;
};

// Calls `each` for every message in what was received at once, with the sequence number it answers.
void forEachMessage(
    const std::byte* data, size_t bytes,
    const std::function<void(const nlmsghdr& head, const std::byte* data, size_t bytes)>& each);

}  // namespace vmpulse
