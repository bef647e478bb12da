#include "core/kvm_info.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "kvm_support.h"

namespace vmpulse {
namespace {

TEST(KvmInfo, TellsVersionAndCapabilities) {
  VMPULSE_NEEDS_KVM();
  const KvmInfo info = kvmInfo();
  EXPECT_EQ(info.apiVersion, 12);
  EXPECT_GE(info.vcpuMmapBytes, 4096);
  const std::map<std::string_view, int> found(info.capabilities.begin(), info.capabilities.end());
  EXPECT_EQ(found.size(), info.capabilities.size()) << "a name is listed twice";
  EXPECT_GE(found.at("NR_VCPUS"), 1);
  EXPECT_GE(found.at("MAX_VCPUS"), found.at("NR_VCPUS"));
  EXPECT_EQ(found.at("USER_MEMORY"), 1);
}

}  // namespace
}  // namespace vmpulse
