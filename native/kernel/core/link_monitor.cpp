#include "core/link_monitor.h"

#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "core/route_socket.h"
#include "core/syscall_error.h"

namespace vmpulse {

namespace {

constexpr int kBufferBytes = 1024 * 1024;
// One message of a link is below 4 KiB; a datagram holds few.
constexpr size_t kReceiveBytes = 32 * 1024;

}  // namespace

LinkMonitor::LinkMonitor()
    : socket_(checked(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), "socket",
                      "NETLINK_ROUTE")),
      stop_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd", "link monitor")) {
  // Best effort: what does not fit is told as an overrun.
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &kBufferBytes, sizeof(kBufferBytes));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  checked(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), "bind",
          "RTMGRP_LINK");
}

bool LinkMonitor::wait(LinkNews& news) {
  for (;;) {
    std::array<pollfd, 2> entries{{{socket_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
    if (::poll(entries.data(), entries.size(), -1) == -1) {
      if (errno == EINTR) continue;
      throw SyscallError(errno, "poll", "RTMGRP_LINK");
    }
    if (entries[1].revents != 0) return false;
    receive(news);
    if (!news.names.empty() || news.overrun) return true;
  }
}

void LinkMonitor::stop() noexcept {
  // Cannot block: the counter has room for 2^64 - 2 of them.
  ::eventfd_write(stop_.get(), 1);
}

void LinkMonitor::receive(LinkNews& news) {
  std::array<std::byte, kReceiveBytes> received;
  for (;;) {
    sockaddr_nl from{};
    socklen_t fromBytes = sizeof(from);
    const ssize_t count = ::recvfrom(socket_.get(), received.data(), received.size(), 0,
                                     reinterpret_cast<sockaddr*>(&from), &fromBytes);
    if (count == -1 && errno == EAGAIN) return;
    if (count == -1 && errno == EINTR) continue;
    if (count == -1 && errno == ENOBUFS) {
      news.overrun = true;
      continue;
    }
    if (count == -1) throw SyscallError(errno, "recvfrom", "RTMGRP_LINK");
    if (from.nl_pid != 0) continue;  // Only the kernel is believed.
    forEachMessage(received.data(), static_cast<size_t>(count),
                   [&news](const nlmsghdr& head, const std::byte* data, size_t bytes) {
                     const size_t skip = NLMSG_ALIGN(sizeof(ifinfomsg));
                     if (head.nlmsg_type != RTM_NEWLINK && head.nlmsg_type != RTM_DELLINK) return;
                     if (bytes < skip) return;
                     Attributes(data + skip, bytes - skip)
                         .forEach([&news](uint16_t type, const std::byte* value, size_t size) {
                           if (type == IFLA_IFNAME) news.names.insert(textOf(value, size));
                         });
                   });
  }
}

}  // namespace vmpulse
