#include "core/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include "core/syscall_error.h"

namespace vmpulse {

UniqueFd lockFile(const std::string& path) {
  // O_NONBLOCK: the path may be a FIFO, and the call has to end. Reading rights are enough for flock.
  const int flags = O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  UniqueFd fd(checked(::open(path.c_str(), flags, 0600), "open", path));
  checked(::flock(fd.get(), LOCK_EX | LOCK_NB), "flock", path);
  return fd;
}

}  // namespace vmpulse
