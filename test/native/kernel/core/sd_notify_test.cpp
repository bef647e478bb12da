#include "core/sd_notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstring>

#include "core/unique_fd.h"
#include "support.h"

namespace vmpulse {
namespace {

using testing::failureOf;
using testing::TemporaryDirectory;

// A datagram socket as a service manager has; `name` with a leading zero byte is abstract.
UniqueFd bindReceiver(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  UniqueFd fd(checked(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket", name));
  const size_t length = offsetof(sockaddr_un, sun_path) + name.size();
  checked(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(length)),
          "bind", name);
  return fd;
}

std::string receive(const UniqueFd& fd) {
  std::array<char, 256> buffer{};
  const ssize_t bytes = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
  return bytes < 0 ? "nothing" : std::string(buffer.data(), static_cast<size_t>(bytes));
}

TEST(SdNotify, ReachesAPathSocket) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("notify");
  const UniqueFd receiver = bindReceiver(path);
  sdNotify(path, "READY=1\nSTATUS=watching 3 VMs");
  EXPECT_EQ(receive(receiver), "READY=1\nSTATUS=watching 3 VMs");
}

TEST(SdNotify, ReachesAnAbstractSocket) {
  const std::string name = "vmpulse-test-" + std::to_string(::getpid());
  const UniqueFd receiver = bindReceiver('\0' + name);
  sdNotify('@' + name, "WATCHDOG=1");
  EXPECT_EQ(receive(receiver), "WATCHDOG=1");
}

TEST(SdNotify, NamesWhatIsWrong) {
  const TemporaryDirectory directory;
  EXPECT_EQ(failureOf("sendto", [&] { sdNotify(directory.file("none"), "READY=1"); }), ENOENT);
  EXPECT_EQ(failureOf("sendto", [] { sdNotify("@vmpulse-nobody-listens", "READY=1"); }), ECONNREFUSED);
  EXPECT_EQ(failureOf("sendto", [] { sdNotify("relative", "READY=1"); }), EINVAL);
  EXPECT_EQ(failureOf("sendto", [] { sdNotify("", "READY=1"); }), EINVAL);
  EXPECT_EQ(failureOf("sendto", [] { sdNotify('/' + std::string(200, 'x'), "READY=1"); }), ENAMETOOLONG);
}

TEST(SdNotify, DoesNotWaitForAFullReceiver) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("notify");
  const UniqueFd receiver = bindReceiver(path);
  const int error = failureOf("sendto", [&] {
    for (int sent = 0; sent < 100'000; ++sent) sdNotify(path, "WATCHDOG=1");
  });
  EXPECT_EQ(error, EAGAIN);
}

}  // namespace
}  // namespace vmpulse
