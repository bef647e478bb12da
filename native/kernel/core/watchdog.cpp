#include "core/watchdog.h"

#include <fcntl.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/syscall_error.h"

namespace vmpulse {

UniqueFd openWatchdog(const std::string& path) {
  return UniqueFd(checked(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY), "open", path));
}

WatchdogState setUpWatchdog(const UniqueFd& device, const std::string& path, int timeout, int pretimeout) {
  watchdog_info info{};
  // Each request reads or writes exactly the one structure or int that it is given.
  checked(::ioctl(device.get(), WDIOC_GETSUPPORT, &info), "ioctl(WDIOC_GETSUPPORT)", path);
  // Without it every close stops the device, also that of a process which crashes.
  if ((info.options & WDIOF_MAGICCLOSE) == 0) throw SyscallError(EOPNOTSUPP, "magic close", path);
  checked(::ioctl(device.get(), WDIOC_SETTIMEOUT, &timeout), "ioctl(WDIOC_SETTIMEOUT)", path);
  if (pretimeout > 0) {
    checked(::ioctl(device.get(), WDIOC_SETPRETIMEOUT, &pretimeout), "ioctl(WDIOC_SETPRETIMEOUT)", path);
  }
  const auto* begin = reinterpret_cast<const char*>(info.identity);
  const auto* end = std::find(begin, begin + sizeof(info.identity), '\0');
  return {std::string(begin, end), timeout, pretimeout};
}

void feedWatchdog(const UniqueFd& device) {
  int unused = 0;
  checked(::ioctl(device.get(), WDIOC_KEEPALIVE, &unused), "ioctl(WDIOC_KEEPALIVE)", "the watchdog");
}

void announceClose(const UniqueFd& device) {
  const char magic = 'V';
  checked(::write(device.get(), &magic, 1) == 1 ? 0 : -1, "write", "the watchdog");
}

}  // namespace vmpulse
