// What the raw-socket loops share: a batch of packets a system call, checksums, a filter.
#pragma once
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "pace.h"

constexpr size_t kBatch = 64;

inline uint32_t cookie(uint32_t address, uint32_t key) {
  uint32_t x = address ^ key;
  x = (x ^ (x >> 16)) * 0x7feb352dU;
  x = (x ^ (x >> 15)) * 0x846ca68bU;
  return x ^ (x >> 16);
}

inline uint32_t sum(const void* data, size_t bytes, uint32_t total) {
  for (size_t i = 0; i < bytes; i += 2) {
    uint16_t word;
    std::memcpy(&word, static_cast<const char*>(data) + i, sizeof(word));
    total += word;
  }
  return total;
}

inline uint16_t fold(uint32_t total) {
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  return static_cast<uint16_t>(~total);
}

// The kernel fills in the IP checksum, the total length, and a source address that is left open.
inline iphdr ipHeader(uint8_t protocol, const sockaddr_in& to) {
  iphdr header{};
  header.version = 4;
  header.ihl = 5;
  header.ttl = 64;
  header.frag_off = htons(IP_DF);
  header.protocol = protocol;
  header.daddr = to.sin_addr.s_addr;
  return header;
}

// A socket that takes packets with their IP headers and hears what passes the filter.
inline int openRaw(int protocol, std::span<sock_filter> filter) {
  const int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (fd < 0) fail("raw socket");
  const int on = 1;
  if (setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &on, sizeof(on)) != 0) fail("IP_HDRINCL");
  const int room = 8 << 20;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0) fail("SO_RCVBUFFORCE");
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) fail("SO_ATTACH_FILTER");
  return fd;
}

// Protocol: `Packet`, `fill(Packet&, to, key)`, `isAnswer(const Packet&, key)`, `open()`.
template <typename Protocol>
class Batch {
 public:
  Batch() : packets_(kBatch), places_(kBatch), peers_(kBatch), messages_(kBatch) {
    for (size_t i = 0; i < kBatch; ++i) {
      places_[i] = {&packets_[i], sizeof(packets_[i])};
      messages_[i].msg_hdr.msg_iov = &places_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  size_t send(int fd, const Job& job, uint64_t first, size_t count, uint32_t key) {
    for (size_t i = 0; i < count; ++i) {
      peers_[i] = targetAddress(job, first + i);
      Protocol::fill(packets_[i], peers_[i], key);
      messages_[i].msg_hdr.msg_name = &peers_[i];
      messages_[i].msg_hdr.msg_namelen = sizeof(peers_[i]);
    }
    const int sent = sendmmsg(fd, messages_.data(), static_cast<unsigned>(count), 0);
    return sent < 0 ? 0 : static_cast<size_t>(sent);
  }

  // Answers that are there and are to us.
  size_t receive(int fd, uint32_t key, bool& more) {
    const int got = recvmmsg(fd, messages_.data(), kBatch, MSG_DONTWAIT, nullptr);
    more = got == static_cast<int>(kBatch);
    size_t good = 0;
    for (size_t i = 0; i < static_cast<size_t>(std::max(got, 0)); ++i) {
      good += Protocol::isAnswer(packets_[i], key);
    }
    return good;
  }

 private:
  std::vector<typename Protocol::Packet> packets_;
  std::vector<iovec> places_;
  std::vector<sockaddr_in> peers_;
  std::vector<mmsghdr> messages_;
};

template <typename Protocol>
void runBatches(const Job& job) {
  const int fd = Protocol::open();
  const auto key = static_cast<uint32_t>(nowNs());
  Counts counts;
  Pace pace(job);
  Batch<Protocol> out;
  Batch<Protocol> in;
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
