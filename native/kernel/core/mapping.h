#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <string>

#include "core/syscall_error.h"

namespace vmpulse {

// The one owner of a read-write memory mapping: of a descriptor, or anonymous where fd is -1.
class Mapping {
 public:
  Mapping(size_t bytes, int fd, const std::string& subject) : bytes_(bytes) {
    const int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
    address_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (address_ == MAP_FAILED) checked(-1, "mmap", subject);
  }
  ~Mapping() { ::munmap(address_, bytes_); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  unsigned char* data() const noexcept { return static_cast<unsigned char*>(address_); }
  size_t bytes() const noexcept { return bytes_; }

 private:
  void* address_;
  size_t bytes_;
};

}  // namespace vmpulse
