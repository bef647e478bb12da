#include "core/link_info.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "core/link_index.h"
#include "core/route_socket.h"
#include "core/syscall_error.h"

namespace vmpulse {

namespace {

std::string macText(const std::byte* data, size_t bytes) {
  if (bytes != 6) return "";
  std::array<char, 18> text{};
  const auto at = [data](size_t i) { return std::to_integer<unsigned>(data[i]); };
  std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", at(0), at(1), at(2), at(3), at(4),
                at(5));
  return text.data();
}

TunInfo tunInfo(const Attributes& attributes) {
  TunInfo tun;
  attributes.forEach([&tun](uint16_t type, const std::byte* data, size_t bytes) {
    const auto flag = [&] { return valueOf<uint8_t>(data, bytes) != 0; };
    if (type == IFLA_TUN_TYPE) tun.tap = valueOf<uint8_t>(data, bytes) == IFF_TAP;
    if (type == IFLA_TUN_PERSIST) tun.persistent = flag();
    if (type == IFLA_TUN_VNET_HDR) tun.vnetHeader = flag();
    if (type == IFLA_TUN_MULTI_QUEUE) tun.multiQueue = flag();
    if (type == IFLA_TUN_OWNER) tun.owner = valueOf<uint32_t>(data, bytes);
    if (type == IFLA_TUN_GROUP) tun.group = valueOf<uint32_t>(data, bytes);
  });
  return tun;
}

void readKind(LinkInfo& link, const Attributes& attributes) {
  attributes.forEach([&link](uint16_t type, const std::byte* data, size_t bytes) {
    // The kernel puts the kind before its data.
    if (type == IFLA_INFO_KIND) link.kind = textOf(data, bytes);
    if (type == IFLA_INFO_DATA && link.kind == "tun") link.tun = tunInfo(Attributes(data, bytes));
  });
}

// Returns the index of the master, 0 for none.
uint32_t readMessage(LinkInfo& link, const std::byte* data, size_t bytes) {
  const auto head = valueOf<ifinfomsg>(data, bytes);
  link.index = head.ifi_index;
  link.up = (head.ifi_flags & IFF_UP) != 0;
  uint32_t master = 0;
  if (bytes < NLMSG_ALIGN(sizeof(ifinfomsg))) return master;
  const size_t skip = NLMSG_ALIGN(sizeof(ifinfomsg));
  Attributes(data + skip, bytes - skip).forEach([&](uint16_t type, const std::byte* value, size_t size) {
    if (type == IFLA_IFNAME) link.name = textOf(value, size);
    if (type == IFLA_ADDRESS) link.mac = macText(value, size);
    if (type == IFLA_MTU) link.mtu = valueOf<uint32_t>(value, size);
    if (type == IFLA_CARRIER) link.carrier = valueOf<uint8_t>(value, size) != 0;
    if (type == IFLA_MASTER) master = valueOf<uint32_t>(value, size);
    if (type == IFLA_LINKINFO) readKind(link, Attributes(value, size));
    if (type == IFLA_STATS64) {
      // Older kernels have fewer counters; those here stand first in all of them.
      std::array<uint64_t, 4> first{};
      if (size >= sizeof(first)) std::memcpy(&first, value, sizeof(first));
      link.receivedPackets = first[0];
      link.sentPackets = first[1];
      link.receivedBytes = first[2];
      link.sentBytes = first[3];
    }
  });
  return master;
}

std::string addressText(int family, const std::byte* data, size_t bytes, unsigned prefix) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const size_t needed = family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
  if (bytes < needed || ::inet_ntop(family, data, text.data(), text.size()) == nullptr) return "";
  return std::string(text.data()) + "/" + std::to_string(prefix);
}

// A device of its own side has the address in IFA_LOCAL, an IPv6 one in IFA_ADDRESS.
std::string addressOf(const ifaddrmsg& head, const Attributes& attributes) {
  std::string own;
  std::string any;
  attributes.forEach([&](uint16_t type, const std::byte* data, size_t bytes) {
    if (type == IFA_LOCAL) own = addressText(head.ifa_family, data, bytes, head.ifa_prefixlen);
    if (type == IFA_ADDRESS) any = addressText(head.ifa_family, data, bytes, head.ifa_prefixlen);
  });
  return own.empty() ? any : own;
}

}  // namespace

std::optional<LinkInfo> readLink(const std::string& name) {
  RouteSocket socket;
  NetlinkMessage request(RTM_GETLINK, NLM_F_ACK);
  request.header(ifinfomsg{}).text(IFLA_IFNAME, name);
  LinkInfo link;
  uint32_t master = 0;
  try {
    socket.ask(request, "RTM_GETLINK", name, [&](uint16_t type, const std::byte* data, size_t bytes) {
      if (type == RTM_NEWLINK) master = readMessage(link, data, bytes);
    });
  } catch (const SyscallError& error) {
    if (error.error() == ENODEV) return std::nullopt;
    throw;
  }
  std::array<char, IF_NAMESIZE> text{};
  // A master that went away in between is none.
  if (master != 0 && ::if_indextoname(master, text.data()) != nullptr) link.master = text.data();
  return link;
}

std::vector<std::string> readAddresses(const std::string& name) {
  const int index = linkIndex(name);
  RouteSocket socket;
  NetlinkMessage request(RTM_GETADDR, NLM_F_DUMP);
  request.header(ifaddrmsg{});
  std::vector<std::string> found;
  socket.ask(request, "RTM_GETADDR", name, [&](uint16_t type, const std::byte* data, size_t bytes) {
    const size_t skip = NLMSG_ALIGN(sizeof(ifaddrmsg));
    const auto head = valueOf<ifaddrmsg>(data, bytes);
    const bool isIp = head.ifa_family == AF_INET || head.ifa_family == AF_INET6;
    if (type != RTM_NEWADDR || bytes < skip || !isIp || static_cast<int>(head.ifa_index) != index) return;
    std::string text = addressOf(head, Attributes(data + skip, bytes - skip));
    if (!text.empty()) found.push_back(std::move(text));
  });
  return found;
}

}  // namespace vmpulse
