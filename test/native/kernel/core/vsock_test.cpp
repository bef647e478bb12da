#include "core/vsock.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace vmpulse {
namespace {

TEST(Vsock, TellsTheLocalCid) {
  if (::access("/dev/vsock", R_OK) != 0) GTEST_SKIP() << "no readable /dev/vsock on this machine";
  EXPECT_GE(vsockLocalCid(), 1u);  // 0 is the hypervisor's own, never a machine's.
}

}  // namespace
}  // namespace vmpulse
