#include "core/link_index.h"

#include <net/if.h>

#include <cerrno>

#include "core/syscall_error.h"

namespace vmpulse {

int linkIndex(const std::string& name) {
  const unsigned index = ::if_nametoindex(name.c_str());
  if (index == 0) throw SyscallError(errno == ENXIO ? ENODEV : errno, "if_nametoindex", name);
  return static_cast<int>(index);
}

}  // namespace vmpulse
