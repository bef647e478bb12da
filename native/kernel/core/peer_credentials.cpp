#include "core/peer_credentials.h"

#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "core/syscall_error.h"

#ifndef SO_PEERGROUPS
// Since Linux 4.13; older headers do not name it.
#define SO_PEERGROUPS 59
#endif

namespace vmpulse {

namespace {
// What most peers have fits; the kernel says how much room the others need, at most NGROUPS_MAX (65,536).
constexpr size_t kUsualGroups = 64;

std::string subjectOf(int fd) {
  return "fd " + std::to_string(fd);
}
}  // namespace

PeerCredentials peerCredentials(int fd) {
  ucred found{};
  socklen_t length = sizeof(found);
  checked(::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &found, &length), "getsockopt(SO_PEERCRED)",
          subjectOf(fd));
  // A TCP socket, or one that is not connected, is answered with no user at all.
  if (found.uid == static_cast<uid_t>(-1))
    throw SyscallError(ENOTCONN, "getsockopt(SO_PEERCRED)", subjectOf(fd));
  return {found.pid, found.uid, found.gid};
}

std::vector<gid_t> peerGroups(int fd) {
  std::vector<gid_t> groups(kUsualGroups);
  // The groups of a peer never change, so that the room that was asked for is enough the second time.
  for (int attempt = 0; attempt < 2; ++attempt) {
    socklen_t length = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int result = ::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length);
    const bool tooSmall = result == -1 && errno == ERANGE;
    if (!tooSmall) checked(result, "getsockopt(SO_PEERGROUPS)", subjectOf(fd));
    groups.resize(length / sizeof(gid_t));
    if (!tooSmall) return groups;
  }
  throw SyscallError(ERANGE, "getsockopt(SO_PEERGROUPS)", subjectOf(fd));
}

}  // namespace vmpulse
