// What every raw loop shares: its command line, its pace, its counts, and the targets' addresses.
#pragma once
#include <netinet/in.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

struct Job {
  std::string_view kind;
  uint16_t port;
  uint32_t targets;
  uint64_t ratePerSecond;
};

struct Counts {
  uint64_t started = 0;
  uint64_t ok = 0;
  uint64_t failed = 0;
};

constexpr uint64_t kTickNs = 2'000'000;
constexpr uint32_t kMaxInFlight = 4096;

[[noreturn]] inline void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

inline uint64_t nowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// The address of the n-th target, as loopbackAddress() of responder.mjs has it.
inline sockaddr_in targetAddress(const Job& job, uint64_t n) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(job.port);
  address.sin_addr.s_addr = htonl((127u << 24) + (1u << 16) + static_cast<uint32_t>(n % job.targets));
  return address;
}

// Says how many probes are due, tick by tick. What did not fit into a tick is left out, so that a loop that
// cannot keep up is measured at the rate it can.
class Pace {
 public:
  explicit Pace(const Job& job) : rate_(job.ratePerSecond), startedNs_(nowNs()), tickNs_(startedNs_) {}

  // Probes to start now; at most `room`.
  uint64_t due(uint64_t room) {
    const uint64_t now = nowNs();
    if (now < tickNs_) return 0;
    tickNs_ = now - (now - startedNs_) % kTickNs + kTickNs;
    // In halves, so that a week at full rate does not overflow.
    const uint64_t until = (now - startedNs_) / 1000 * rate_ / 1'000'000;
    const uint64_t count = until - given_;
    given_ = until;
    return count < room ? count : room;
  }

  int waitMs() const {
    const uint64_t now = nowNs();
    return now >= tickNs_ ? 0 : static_cast<int>((tickNs_ - now + 999'999) / 1'000'000);
  }

 private:
  uint64_t rate_;
  uint64_t startedNs_;
  uint64_t tickNs_;
  uint64_t given_ = 0;
};

// Answers each line on standard input with the counts so far; false once it is closed, which ends the loop.
inline bool serveStdin(const Counts& counts) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  if (poll(&input, 1, 0) != 1) return true;
  char buffer[64];
  if (read(STDIN_FILENO, buffer, sizeof(buffer)) <= 0) return false;
  std::printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", counts.started, counts.ok, counts.failed);
  std::fflush(stdout);
  return true;
}

void runEpoll(const Job& job);
void runRecycled(const Job& job);
void runRing(const Job& job);
void runHalfOpen(const Job& job);
void runPing(const Job& job);
