#include "core/vsock.h"

#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <sys/ioctl.h>

#include "core/syscall_error.h"
#include "core/unique_fd.h"

namespace vmpulse {

uint32_t vsockLocalCid() {
  const char* path = "/dev/vsock";
  const UniqueFd fd(checked(::open(path, O_RDONLY | O_CLOEXEC), "open", path));
  unsigned int cid = 0;
  // The request writes exactly one unsigned int to the given address.
  checked(::ioctl(fd.get(), IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid), "ioctl(IOCTL_VM_SOCKETS_GET_LOCAL_CID)",
          path);
  return cid;
}

}  // namespace vmpulse
