#include "core/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "core/syscall_error.h"

namespace vmpulse {

namespace {

// Bounds the retries against a holder that makes and removes the file again and again.
constexpr int kAttempts = 100;

// Whether the path still names the locked file: a holder that removed it while we waited for its lock leaves
// us with a lock on a file that nobody else can find.
bool isAt(const UniqueFd& fd, const std::string& path) {
  struct stat locked {};
  struct stat named {};
  checked(::fstat(fd.get(), &locked), "fstat", path);
  if (::lstat(path.c_str(), &named) != 0) return false;
  return locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

}  // namespace

UniqueFd lockFile(const std::string& path) {
  // O_NONBLOCK: the path may be a FIFO, and the call has to end. Reading rights are enough for flock.
  const int flags = O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    UniqueFd fd(checked(::open(path.c_str(), flags, 0600), "open", path));
    checked(::flock(fd.get(), LOCK_EX | LOCK_NB), "flock", path);
    if (isAt(fd, path)) return fd;
  }
  throw SyscallError(EAGAIN, "flock", path);
}

}  // namespace vmpulse
