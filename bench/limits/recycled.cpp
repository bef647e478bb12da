// Sockets that are used again: connect to AF_UNSPEC resets the connection and leaves a fresh socket that is
// still in epoll. A probe is two calls: connect, connect (HTTP: send and recv more).
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <vector>

#include "sockets.h"

namespace {

class Pool {
 public:
  explicit Pool(int epoll) : epoll_(epoll) {}

  int take() {
    if (free_.empty()) return make();
    const int fd = free_.back();
    free_.pop_back();
    return fd;
  }

  void giveBack(int fd) {
    sockaddr none{};
    none.sa_family = AF_UNSPEC;
    if (connect(fd, &none, sizeof(none)) != 0) fail("connect AF_UNSPEC");
    free_.push_back(fd);
  }

 private:
  int make() {
    const int fd = openSocket();
    delayAck(fd);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.fd = fd;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
    return fd;
  }

  int epoll_;
  std::vector<int> free_;
};

enum class State : uint8_t { kIdle, kConnecting, kAsked };

}  // namespace

void runRecycled(const Job& job) {
  const bool http = job.kind.starts_with("http");
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) fail("epoll_create1");
  std::array<epoll_event, 1024> events;
  std::vector<State> states(20'000, State::kIdle);
  Counts counts;
  Pace pace(job);
  Pool pool(epoll);
  uint64_t inFlight = 0;
  const auto end = [&](int fd, bool ok) {
    states[static_cast<size_t>(fd)] = State::kIdle;
    pool.giveBack(fd);
    --inFlight;
    ++(ok ? counts.ok : counts.failed);
  };
  while (serveStdin(counts)) {
    for (uint64_t n = pace.due(kMaxInFlight - inFlight); n > 0; --n) {
      const int fd = pool.take();
      ++inFlight;
      states[static_cast<size_t>(fd)] = State::kConnecting;
      if (!beginConnect(fd, targetAddress(job, counts.started++))) end(fd, false);
    }
    const int ready = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), pace.waitMs());
    for (int i = 0; i < ready; ++i) {
      const auto& event = events[static_cast<size_t>(i)];
      const int fd = event.data.fd;
      State& state = states[static_cast<size_t>(fd)];
      if (state == State::kIdle) continue;
      if (event.events & (EPOLLERR | EPOLLHUP)) {
        end(fd, false);
      } else if (!http) {
        end(fd, true);
      } else if (event.events & EPOLLIN) {
        std::array<char, 4096> buffer;
        end(fd, isAnswer(buffer.data(), recv(fd, buffer.data(), buffer.size(), 0)));
      } else if (state == State::kConnecting) {
        state = State::kAsked;
        if (!sendRequest(fd)) end(fd, false);
      }
    }
  }
}
