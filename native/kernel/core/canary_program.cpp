#include "core/canary_program.h"

namespace vmpulse {

namespace {
constexpr uint8_t kKey = 0x55;
constexpr uint8_t kMessageOffset = 0x40;
}  // namespace

CanaryProgram canaryProgram() {
  const std::string message = "vmpulse";
  const uint32_t source = kCanaryLoadAddress + kMessageOffset;
  std::vector<uint8_t> image = {
      0xBE,
      static_cast<uint8_t>(source & 0xff),
      static_cast<uint8_t>(source >> 8),  // mov si, message
      0xB9,
      static_cast<uint8_t>(message.size()),
      0x00,  // mov cx, length
      0xBA,
      static_cast<uint8_t>(kCanaryPort & 0xff),
      static_cast<uint8_t>(kCanaryPort >> 8),  // mov dx, port
      0xAC,                                    // next: lodsb
      0x34,
      kKey,  // xor al, key
      0xEE,  // out dx, al
      0xE2,
      0xFA,  // loop next
      0xF4,  // hlt
  };
  image.resize(kMessageOffset);
  for (const char c : message) image.push_back(static_cast<uint8_t>(c) ^ kKey);
  return {std::move(image), message};
}

}  // namespace vmpulse
