#include "core/netlink_message.h"

#include <algorithm>

namespace vmpulse {

NetlinkMessage::NetlinkMessage(uint16_t type, uint16_t flags) : type_(type) {
  nlmsghdr head{};
  head.nlmsg_type = type;
  head.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  append(&head, sizeof(head));
}

NetlinkMessage& NetlinkMessage::attribute(uint16_t type, const void* data, size_t bytes) {
  nlattr head{};
  head.nla_type = type;
  head.nla_len = static_cast<uint16_t>(NLA_HDRLEN + bytes);
  append(&head, sizeof(head));
  append(data, bytes);
  return *this;
}

size_t NetlinkMessage::openNest(uint16_t type) {
  const size_t at = bytes_.size();
  attribute(type, nullptr, 0);
  return at;
}

void NetlinkMessage::closeNest(size_t at) {
  const auto length = static_cast<uint16_t>(bytes_.size() - at);
  std::memcpy(&bytes_[at + offsetof(nlattr, nla_len)], &length, sizeof(length));
}

const std::vector<std::byte>& NetlinkMessage::finish(uint32_t sequence) {
  const auto length = static_cast<uint32_t>(bytes_.size());
  std::memcpy(&bytes_[offsetof(nlmsghdr, nlmsg_len)], &length, sizeof(length));
  std::memcpy(&bytes_[offsetof(nlmsghdr, nlmsg_seq)], &sequence, sizeof(sequence));
  return bytes_;
}

void NetlinkMessage::append(const void* data, size_t bytes) {
  const auto* from = static_cast<const std::byte*>(data);
  if (bytes > 0) bytes_.insert(bytes_.end(), from, from + bytes);
  // Everything in a message begins at a multiple of four.
  bytes_.resize(NLMSG_ALIGN(bytes_.size()));
}

std::string textOf(const std::byte* data, size_t bytes) {
  const auto* from = reinterpret_cast<const char*>(data);
  return std::string(from, std::find(from, from + bytes, '\0'));
}

}  // namespace vmpulse
