#pragma once

#include <napi.h>

#include <cstdint>
#include <string>

namespace vmpulse {

// Checked reading of arguments; each throws ERR_VMPULSE_ARGUMENT naming the argument and what it takes.

// A number without fraction in [least, greatest].
int32_t integerArgument(const Napi::CallbackInfo& info, size_t index, const char* name, int32_t least,
                        int32_t greatest);

// A string of 1 to maxBytes bytes of UTF-8 without a zero byte.
std::string stringArgument(const Napi::CallbackInfo& info, size_t index, const char* name, size_t maxBytes);

}  // namespace vmpulse
