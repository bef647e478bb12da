#include "core/netlink_message.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/route_socket.h"

namespace vmpulse {
namespace {

std::vector<std::byte> bytesOf(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

std::vector<size_t> sizesIn(const std::vector<std::byte>& bytes) {
  std::vector<size_t> sizes;
  Attributes(bytes.data(), bytes.size()).forEach([&](uint16_t, const std::byte*, size_t size) {
    sizes.push_back(size);
  });
  return sizes;
}

TEST(NetlinkMessage, PadsAttributesAndClosesNests) {
  NetlinkMessage message(16, NLM_F_ACK);
  const size_t nest = message.openNest(18);
  message.text(1, "tun");
  message.closeNest(nest);
  const auto& bytes = message.finish(7);
  // Header, nest, and in it an attribute of four bytes of text.
  ASSERT_EQ(bytes.size(), NLMSG_HDRLEN + 4u + 8u);
  EXPECT_EQ(valueOf<uint32_t>(bytes.data(), 4), bytes.size());
  EXPECT_EQ(valueOf<uint16_t>(bytes.data() + NLMSG_HDRLEN, 2), 12);
  EXPECT_EQ(valueOf<uint32_t>(bytes.data() + offsetof(nlmsghdr, nlmsg_seq), 4), 7u);
}

TEST(Attributes, StopAtALengthThatDoesNotFit) {
  EXPECT_EQ(sizesIn(bytesOf({8, 0, 1, 0, 1, 2, 3, 4})), (std::vector<size_t>{4}));
  EXPECT_TRUE(sizesIn(bytesOf({9, 0, 1, 0, 1, 2, 3, 4})).empty());
  EXPECT_TRUE(sizesIn(bytesOf({3, 0, 1, 0})).empty());
  EXPECT_TRUE(sizesIn(bytesOf({8, 0})).empty());
  EXPECT_EQ(sizesIn(bytesOf({5, 0, 1, 0, 1, 0, 0, 0, 8, 0, 2, 0, 1, 2, 3, 4})), (std::vector<size_t>{1, 4}));
}

TEST(Attributes, GiveZeroForAValueThatIsTooShort) {
  const auto bytes = bytesOf({1, 2});
  EXPECT_EQ(valueOf<uint32_t>(bytes.data(), bytes.size()), 0u);
  EXPECT_EQ(textOf(bytesOf({'a', 'b'}).data(), 2), "ab");
  EXPECT_EQ(textOf(bytesOf({'a', 0, 'b'}).data(), 3), "a");
}

TEST(Messages, StopAtALengthThatDoesNotFit) {
  size_t seen = 0;
  const auto count = [&seen](const nlmsghdr&, const std::byte*, size_t) { ++seen; };
  auto bytes = bytesOf({17, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  forEachMessage(bytes.data(), bytes.size(), count);
  EXPECT_EQ(seen, 0u);
  bytes[0] = std::byte{16};
  forEachMessage(bytes.data(), bytes.size(), count);
  EXPECT_EQ(seen, 1u);
}

}  // namespace
}  // namespace vmpulse
