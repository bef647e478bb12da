#include "core/kvm_device.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "core/syscall_error.h"

namespace vmpulse {

namespace {
constexpr const char* kPath = "/dev/kvm";
}

UniqueFd openKvm() {
  return UniqueFd(checked(::open(kPath, O_RDWR | O_CLOEXEC), "open", kPath));
}

// The three requests below take an integer, not an address: the kernel writes nothing here.
int kvmApiVersion(const UniqueFd& kvm) {
  return checked(::ioctl(kvm.get(), KVM_GET_API_VERSION, 0), "ioctl(KVM_GET_API_VERSION)", kPath);
}

int kvmVcpuMmapBytes(const UniqueFd& kvm) {
  return checked(::ioctl(kvm.get(), KVM_GET_VCPU_MMAP_SIZE, 0), "ioctl(KVM_GET_VCPU_MMAP_SIZE)", kPath);
}

int kvmCapability(const UniqueFd& kvm, int capability) {
  return checked(::ioctl(kvm.get(), KVM_CHECK_EXTENSION, capability), "ioctl(KVM_CHECK_EXTENSION)", kPath);
}

}  // namespace vmpulse
