#include "core/link_change.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cerrno>
#include <charconv>

#include "core/link_index.h"
#include "core/route_socket.h"
#include "core/syscall_error.h"

namespace vmpulse {

namespace {

struct Prefix {
  uint8_t family = AF_UNSPEC;
  size_t bytes = 0;
  std::array<std::byte, sizeof(in6_addr)> address{};
  uint8_t length = 0;
};

Prefix parsePrefix(const std::string& name, const std::string& text) {
  const auto refuse = [&] { throw SyscallError(EINVAL, "RTM_NEWADDR", name + " " + text); };
  const size_t slash = text.find('/');
  Prefix prefix;
  if (slash == std::string::npos) refuse();
  const std::string address = text.substr(0, slash);
  if (::inet_pton(AF_INET, address.c_str(), prefix.address.data()) == 1) {
    prefix.family = AF_INET;
    prefix.bytes = sizeof(in_addr);
  } else if (::inet_pton(AF_INET6, address.c_str(), prefix.address.data()) == 1) {
    prefix.family = AF_INET6;
    prefix.bytes = sizeof(in6_addr);
  } else {
    refuse();
  }
  const char* end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data() + slash + 1, end, prefix.length);
  if (problem != std::errc() || rest != end || prefix.length > prefix.bytes * 8) refuse();
  return prefix;
}

NetlinkMessage linkRequest(uint16_t type, int index, unsigned flags, unsigned change) {
  NetlinkMessage request(type, NLM_F_ACK);
  ifinfomsg head{};
  head.ifi_index = index;
  head.ifi_flags = flags;
  head.ifi_change = change;
  request.header(head);
  return request;
}

}  // namespace

void setLinkUp(const std::string& name, bool up) {
  NetlinkMessage request = linkRequest(RTM_SETLINK, linkIndex(name), up ? IFF_UP : 0, IFF_UP);
  RouteSocket().ask(request, "RTM_SETLINK", name + (up ? " up" : " down"));
}

void setLinkMaster(const std::string& name, const std::string& master) {
  NetlinkMessage request = linkRequest(RTM_SETLINK, linkIndex(name), 0, 0);
  request.number(IFLA_MASTER, master.empty() ? 0 : static_cast<uint32_t>(linkIndex(master)));
  RouteSocket().ask(request, "RTM_SETLINK", name + " master " + (master.empty() ? "none" : master));
}

void createBridge(const std::string& name, const std::optional<MacAddress>& mac) {
  NetlinkMessage request(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  request.header(ifinfomsg{}).text(IFLA_IFNAME, name);
  if (mac) request.attribute(IFLA_ADDRESS, mac->data(), mac->size());
  const size_t info = request.openNest(IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "bridge");
  request.closeNest(info);
  RouteSocket().ask(request, "RTM_NEWLINK", "bridge " + name);
}

void removeLink(const std::string& name) {
  NetlinkMessage request = linkRequest(RTM_DELLINK, linkIndex(name), 0, 0);
  RouteSocket().ask(request, "RTM_DELLINK", name);
}

void addAddress(const std::string& name, const std::string& address) {
  const Prefix prefix = parsePrefix(name, address);
  NetlinkMessage request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  ifaddrmsg head{};
  head.ifa_family = prefix.family;
  head.ifa_prefixlen = prefix.length;
  head.ifa_index = static_cast<uint32_t>(linkIndex(name));
  request.header(head);
  request.attribute(IFA_LOCAL, prefix.address.data(), prefix.bytes);
  request.attribute(IFA_ADDRESS, prefix.address.data(), prefix.bytes);
  RouteSocket().ask(request, "RTM_NEWADDR", name + " " + address);
}

}  // namespace vmpulse
