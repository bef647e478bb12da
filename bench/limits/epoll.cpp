// A new socket a probe, epoll: what the engine does, and nothing else.
#include <sys/epoll.h>

#include <array>
#include <cerrno>

#include "sockets.h"

namespace {

struct Shape {
  bool http;
  bool delayed;
  bool reset;
};

Shape shapeOf(std::string_view kind) {
  if (kind == "tcp") return {false, true, true};
  if (kind == "tcp-full") return {false, false, true};
  if (kind == "tcp-fin") return {false, false, false};
  if (kind == "http") return {true, true, true};
  return {true, false, true};
}

void watch(int epoll, int operation, int fd, uint32_t flags) {
  epoll_event event{};
  event.events = flags;
  event.data.fd = fd;
  if (epoll_ctl(epoll, operation, fd, &event) != 0) fail("epoll_ctl");
}

bool start(int epoll, const Shape& shape, const sockaddr_in& address) {
  const int fd = openSocket();
  if (shape.delayed) delayAck(fd);
  if (shape.reset) closeByReset(fd);
  if (!beginConnect(fd, address)) {
    close(fd);
    return false;
  }
  // HTTP: once, for both directions, by edge.
  watch(epoll, EPOLL_CTL_ADD, fd, shape.http ? EPOLLIN | EPOLLOUT | EPOLLET : EPOLLOUT);
  return true;
}

enum class Step { kWait, kOk, kFailed };

Step step(const Shape& shape, int fd, uint32_t flags) {
  if (flags & (EPOLLERR | EPOLLHUP)) return Step::kFailed;
  if (!shape.http) return Step::kOk;
  if (flags & EPOLLIN) {
    std::array<char, 4096> buffer;
    const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
    return isAnswer(buffer.data(), size) ? Step::kOk : Step::kFailed;
  }
  return sendRequest(fd) ? Step::kWait : Step::kFailed;
}

}  // namespace

void runEpoll(const Job& job) {
  const Shape shape = shapeOf(job.kind);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) fail("epoll_create1");
  std::array<epoll_event, 1024> events;
  Counts counts;
  Pace pace(job);
  uint64_t inFlight = 0;
  const auto end = [&](bool ok) { ++(ok ? counts.ok : counts.failed); };
  while (serveStdin(counts)) {
    for (uint64_t n = pace.due(kMaxInFlight - inFlight); n > 0; --n) {
      if (start(epoll, shape, targetAddress(job, counts.started++))) {
        ++inFlight;
      } else {
        end(false);
      }
    }
    const int ready = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), pace.waitMs());
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      const Step result = step(shape, fd, events[static_cast<size_t>(i)].events);
      if (result == Step::kWait) continue;
      close(fd);
      --inFlight;
      end(result == Step::kOk);
    }
  }
}
