#pragma once

#include <string>

#include "core/unique_fd.h"

namespace vmpulse {

// Takes an exclusive flock on the file, created with mode 0600 where missing, without waiting. The lock lives
// as long as the returned descriptor, which the caller owns; the kernel drops it when the process ends in any
// way. Throws SyscallError: "flock" EAGAIN when another holder has it; "open" ENOENT, EACCES, EISDIR, ELOOP
// (a symbolic link is not followed). A holder may remove the file before it lets go: the lock is taken anew
// on whatever the path names by then, so two never hold it.
UniqueFd lockFile(const std::string& path);

}  // namespace vmpulse
