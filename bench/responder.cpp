// The other end of the probes: listens on every loopback address, answers each request with the same small
// 200 and leaves closing to the peer. Prints its port; ends when its standard input does, so that it never
// outlives the bench.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// Only what comes in through the loopback device is accepted: the machine's other networks see nothing of it.
int listenOnLoopback() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2) != 0) fail("SO_BINDTODEVICE");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) fail("bind");
  if (listen(fd, 65535) != 0) fail("listen");
  return fd;
}

int portOf(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) fail("getsockname");
  return ntohs(address.sin_port);
}

void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

void acceptAll(int epoll, int listener) {
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      watch(epoll, fd);
    } else if (errno != ECONNABORTED && errno != EINTR) {
      return;
    }
  }
}

// A request of a probe comes in one segment.
void answer(int fd) {
  std::array<char, 4096> buffer;
  const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
  if (size > 0 && std::string_view(buffer.data(), static_cast<size_t>(size)).ends_with("\r\n\r\n")) {
    if (send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL) > 0) return;
  } else if (size > 0 || (size < 0 && errno == EAGAIN)) {
    return;
  }
  close(fd);
}

}  // namespace

int main() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  // Ctrl-C reaches the whole group; the bench decides when this ends.
  std::signal(SIGINT, SIG_IGN);
  const int listener = listenOnLoopback();
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) fail("epoll_create1");
  watch(epoll, listener);
  watch(epoll, STDIN_FILENO);
  std::printf("%d\n", portOf(listener));
  std::fflush(stdout);
  std::array<epoll_event, 256> events;
  for (;;) {
    const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < std::max(count, 0); ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == STDIN_FILENO) return 0;
      if (fd == listener) {
        acceptAll(epoll, listener);
      } else {
        answer(fd);
      }
    }
  }
}
