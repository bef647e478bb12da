#pragma once

#include "core/unique_fd.h"

namespace vmpulse {

// Opens /dev/kvm, close-on-exec; the caller owns it. Throws SyscallError (ENOENT, EACCES, ENODEV …).
UniqueFd openKvm();

// KVM_GET_API_VERSION: 12 since Linux 2.6.22; the kernel's manual says to refuse anything else.
int kvmApiVersion(const UniqueFd& kvm);

// Bytes of the shared run structure of one vCPU.
int kvmVcpuMmapBytes(const UniqueFd& kvm);

// KVM_CHECK_EXTENSION on the device: 0 absent, 1 present, or the number the capability stands for.
int kvmCapability(const UniqueFd& kvm, int capability);

}  // namespace vmpulse
