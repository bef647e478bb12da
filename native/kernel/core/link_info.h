#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vmpulse {

// What a TUN/TAP device says of itself.
struct TunInfo {
  bool tap = false;
  bool persistent = false;
  bool vnetHeader = false;
  bool multiQueue = false;
  std::optional<uint32_t> owner;
  std::optional<uint32_t> group;
};

// A network device, as rtnetlink shows it.
struct LinkInfo {
  int index = 0;
  std::string name;
  std::string mac;   // "52:54:00:12:34:56"; empty for a device without one.
  std::string kind;  // "tun", "bridge", "veth" …; empty for real hardware.
  uint32_t mtu = 0;
  bool up = false;       // Set up by its administrator.
  bool carrier = false;  // Somebody is at the other end: of a TAP, a process that holds its queue.
  std::string master;    // The bridge that it is a port of; empty: none.
  uint64_t receivedPackets = 0;
  uint64_t receivedBytes = 0;
  uint64_t sentPackets = 0;
  uint64_t sentBytes = 0;
  std::optional<TunInfo> tun;
};

// The device of that name in this network namespace; nothing where there is none. Throws SyscallError.
std::optional<LinkInfo> readLink(const std::string& name);

// Addresses of a device with their prefix, "10.77.0.1/24". Throws SyscallError: ENODEV.
std::vector<std::string> readAddresses(const std::string& name);

}  // namespace vmpulse
