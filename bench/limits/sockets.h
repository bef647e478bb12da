// The calls that stream loops make on their sockets.
#pragma once
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "pace.h"

constexpr std::string_view kRequest =
    "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: limits\r\nAccept: */*\r\nConnection: "
    "close\r\n\r\n";

inline int openSocket() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  return fd;
}

// The SYN-ACK is not acknowledged at once: what is sent next does that, or a reset comes instead. Unlike
// TCP_QUICKACK it outlives a disconnect.
inline void delayAck(int fd) {
  const int on = 1;
  if (setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &on, sizeof(on)) != 0) fail("TCP_DEFER_ACCEPT");
}

inline void closeByReset(int fd) {
  const linger reset{1, 0};
  if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) != 0) fail("SO_LINGER");
}

// False: refused at once.
inline bool beginConnect(int fd, const sockaddr_in& address) {
  const int result = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  return result == 0 || errno == EINPROGRESS;
}

inline bool sendRequest(int fd) {
  return send(fd, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(kRequest.size());
}

// The responder's answer comes in one segment.
inline bool isAnswer(const char* bytes, ssize_t size) {
  return size > 0 && std::string_view(bytes, static_cast<size_t>(size)).starts_with("HTTP/1.1 200 ");
}
