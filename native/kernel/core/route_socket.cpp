#include "core/route_socket.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>

#include "core/syscall_error.h"

namespace vmpulse {

namespace {

constexpr timeval kReplyTimeout{1, 0};
// The kernel never puts more into one datagram of a dump.
constexpr size_t kReceiveBytes = 64 * 1024;

}  // namespace

RouteSocket::RouteSocket()
    : fd_(checked(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "socket", "NETLINK_ROUTE")) {
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    checked(::setsockopt(fd_.get(), SOL_SOCKET, option, &kReplyTimeout, sizeof(kReplyTimeout)), "setsockopt",
            "NETLINK_ROUTE");
  }
}

void RouteSocket::ask(NetlinkMessage& request, const char* what, const std::string& subject,
                      const EachMessage& each) {
  const uint32_t sequence = ++sequence_;
  const auto& bytes = request.finish(sequence);
  checked(static_cast<int>(::send(fd_.get(), bytes.data(), bytes.size(), 0)), what, subject);
  std::vector<std::byte> received(kReceiveBytes);
  for (bool ended = false; !ended;) {
    const ssize_t count = ::recv(fd_.get(), received.data(), received.size(), 0);
    if (count == -1 && errno == EINTR) continue;
    if (count == -1 && errno == EAGAIN) throw SyscallError(ETIMEDOUT, what, subject);
    checked(static_cast<int>(count), what, subject);
    forEachMessage(received.data(), static_cast<size_t>(count),
                   [&](const nlmsghdr& head, const std::byte* data, size_t size) {
                     if (head.nlmsg_seq != sequence || ended) return;  // Of a request that was given up.
                     if (head.nlmsg_type == NLMSG_ERROR || head.nlmsg_type == NLMSG_DONE) {
                       // Both begin with an errno, negative; 0 acknowledges.
                       const int error = -valueOf<int>(data, size);
                       if (error > 0) throw SyscallError(error, what, subject);
                       ended = true;
                       return;
                     }
                     if (each) each(head.nlmsg_type, data, size);
                   });
  }
}

void forEachMessage(const std::byte* data, size_t bytes,
                    const std::function<void(const nlmsghdr&, const std::byte*, size_t)>& each) {
  for (size_t at = 0; at + NLMSG_HDRLEN <= bytes;) {
    nlmsghdr head;
    std::memcpy(&head, data + at, sizeof(head));
    if (head.nlmsg_len < NLMSG_HDRLEN || head.nlmsg_len > bytes - at) return;
    each(head, data + at + NLMSG_HDRLEN, head.nlmsg_len - NLMSG_HDRLEN);
    at += NLMSG_ALIGN(head.nlmsg_len);
  }
}

}  // namespace vmpulse
