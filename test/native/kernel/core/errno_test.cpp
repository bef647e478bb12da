#include <gtest/gtest.h>

#include <cerrno>

#include "core/errno_name.h"
#include "core/syscall_error.h"

namespace vmpulse {
namespace {

TEST(ErrnoName, NamesWhatItKnowsAndNumbersTheRest) {
  EXPECT_EQ(errnoName(ESRCH), "ESRCH");
  EXPECT_EQ(errnoName(EWOULDBLOCK), "EAGAIN");  // The same number on Linux.
  EXPECT_EQ(errnoName(99999), "ERRNO_99999");
}

TEST(SyscallError, NamesCallSubjectAndError) {
  const SyscallError error(ENOENT, "open", "/dev/kvm");
  EXPECT_STREQ(error.what(), "open /dev/kvm: ENOENT (No such file or directory)");
  EXPECT_EQ(error.error(), ENOENT);
  EXPECT_EQ(error.syscall(), "open");
}

TEST(Checked, PassesResultsAndThrowsFailures) {
  EXPECT_EQ(checked(7, "open", "x"), 7);
  errno = EMFILE;
  try {
    checked(-1, "open", "x");
    FAIL() << "-1 has to throw";
  } catch (const SyscallError& error) {
    EXPECT_EQ(error.error(), EMFILE);
  }
}

}  // namespace
}  // namespace vmpulse
