#pragma once

#include <string>

namespace vmpulse {

// Sends one datagram ("READY=1\nSTATUS=…") to a service manager's socket. `path` is absolute, or '@name' for
// the abstract namespace. Does not wait: EAGAIN when the receiver's queue is full. Throws SyscallError.
void sdNotify(const std::string& path, const std::string& message);

}  // namespace vmpulse
