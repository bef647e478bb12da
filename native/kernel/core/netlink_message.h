#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace vmpulse {

// A request to rtnetlink, built in order: the fixed header of its type, then attributes.
class NetlinkMessage {
 public:
  NetlinkMessage(uint16_t type, uint16_t flags);

  template <typename Header>
  NetlinkMessage& header(const Header& value) {
    append(&value, sizeof(value));
    return *this;
  }
  NetlinkMessage& attribute(uint16_t type, const void* data, size_t bytes);
  NetlinkMessage& number(uint16_t type, uint32_t value) { return attribute(type, &value, sizeof(value)); }
  // With its zero byte, as the kernel wants names.
  NetlinkMessage& text(uint16_t type, const std::string& value) {
    return attribute(type, value.c_str(), value.size() + 1);
  }
  // What is added from here until closeNest(at) lies within it.
  size_t openNest(uint16_t type);
  void closeNest(size_t at);

  uint16_t type() const noexcept { return type_; }
  // The bytes to be sent.
  const std::vector<std::byte>& finish(uint32_t sequence);

 private:
  void append(const void* data, size_t bytes);

  uint16_t type_;
  std::vector<std::byte> bytes_;
};

// A run of attributes within a received message. Never reads outside of it, whatever the lengths in it say.
class Attributes {
 public:
  Attributes(const std::byte* data, size_t bytes) : data_(data), bytes_(bytes) {}

  // Calls `each(type, data, bytes)` for every attribute.
  template <typename Each>
  void forEach(Each each) const {
    for (size_t at = 0; at + sizeof(nlattr) <= bytes_;) {
      nlattr head;
      std::memcpy(&head, data_ + at, sizeof(head));
      if (head.nla_len < sizeof(nlattr) || head.nla_len > bytes_ - at) return;
      each(static_cast<uint16_t>(head.nla_type & NLA_TYPE_MASK), data_ + at + NLA_HDRLEN,
           head.nla_len - NLA_HDRLEN);
      at += NLA_ALIGN(head.nla_len);
    }
  }

 private:
  const std::byte* data_;
  size_t bytes_;
};

// The value of an attribute; the zero value where it is too short.
template <typename Value>
Value valueOf(const std::byte* data, size_t bytes) {
  Value value{};
  if (bytes >= sizeof(value)) std::memcpy(&value, data, sizeof(value));
  return value;
}

// The text of an attribute, up to its zero byte.
std::string textOf(const std::byte* data, size_t bytes);

}  // namespace vmpulse
