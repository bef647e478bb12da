#pragma once

#include <sys/types.h>

#include "core/unique_fd.h"

namespace vmpulse {

// A descriptor of the process that has `pid` now: close-on-exec, readable (poll) once the process ended.
// Throws SyscallError: ESRCH when there is none, EINVAL for the id of a thread. The caller owns the result.
UniqueFd openPidfd(pid_t pid);

// Sends `signal` (0 = only ask whether it exists) to exactly that process, never to a later one of its PID.
// Throws SyscallError: ESRCH once the process was reaped, EPERM, EINVAL for an unknown signal.
void signalPidfd(const UniqueFd& pidfd, int signal);

}  // namespace vmpulse
