#include "core/pidfd.h"

#include <fcntl.h>
#include <poll.h>

#include "support.h"

namespace vmpulse {
namespace {

using testing::failureOf;
using testing::WaitingChild;

bool exitedWithin(const UniqueFd& pidfd, int timeoutMs) {
  pollfd entry{pidfd.get(), POLLIN, 0};
  return ::poll(&entry, 1, timeoutMs) == 1;
}

TEST(Pidfd, IsCloseOnExecAndNonblocking) {
  const UniqueFd pidfd = openPidfd(::getpid());
  EXPECT_NE(::fcntl(pidfd.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(::fcntl(pidfd.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(Pidfd, BecomesReadableWhenASignalEndsTheProcess) {
  WaitingChild child;
  const UniqueFd pidfd = openPidfd(child.pid());
  EXPECT_FALSE(exitedWithin(pidfd, 0));
  signalPidfd(pidfd, SIGTERM);
  EXPECT_TRUE(exitedWithin(pidfd, 30'000));
  const int status = child.reap();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

TEST(Pidfd, SignalZeroTellsWhetherItExists) {
  WaitingChild child;
  const UniqueFd pidfd = openPidfd(child.pid());
  signalPidfd(pidfd, 0);
  signalPidfd(pidfd, SIGKILL);
  child.reap();
  EXPECT_EQ(failureOf("pidfd_send_signal", [&] { signalPidfd(pidfd, 0); }), ESRCH);
}

TEST(Pidfd, NamesAMissingProcess) {
  WaitingChild child;
  const pid_t pid = child.pid();
  ::kill(pid, SIGKILL);
  child.reap();
  EXPECT_EQ(failureOf("pidfd_open", [pid] { openPidfd(pid); }), ESRCH);
}

TEST(Pidfd, RefusesAnUnknownSignal) {
  const UniqueFd pidfd = openPidfd(::getpid());
  EXPECT_EQ(failureOf("pidfd_send_signal", [&] { signalPidfd(pidfd, 1000); }), EINVAL);
}

}  // namespace
}  // namespace vmpulse
