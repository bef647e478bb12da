#include "core/syscall_error.h"

#include <cerrno>
#include <system_error>

#include "core/errno_name.h"

namespace vmpulse {

SyscallError::SyscallError(int error, const std::string& syscall, const std::string& subject)
    : std::runtime_error(syscall + " " + subject + ": " + errnoName(error) + " (" +
                         std::generic_category().message(error) + ")"),
      error_(error),
      syscall_(syscall) {}

int checked(int result, const char* syscall, const std::string& subject) {
  if (result == -1) {
    const int error = errno;  // Saved before the strings below allocate.
    throw SyscallError(error, syscall, subject);
  }
  return result;
}

}  // namespace vmpulse
