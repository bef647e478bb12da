// Half-open probes without state: one raw socket, SYNs by sendmmsg, SYN-ACKs through a kernel filter. The
// kernel itself resets what it never connected. The sequence number is the cookie that an answer must
// acknowledge.
#include <netinet/tcp.h>

#include <array>

#include "raw.h"

namespace {

constexpr uint16_t kSourcePort = 20'001;

struct HalfOpen {
  struct Packet {
    iphdr ip;
    tcphdr tcp;
  };
  static_assert(sizeof(Packet) == 40);

  static void fill(Packet& packet, const sockaddr_in& to, uint32_t key) {
    packet = {};
    packet.ip = ipHeader(IPPROTO_TCP, to);
    packet.ip.saddr = htonl(INADDR_LOOPBACK);
    packet.tcp.source = htons(kSourcePort);
    packet.tcp.dest = to.sin_port;
    packet.tcp.seq = htonl(cookie(to.sin_addr.s_addr, key));
    packet.tcp.doff = 5;
    packet.tcp.syn = 1;
    packet.tcp.window = htons(1024);
    const uint32_t pseudo = sum(&packet.ip.saddr, 8, htons(IPPROTO_TCP) + htons(sizeof(tcphdr)));
    packet.tcp.check = fold(sum(&packet.tcp, sizeof(tcphdr), pseudo));
  }

  static bool isAnswer(const Packet& packet, uint32_t key) {
    return ntohl(packet.tcp.ack_seq) == cookie(packet.ip.saddr, key) + 1;
  }

  // Only what acknowledges a SYN of ours: destination port and flags SYN+ACK.
  static int open() {
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
    return openRaw(IPPROTO_TCP, code);
  }
};

}  // namespace

void runHalfOpen(const Job& job) {
  runBatches<HalfOpen>(job);
}
