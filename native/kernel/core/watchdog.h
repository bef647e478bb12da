#pragma once

#include <string>

#include "core/unique_fd.h"

namespace vmpulse {

// A watchdog device as it runs now. Times in seconds; the device may round them.
struct WatchdogState {
  std::string identity;
  int timeout;
  // 0: none, or the device has no such thing.
  int pretimeout;
};

// Opens the device, which arms it: from here on somebody must feed it. Throws SyscallError: "open" EBUSY when
// another process has it.
UniqueFd openWatchdog(const std::string& path);

// Sets the times, and says what the device made of them. `pretimeout` 0: left as it is. Throws SyscallError:
// "magic close" EOPNOTSUPP for a device that every close stops.
WatchdogState setUpWatchdog(const UniqueFd& device, const std::string& path, int timeout, int pretimeout);

// Begins the time anew. Throws SyscallError.
void feedWatchdog(const UniqueFd& device);

// Says that the next close is meant, so that it takes the device out of service. Throws SyscallError.
void announceClose(const UniqueFd& device);

}  // namespace vmpulse
