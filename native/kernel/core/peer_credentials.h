#pragma once

#include <sys/types.h>

#include <vector>

namespace vmpulse {

// Who was at the other end of a Unix stream socket when it connected; later changes of that process do not
// count.
struct PeerCredentials {
  // 0: of a PID namespace that this process does not see.
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

// SO_PEERCRED of a connected socket, which the caller keeps open. Throws SyscallError (ENOTSOCK, EBADF, or
// ENOTCONN where there is no peer with credentials).
PeerCredentials peerCredentials(int fd);

// SO_PEERGROUPS: the supplementary groups that the peer had. Throws as above; ENOPROTOOPT before Linux 4.13.
std::vector<gid_t> peerGroups(int fd);

}  // namespace vmpulse
