#include "core/watchdog.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "core/syscall_error.h"

// No device is opened here: that would arm a watchdog of the machine which runs the tests.
namespace vmpulse {
namespace {

TEST(Watchdog, NamesTheCallThatFailed) {
  try {
    openWatchdog("/no/such/device");
    FAIL() << "opened";
  } catch (const SyscallError& error) {
    EXPECT_EQ(error.error(), ENOENT);
    EXPECT_EQ(error.syscall(), "open");
  }
  const UniqueFd null = openWatchdog("/dev/null");
  try {
    setUpWatchdog(null, "/dev/null", 30, 0);
    FAIL() << "set up";
  } catch (const SyscallError& error) {
    EXPECT_EQ(error.error(), ENOTTY);
    EXPECT_EQ(error.syscall(), "ioctl(WDIOC_GETSUPPORT)");
  }
  EXPECT_THROW(feedWatchdog(null), SyscallError);
  EXPECT_NO_THROW(announceClose(null));
}

}  // namespace
}  // namespace vmpulse
