#include "core/tap.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "core/syscall_error.h"
#include "core/unique_fd.h"

namespace vmpulse {

void createTap(const std::string& name, const TapOwners& owners) {
  const char* path = "/dev/net/tun";
  const UniqueFd fd(checked(::open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK), "open", path));
  ifreq request{};
  if (name.size() >= sizeof(request.ifr_name)) throw SyscallError(ENAMETOOLONG, "ioctl(TUNSETIFF)", name);
  std::memcpy(request.ifr_name, name.c_str(), name.size());
  // EXCL: a device of that name, maybe somebody else's, is never taken over.
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL);
  // The request reads one ifreq, and writes the name back into it.
  checked(::ioctl(fd.get(), TUNSETIFF, &request), "ioctl(TUNSETIFF)", name);
  // What follows takes its argument by value. Until it persists, the device goes with the descriptor.
  if (owners.user) {
    checked(::ioctl(fd.get(), TUNSETOWNER, static_cast<unsigned long>(*owners.user)), "ioctl(TUNSETOWNER)",
            name);
  }
  if (owners.group) {
    checked(::ioctl(fd.get(), TUNSETGROUP, static_cast<unsigned long>(*owners.group)), "ioctl(TUNSETGROUP)",
            name);
  }
  checked(::ioctl(fd.get(), TUNSETPERSIST, 1UL), "ioctl(TUNSETPERSIST)", name);
}

}  // namespace vmpulse
