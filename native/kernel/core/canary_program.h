#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vmpulse {

// Guest-physical address where a program is loaded and entered.
inline constexpr uint32_t kCanaryLoadAddress = 0x1000;
// Port a program writes its output to, a byte at a time.
inline constexpr uint16_t kCanaryPort = 0x3f8;

// Real-mode code of at most one page, and what it has to write before it halts.
struct CanaryProgram {
  std::vector<uint8_t> image;
  std::string expectedOutput;
};

// Decodes and writes "vmpulse": memory reads, arithmetic, a loop and port output have to work for it to come
// out.
CanaryProgram canaryProgram();

}  // namespace vmpulse
