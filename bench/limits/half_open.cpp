// Half-open probes without state: one raw socket, SYNs by sendmmsg, SYN-ACKs through a kernel filter. The
// kernel itself resets what it never connected. The sequence number is the cookie that an answer must
// acknowledge.
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "pace.h"

namespace {

constexpr size_t kBatch = 64;
constexpr uint16_t kSourcePort = 20'001;

struct Packet {
  iphdr ip;
  tcphdr tcp;
};
static_assert(sizeof(Packet) == 40);

uint32_t cookie(uint32_t address, uint32_t key) {
  uint32_t x = address ^ key;
  x = (x ^ (x >> 16)) * 0x7feb352dU;
  x = (x ^ (x >> 15)) * 0x846ca68bU;
  return x ^ (x >> 16);
}

uint32_t sum(const void* data, size_t bytes, uint32_t total) {
  for (size_t i = 0; i < bytes; i += 2) {
    uint16_t word;
    std::memcpy(&word, static_cast<const char*>(data) + i, sizeof(word));
    total += word;
  }
  return total;
}

uint16_t fold(uint32_t total) {
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  return static_cast<uint16_t>(~total);
}

// The kernel fills in the IP checksum and total length.
void fill(Packet& packet, const sockaddr_in& to, uint32_t key) {
  packet = {};
  packet.ip.version = 4;
  packet.ip.ihl = 5;
  packet.ip.ttl = 64;
  packet.ip.protocol = IPPROTO_TCP;
  packet.ip.saddr = htonl(INADDR_LOOPBACK);
  packet.ip.daddr = to.sin_addr.s_addr;
  packet.tcp.source = htons(kSourcePort);
  packet.tcp.dest = to.sin_port;
  packet.tcp.seq = htonl(cookie(to.sin_addr.s_addr, key));
  packet.tcp.doff = 5;
  packet.tcp.syn = 1;
  packet.tcp.window = htons(1024);
  const uint32_t pseudo = sum(&packet.ip.saddr, 8, htons(IPPROTO_TCP) + htons(sizeof(tcphdr)));
  packet.tcp.check = fold(sum(&packet.tcp, sizeof(tcphdr), pseudo));
}

// Only what acknowledges a SYN of ours: destination port and flags SYN+ACK, or RST.
int openRaw() {
  const int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) fail("raw socket");
  const int on = 1;
  if (setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &on, sizeof(on)) != 0) fail("IP_HDRINCL");
  const int room = 8 << 20;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0) fail("SO_RCVBUFFORCE");
  std::array<sock_filter, 8> code{{
      BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kSourcePort, 0, 4),
      BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x16),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x12, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 64),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) fail("SO_ATTACH_FILTER");
  return fd;
}

class Batch {
 public:
  explicit Batch(size_t packetBytes) : packets_(kBatch), places_(kBatch), peers_(kBatch), messages_(kBatch) {
    for (size_t i = 0; i < kBatch; ++i) {
      places_[i] = {&packets_[i], packetBytes};
      messages_[i].msg_hdr.msg_iov = &places_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  size_t send(int fd, const Job& job, uint64_t first, size_t count, uint32_t key) {
    for (size_t i = 0; i < count; ++i) {
      peers_[i] = targetAddress(job, first + i);
      fill(packets_[i], peers_[i], key);
      messages_[i].msg_hdr.msg_name = &peers_[i];
      messages_[i].msg_hdr.msg_namelen = sizeof(peers_[i]);
    }
    const int sent = sendmmsg(fd, messages_.data(), static_cast<unsigned>(count), 0);
    return sent < 0 ? 0 : static_cast<size_t>(sent);
  }

  // Answers that are there and acknowledge our cookie.
  size_t receive(int fd, uint32_t key, bool& more) {
    const int got = recvmmsg(fd, messages_.data(), kBatch, MSG_DONTWAIT, nullptr);
    more = got == static_cast<int>(kBatch);
    size_t good = 0;
    for (size_t i = 0; i < static_cast<size_t>(std::max(got, 0)); ++i) {
      const Packet& packet = packets_[i];
      good += ntohl(packet.tcp.ack_seq) == cookie(packet.ip.saddr, key) + 1;
    }
    return good;
  }

 private:
  std::vector<Packet> packets_;
  std::vector<iovec> places_;
  std::vector<sockaddr_in> peers_;
  std::vector<mmsghdr> messages_;
};

}  // namespace

void runHalfOpen(const Job& job) {
  const int fd = openRaw();
  const auto key = static_cast<uint32_t>(nowNs());
  Counts counts;
  Pace pace(job);
  Batch out(sizeof(Packet));
  Batch in(sizeof(Packet));
  while (serveStdin(counts)) {
    for (uint64_t left = pace.due(kMaxInFlight); left > 0;) {
      const size_t sent = out.send(fd, job, counts.started, std::min<uint64_t>(left, kBatch), key);
      if (sent == 0) break;
      counts.started += sent;
      left -= sent;
      for (bool more = true; more;) counts.ok += in.receive(fd, key, more);
    }
    pollfd readable{fd, POLLIN, 0};
    if (poll(&readable, 1, pace.waitMs()) == 1) {
      for (bool more = true; more;) counts.ok += in.receive(fd, key, more);
    }
  }
}
