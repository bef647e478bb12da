#include "core/pidfd.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "core/syscall_error.h"

// Headers older than the kernel; the numbers are the same on every architecture since Linux 5.1.
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace vmpulse {

UniqueFd openPidfd(pid_t pid) {
  // PIDFD_NONBLOCK is O_NONBLOCK by definition. The kernel sets close-on-exec on every pidfd.
  const long fd = ::syscall(SYS_pidfd_open, pid, O_NONBLOCK);
  return UniqueFd(checked(static_cast<int>(fd), "pidfd_open", "pid " + std::to_string(pid)));
}

void signalPidfd(const UniqueFd& pidfd, int signal) {
  const long result = ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
  checked(static_cast<int>(result), "pidfd_send_signal", "signal " + std::to_string(signal));
}

}  // namespace vmpulse
