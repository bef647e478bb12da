#pragma once

#include <cstdint>

namespace vmpulse {

// The context id of this machine: 2 on a host, its own number inside a guest, VMADDR_CID_ANY (0xffffffff)
// when no transport is loaded. Opens the control device only, never a connection. Throws SyscallError
// (ENOENT: no vsock).
uint32_t vsockLocalCid();

}  // namespace vmpulse
