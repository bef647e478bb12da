#include "core/file_lock.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <thread>
#include <vector>

#include "core/syscall_error.h"
#include "support.h"

namespace vmpulse {
namespace {

using testing::failureOf;
using testing::TemporaryDirectory;

TEST(FileLock, IsExclusiveUntilItsDescriptorCloses) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("lock");
  UniqueFd first = lockFile(path);
  EXPECT_EQ(failureOf("flock", [&] { lockFile(path); }), EWOULDBLOCK);
  first.reset();
  EXPECT_EQ(failureOf("flock", [&] { lockFile(path); }), 0);
}

TEST(FileLock, CreatesThePrivateFileCloseOnExec) {
  const TemporaryDirectory directory;
  const UniqueFd lock = lockFile(directory.file("lock"));
  EXPECT_NE(::fcntl(lock.get(), F_GETFD) & FD_CLOEXEC, 0);
  struct stat found {};
  ASSERT_EQ(::fstat(lock.get(), &found), 0);
  EXPECT_EQ(found.st_mode & 0077, 0u);
}

TEST(FileLock, DoesNotFollowASymbolicLink) {
  const TemporaryDirectory directory;
  std::filesystem::create_symlink(directory.file("elsewhere"), directory.file("lock"));
  EXPECT_EQ(failureOf("open", [&] { lockFile(directory.file("lock")); }), ELOOP);
  EXPECT_FALSE(std::filesystem::exists(directory.file("elsewhere")));
}

TEST(FileLock, EndsOnAFifoInsteadOfWaiting) {
  const TemporaryDirectory directory;
  ASSERT_EQ(::mkfifo(directory.file("fifo").c_str(), 0600), 0);
  EXPECT_TRUE(lockFile(directory.file("fifo")).valid());
}

TEST(FileLock, IsNeverHeldTwiceThoughHoldersRemoveTheFile) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("lock");
  std::atomic<int> holders{0};
  std::atomic<int> taken{0};
  std::atomic<int> together{0};
  const auto contend = [&] {
    for (int i = 0; i < 2000; ++i) {
      try {
        const UniqueFd lock = lockFile(path);
        if (++holders > 1) ++together;
        ++taken;
        --holders;
        ::unlink(path.c_str());
      } catch (const SyscallError& error) {
        if (error.error() != EAGAIN) throw;
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(contend);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(together, 0);
  EXPECT_GT(taken, 0);
}

TEST(FileLock, NamesAMissingDirectory) {
  const TemporaryDirectory directory;
  EXPECT_EQ(failureOf("open", [&] { lockFile(directory.file("none/lock")); }), ENOENT);
  EXPECT_EQ(failureOf("open", [&] { lockFile(directory.file(".")); }), EISDIR);
}

}  // namespace
}  // namespace vmpulse
