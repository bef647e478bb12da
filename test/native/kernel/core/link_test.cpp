#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <chrono>
#include <functional>
#include <thread>

#include "core/link_change.h"
#include "core/link_info.h"
#include "core/link_monitor.h"
#include "core/tap.h"
#include "support.h"

namespace vmpulse {
namespace {

using testing::failureOf;

// Runs a test on a thread with a network namespace of its own, which is gone with it.
void inOwnNetwork(const std::function<void()>& test) {
  bool isAllowed = true;
  std::thread([&] {
    isAllowed = ::unshare(CLONE_NEWNET) == 0;
    if (isAllowed) test();
  }).join();
  if (!isAllowed) GTEST_SKIP() << "no network namespace can be made here: it needs CAP_SYS_ADMIN";
}

// Attaches to a TAP as a VMM does.
UniqueFd attach(const std::string& name) {
  UniqueFd fd(checked(::open("/dev/net/tun", O_RDWR | O_CLOEXEC), "open", "/dev/net/tun"));
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  checked(::ioctl(fd.get(), TUNSETIFF, &request), "ioctl(TUNSETIFF)", name);
  return fd;
}

LinkInfo link(const std::string& name) {
  auto found = readLink(name);
  EXPECT_TRUE(found) << name << " is missing";
  return found.value_or(LinkInfo{});
}

TEST(Links, ReadsLoopback) {
  inOwnNetwork([] {
    const LinkInfo lo = link("lo");
    EXPECT_EQ(lo.index, 1);
    EXPECT_FALSE(lo.up);
    EXPECT_EQ(lo.mtu, 65536u);
    EXPECT_EQ(lo.kind, "");
    EXPECT_FALSE(lo.tun);
    EXPECT_FALSE(readLink("nothing"));
  });
}

TEST(Links, MakesATapThatPersistsAndKnowsItsOwner) {
  inOwnNetwork([] {
    createTap("tap0", {1000, 1001});
    const LinkInfo tap = link("tap0");
    EXPECT_EQ(tap.kind, "tun");
    EXPECT_EQ(tap.mac.size(), 17u);
    EXPECT_FALSE(tap.up);
    ASSERT_TRUE(tap.tun);
    EXPECT_TRUE(tap.tun->tap && tap.tun->persistent && tap.tun->vnetHeader);
    EXPECT_FALSE(tap.tun->multiQueue);
    EXPECT_EQ(tap.tun->owner, 1000u);
    EXPECT_EQ(tap.tun->group, 1001u);
    createTap("tap1", {});
    EXPECT_FALSE(link("tap1").tun->owner);
  });
}

TEST(Links, NeverTakesOverADeviceThatIsThere) {
  inOwnNetwork([] {
    createTap("tap0", {});
    EXPECT_EQ(failureOf("ioctl(TUNSETIFF)", [] { createTap("tap0", {}); }), EBUSY);
    createBridge("br0", std::nullopt);
    EXPECT_EQ(failureOf("RTM_NEWLINK", [] { createBridge("br0", std::nullopt); }), EEXIST);
    EXPECT_EQ(failureOf("ioctl(TUNSETIFF)", [] { createTap("br0", {}); }), EBUSY);
  });
}

TEST(Links, ShowsCarrierWhileAProcessHoldsTheTap) {
  inOwnNetwork([] {
    createTap("tap0", {});
    setLinkUp("tap0", true);
    EXPECT_TRUE(link("tap0").up);
    EXPECT_FALSE(link("tap0").carrier);
    UniqueFd vmm = attach("tap0");
    EXPECT_TRUE(link("tap0").carrier);
    // A device made anew under the same name is not the one that the VMM holds.
    removeLink("tap0");
    createTap("tap0", {});
    setLinkUp("tap0", true);
    EXPECT_FALSE(link("tap0").carrier);
    char byte = 0;
    EXPECT_EQ(::read(vmm.get(), &byte, 1), -1);
    EXPECT_EQ(errno, EBADFD);
  });
}

TEST(Links, PutsATapOnABridgeAndTakesItOff) {
  inOwnNetwork([] {
    const MacAddress mac{0x02, 0, 0, 0, 0, 1};
    createBridge("br0", mac);
    createTap("tap0", {});
    setLinkMaster("tap0", "br0");
    EXPECT_EQ(link("tap0").master, "br0");
    EXPECT_EQ(link("br0").kind, "bridge");
    EXPECT_EQ(link("br0").mac, "02:00:00:00:00:01");
    setLinkMaster("tap0", "");
    EXPECT_EQ(link("tap0").master, "");
    setLinkMaster("tap0", "br0");
    removeLink("br0");
    EXPECT_EQ(link("tap0").master, "");
    EXPECT_EQ(failureOf("if_nametoindex", [] { setLinkMaster("tap0", "br0"); }), ENODEV);
    EXPECT_EQ(failureOf("if_nametoindex", [] { setLinkUp("br0", true); }), ENODEV);
  });
}

TEST(Links, AddsAddressesOfBothFamilies) {
  inOwnNetwork([] {
    createBridge("br0", std::nullopt);
    setLinkUp("br0", true);
    addAddress("br0", "10.77.0.1/24");
    addAddress("br0", "2001:db8::1/64");
    const auto found = readAddresses("br0");
    EXPECT_NE(std::find(found.begin(), found.end(), "10.77.0.1/24"), found.end());
    EXPECT_NE(std::find(found.begin(), found.end(), "2001:db8::1/64"), found.end());
    EXPECT_TRUE(readAddresses("lo").empty());
    EXPECT_EQ(failureOf("RTM_NEWADDR", [] { addAddress("br0", "10.77.0.1/24"); }), EEXIST);
    for (const char* wrong : {"10.77.0.1", "10.77.0.1/33", "10.77.0.1/2x", "10.77.0.1/-1", "x/24", "/24"}) {
      EXPECT_EQ(failureOf("RTM_NEWADDR", [wrong] { addAddress("br0", wrong); }), EINVAL) << wrong;
    }
  });
}

TEST(Links, CountsWhatTheGuestSends) {
  inOwnNetwork([] {
    createTap("tap0", {});
    setLinkUp("tap0", true);
    const UniqueFd vmm = attach("tap0");
    const uint64_t before = link("tap0").receivedPackets;
    const std::vector<char> frame(10 + 60, 0);  // The virtio header, and the shortest frame.
    ASSERT_EQ(::write(vmm.get(), frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
    EXPECT_EQ(link("tap0").receivedPackets, before + 1);
    EXPECT_GE(link("tap0").receivedBytes, 60u);
  });
}

TEST(LinkMonitor, HearsOfDevicesThatComeChangeAndGo) {
  inOwnNetwork([] {
    LinkMonitor monitor;
    const auto hears = [&monitor](const std::string& name) {
      LinkNews news;
      return monitor.wait(news) && news.names.contains(name) && !news.overrun;
    };
    createTap("tap0", {});
    EXPECT_TRUE(hears("tap0"));
    setLinkUp("tap0", true);
    EXPECT_TRUE(hears("tap0"));
    removeLink("tap0");
    EXPECT_TRUE(hears("tap0"));
  });
}

TEST(LinkMonitor, IsStoppedFromAnotherThread) {
  LinkMonitor monitor;
  std::thread waiting([&monitor] {
    LinkNews news;
    while (monitor.wait(news)) news = {};
  });
  monitor.stop();
  waiting.join();
  LinkNews news;
  EXPECT_FALSE(monitor.wait(news));
}

TEST(LinkMonitor, SaysWhenMoreHappenedThanItCouldHear) {
  inOwnNetwork([] {
    LinkMonitor monitor;
    createTap("tap0", {});
    LinkNews news;
    // Changes that nobody takes until the socket is full.
    for (int i = 0; i < 4000; ++i) setLinkUp("tap0", i % 2 == 0);
    for (int i = 0; i < 4000 && !news.overrun; ++i) {
      setLinkUp("tap0", true);
      setLinkUp("tap0", false);
      ASSERT_TRUE(monitor.wait(news));
    }
    EXPECT_TRUE(news.overrun);
  });
}

}  // namespace
}  // namespace vmpulse
