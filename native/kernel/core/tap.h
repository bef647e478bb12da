#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace vmpulse {

struct TapOwners {
  std::optional<uid_t> user;   // May attach without CAP_NET_ADMIN.
  std::optional<gid_t> group;  // The same for its members.
};

// Makes a persistent TAP device of one queue with virtio headers, which QEMU, Cloud Hypervisor and
// Firecracker attach to by name. It is down and on no bridge. Throws SyscallError: EBUSY when the name is
// taken, EPERM without CAP_NET_ADMIN, "open" ENOENT without /dev/net/tun; nothing is left then.
void createTap(const std::string& name, const TapOwners& owners);

}  // namespace vmpulse
