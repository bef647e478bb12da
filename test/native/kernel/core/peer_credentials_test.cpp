#include "core/peer_credentials.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/syscall_error.h"
#include "core/unique_fd.h"

namespace vmpulse {
namespace {

int errnoOf(int fd) {
  try {
    peerCredentials(fd);
  } catch (const SyscallError& error) {
    return error.error();
  }
  return 0;
}

TEST(PeerCredentials, AreThoseOfTheOtherEnd) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd one(ends[0]);
  const UniqueFd other(ends[1]);
  const PeerCredentials found = peerCredentials(one.get());
  EXPECT_EQ(found.pid, ::getpid());
  EXPECT_EQ(found.uid, ::geteuid());
  EXPECT_EQ(found.gid, ::getegid());
}

TEST(PeerCredentials, NamesEveryGroupOfTheOtherEnd) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd one(ends[0]);
  const UniqueFd other(ends[1]);
  const int count = ::getgroups(0, nullptr);
  ASSERT_GE(count, 0);
  std::vector<gid_t> own(static_cast<size_t>(count));
  ASSERT_EQ(::getgroups(count, own.data()), count);
  std::vector<gid_t> found = peerGroups(one.get());
  std::sort(own.begin(), own.end());
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, own);
}

TEST(PeerCredentials, AreMissingWhereThereIsNoPeer) {
  EXPECT_EQ(errnoOf(-1), EBADF);
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(errnoOf(file.get()), ENOTSOCK);
  const UniqueFd lonely(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(errnoOf(lonely.get()), ENOTCONN);
  const UniqueFd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(errnoOf(tcp.get()), ENOTCONN);
}

}  // namespace
}  // namespace vmpulse
