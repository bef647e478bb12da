// The same probes as chains of linked requests: one system call submits all that is due and takes all that
// ended. `…-recycled` keeps its sockets (connect to AF_UNSPEC resets them), the others open and close one a
// probe, in places of the ring instead of the process's table of descriptors.
#include <netinet/tcp.h>

#include <array>
#include <vector>

#include "ring.h"
#include "sockets.h"

namespace {

constexpr uint32_t kPlaces = kMaxInFlight;
// Of the last request of a chain, and of what clears up after one that failed; the others are told only if
// they fail.
constexpr uint64_t kEnd = 1ull << 32;
constexpr uint64_t kCleared = 2ull << 32;
constexpr uint8_t kLinked = IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
constexpr unsigned kLongestChain = 8;

constexpr int kOn = 1;
constexpr linger kReset{1, 0};
const sockaddr kNowhere{AF_UNSPEC, {}};

struct Place {
  sockaddr_in address;
  std::array<char, 1024> answer;
};

class Prober {
 public:
  explicit Prober(const Job& job)
      : job_(job),
        http_(job.kind.starts_with("http")),
        recycled_(job.kind.ends_with("recycled")),
        places_(kPlaces) {
    std::vector<int> files(kPlaces, -1);
    for (uint32_t place = 0; place < kPlaces; ++place) {
      if (recycled_) delayAck(files[place] = openSocket());
      free_.push_back(place);
    }
    ring_.registerFiles(files.data(), kPlaces);
  }

  void run() {
    Pace pace(job_);
    while (serveStdin(counts_)) {
      for (uint64_t n = pace.due(free_.size()); n > 0; --n) {
        if (ring_.unsubmitted() + kLongestChain > Ring::kEntries) ring_.enter(0);
        start();
      }
      ring_.enter(pace.waitMs());
      ring_.completions([this](uint64_t data, int result) { completed(data, result); });
    }
  }

 private:
  void start() {
    const uint32_t place = free_.back();
    free_.pop_back();
    places_[place].address = targetAddress(job_, counts_.started++);
    if (!recycled_) {
      open(place);
      option(place, IPPROTO_TCP, TCP_DEFER_ACCEPT, &kOn, sizeof(kOn));
      option(place, SOL_SOCKET, SO_LINGER, &kReset, sizeof(kReset));
    }
    auto& connecting = linked(IORING_OP_CONNECT, place);
    connecting.addr = reinterpret_cast<uint64_t>(&places_[place].address);
    connecting.off = sizeof(sockaddr_in);
    if (http_) ask(place);
    end(place, kEnd);
  }

  io_uring_sqe& linked(uint8_t opcode, uint32_t place) {
    auto& entry = ring_.next(opcode, static_cast<int>(place), place);
    entry.flags = kLinked | IOSQE_FIXED_FILE;
    return entry;
  }

  void open(uint32_t place) {
    auto& entry = ring_.next(IORING_OP_SOCKET, AF_INET, place);
    entry.off = SOCK_STREAM;
    entry.file_index = place + 1;
    entry.flags = kLinked;
  }

  void option(uint32_t place, int level, int name, const void* value, uint32_t bytes) {
    auto& entry = linked(IORING_OP_URING_CMD, place);
    entry.off = kSocketSetOption;
    entry.addr = static_cast<uint64_t>(level) | static_cast<uint64_t>(name) << 32;
    entry.file_index = bytes;
    std::memcpy(reinterpret_cast<char*>(&entry) + 48, &value, sizeof(value));
  }

  void ask(uint32_t place) {
    auto& sending = linked(IORING_OP_SEND, place);
    sending.addr = reinterpret_cast<uint64_t>(kRequest.data());
    sending.len = kRequest.size();
    sending.msg_flags = MSG_NOSIGNAL;
    auto& receiving = linked(IORING_OP_RECV, place);
    receiving.addr = reinterpret_cast<uint64_t>(places_[place].answer.data());
    receiving.len = places_[place].answer.size();
    places_[place].answer[0] = 0;
  }

  void end(uint32_t place, uint64_t mark) {
    if (recycled_) {
      auto& entry = ring_.next(IORING_OP_CONNECT, static_cast<int>(place), mark | place);
      entry.addr = reinterpret_cast<uint64_t>(&kNowhere);
      entry.off = sizeof(kNowhere);
      entry.flags = IOSQE_FIXED_FILE;
    } else {
      auto& entry = ring_.next(IORING_OP_CLOSE, 0, mark | place);
      entry.file_index = place + 1;
    }
  }

  void completed(uint64_t data, int result) {
    const auto place = static_cast<uint32_t>(data);
    if (data & kEnd) {
      if (result == 0 && (!http_ || isAnswer(places_[place].answer.data(), places_[place].answer.size()))) {
        ++counts_.ok;
      } else {
        ++counts_.failed;
        if (result != 0) return end(place, kCleared);
      }
      free_.push_back(place);
    } else if (data & kCleared) {
      free_.push_back(place);
    }
  }

  const Job& job_;
  bool http_;
  bool recycled_;
  Ring ring_;
  Counts counts_;
  std::vector<Place> places_;
  std::vector<uint32_t> free_;
};

}  // namespace

void runRing(const Job& job) {
  Prober(job).run();
}
