// Pings without state: one raw socket, echo requests by sendmmsg, replies through a kernel filter. The cookie
// is in the first word of the payload.
#include <netinet/ip_icmp.h>

#include <array>

#include "raw.h"

namespace {

struct Ping {
  struct Packet {
    iphdr ip;
    icmphdr icmp;
    uint32_t cookie;
    // As long as what the engine and fping send.
    std::array<uint8_t, 52> rest;
  };
  static_assert(sizeof(Packet) == 84);

  static void fill(Packet& packet, const sockaddr_in& to, uint32_t key) {
    packet = {};
    packet.ip = ipHeader(IPPROTO_ICMP, to);
    packet.icmp.type = ICMP_ECHO;
    packet.cookie = cookie(to.sin_addr.s_addr, key);
    packet.icmp.checksum = fold(sum(&packet.icmp, sizeof(packet) - sizeof(iphdr), 0));
  }

  static bool isAnswer(const Packet& packet, uint32_t key) {
    return packet.cookie == cookie(packet.ip.saddr, key);
  }

  // Only replies.
  static int open() {
    std::array<sock_filter, 5> code{{
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_ECHOREPLY, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 128),
        BPF_STMT(BPF_RET | BPF_K, 0),
    }};
    return openRaw(IPPROTO_ICMP, code);
  }
};

}  // namespace

void runPing(const Job& job) {
  runBatches<Ping>(job);
}
