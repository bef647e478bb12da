#pragma once

#include <string>

namespace vmpulse {

// "ESRCH" for 3; "ERRNO_<n>" for a number that none of the calls made here is documented to give.
std::string errnoName(int error);

}  // namespace vmpulse
