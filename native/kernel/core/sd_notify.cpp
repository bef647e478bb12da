#include "core/sd_notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "core/syscall_error.h"
#include "core/unique_fd.h"

namespace vmpulse {

void sdNotify(const std::string& path, const std::string& message) {
  if (path.empty() || (path[0] != '/' && path[0] != '@')) throw SyscallError(EINVAL, "sendto", path);

  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) throw SyscallError(ENAMETOOLONG, "sendto", path);
  std::memcpy(address.sun_path, path.data(), path.size());

  // An abstract name is every byte up to the given length; a path ends at its zero byte, which is counted.
  const bool abstract = path[0] == '@';
  if (abstract) address.sun_path[0] = '\0';
  const size_t length = offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1);

  const UniqueFd fd(checked(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket", "AF_UNIX"));
  const ssize_t sent = ::sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                                reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(length));
  checked(sent < 0 ? -1 : 0, "sendto", path);
}

}  // namespace vmpulse
