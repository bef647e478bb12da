// limits MODE KIND PORT TARGETS RATE: probes loopback targets at a rate, as lean as a program can be that
// does nothing else. They show how far a prober is from what the kernel takes. Prints `started ok failed` for
// each line on standard input and ends when that does.
#include <sys/resource.h>

#include <csignal>

#include "pace.h"

namespace {

struct Mode {
  std::string_view name;
  void (*run)(const Job&);
};

constexpr Mode kModes[] = {
    {"epoll", runEpoll},        {"recycled", runRecycled}, {"io_uring", runRing},
    {"half-open", runHalfOpen}, {"icmp", runPing},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fputs("usage: limits MODE KIND PORT TARGETS RATE\n", stderr);
    return 64;
  }
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  // Ctrl-C reaches the whole group; the bench decides when this ends.
  std::signal(SIGINT, SIG_IGN);
  const Job job{argv[2], static_cast<uint16_t>(std::atoi(argv[3])), static_cast<uint32_t>(std::atoi(argv[4])),
                static_cast<uint64_t>(std::atoll(argv[5]))};
  for (const Mode& mode : kModes) {
    if (mode.name == argv[1]) {
      mode.run(job);
      return 0;
    }
  }
  std::fputs("no such mode\n", stderr);
  return 64;
}
