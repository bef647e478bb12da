#pragma once

#include <string_view>
#include <utility>
#include <vector>

namespace vmpulse {

struct KvmInfo {
  int apiVersion;
  int vcpuMmapBytes;
  // Kernel's name without KVM_CAP_, and what KVM_CHECK_EXTENSION says of it.
  std::vector<std::pair<std::string_view, int>> capabilities;
};

// Asks /dev/kvm what it can do; creates no VM. Throws SyscallError.
KvmInfo kvmInfo();

}  // namespace vmpulse
