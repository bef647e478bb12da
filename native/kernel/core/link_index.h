#pragma once

#include <string>

namespace vmpulse {

// The kernel's number of a device. Throws SyscallError ("if_nametoindex"): ENODEV.
int linkIndex(const std::string& name);

}  // namespace vmpulse
