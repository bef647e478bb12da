#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace vmpulse {

using MacAddress = std::array<uint8_t, 6>;

// Each makes one change to one device of this network namespace, or throws SyscallError (EPERM without
// CAP_NET_ADMIN, ENODEV, EEXIST …) and changes nothing.

void setLinkUp(const std::string& name, bool up);
// `master` empty: the device leaves its bridge.
void setLinkMaster(const std::string& name, const std::string& master);
// With an address given it keeps that one, whatever ports come and go; without, the kernel chooses.
void createBridge(const std::string& name, const std::optional<MacAddress>& mac);
void removeLink(const std::string& name);
// `address` with its prefix: "10.77.0.1/24", "2001:db8::1/64". EINVAL where it is none.
void addAddress(const std::string& name, const std::string& address);

}  // namespace vmpulse
