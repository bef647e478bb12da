#pragma once

#include <stdexcept>
#include <string>

namespace vmpulse {

// A system call that failed: which one, on what, and how. The addon turns it into ERR_VMPULSE_SYSCALL.
class SyscallError : public std::runtime_error {
 public:
  // `subject` is what the call was about, for the message: a path, "pid 42".
  SyscallError(int error, const std::string& syscall, const std::string& subject);

  int error() const noexcept { return error_; }
  const std::string& syscall() const noexcept { return syscall_; }

 private:
  int error_;
  std::string syscall_;
};

// Passes a result through; -1 becomes a SyscallError of the present errno.
int checked(int result, const char* syscall, const std::string& subject);

}  // namespace vmpulse
