#include "core/kvm_info.h"

#include <linux/kvm.h>

#include <array>

#include "core/kvm_device.h"

namespace vmpulse {

namespace {

// What decides whether, how large and how observable guests can be here.
constexpr std::array<std::pair<std::string_view, int>, 11> kCapabilities = {{
    {"NR_VCPUS", KVM_CAP_NR_VCPUS},
    {"MAX_VCPUS", KVM_CAP_MAX_VCPUS},
    {"MAX_VCPU_ID", KVM_CAP_MAX_VCPU_ID},
    {"NR_MEMSLOTS", KVM_CAP_NR_MEMSLOTS},
    {"USER_MEMORY", KVM_CAP_USER_MEMORY},
    {"IRQCHIP", KVM_CAP_IRQCHIP},
    {"IRQFD", KVM_CAP_IRQFD},
    {"IOEVENTFD", KVM_CAP_IOEVENTFD},
    {"IMMEDIATE_EXIT", KVM_CAP_IMMEDIATE_EXIT},
    {"SYNC_MMU", KVM_CAP_SYNC_MMU},
    {"BINARY_STATS_FD", KVM_CAP_BINARY_STATS_FD},
}};

}  // namespace

KvmInfo kvmInfo() {
  const UniqueFd kvm = openKvm();
  KvmInfo info{kvmApiVersion(kvm), kvmVcpuMmapBytes(kvm), {}};
  info.capabilities.reserve(kCapabilities.size());
  for (const auto& [name, capability] : kCapabilities) {
    info.capabilities.emplace_back(name, kvmCapability(kvm, capability));
  }
  return info;
}

}  // namespace vmpulse
