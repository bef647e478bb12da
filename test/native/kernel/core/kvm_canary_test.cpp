#include "core/kvm_canary.h"

#include <iterator>
#include <thread>
#include <vector>

#include "core/kvm_guest.h"
#include "core/signals_blocked.h"
#include "kvm_support.h"
#include "support.h"

namespace vmpulse {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kGenerous{30'000};

// `jmp .`: only a kick gets the vCPU back.
CanaryProgram spinningProgram() {
  return {{0xEB, 0xFE}, "never"};
}

long openDescriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

TEST(KvmCanary, RealGuestWritesItsOutput) {
  VMPULSE_NEEDS_KVM();
  const CanaryReport report = runCanary(canaryProgram(), kGenerous, {});
  EXPECT_EQ(report.verdict, CanaryVerdict::ok) << report.detail;
  EXPECT_EQ(report.output, "vmpulse");
  EXPECT_GT(report.elapsed.count(), 0);
}

TEST(KvmCanary, LeavesNothingBehind) {
  VMPULSE_NEEDS_KVM();
  runCanary(canaryProgram(), kGenerous, {});
  const long before = openDescriptors();
  for (int round = 0; round < 20; ++round) {
    ASSERT_EQ(runCanary(canaryProgram(), kGenerous, {}).verdict, CanaryVerdict::ok);
    ASSERT_EQ(runCanary(spinningProgram(), milliseconds(5), {}).verdict, CanaryVerdict::deadline);
  }
  EXPECT_EQ(openDescriptors(), before);
}

TEST(KvmCanary, SpinningGuestIsStoppedAtTheDeadline) {
  VMPULSE_NEEDS_KVM();
  const CanaryReport report = runCanary(spinningProgram(), milliseconds(50), {});
  EXPECT_EQ(report.verdict, CanaryVerdict::deadline) << report.detail;
  EXPECT_GE(report.elapsed, milliseconds(50));
}

TEST(KvmCanary, StopTokenEndsItLongBeforeTheDeadline) {
  VMPULSE_NEEDS_KVM();
  std::stop_source stop;
  const auto start = steady_clock::now();
  CanaryReport report;
  std::thread runner([&] { report = runCanary(spinningProgram(), kGenerous, stop.get_token()); });
  stop.request_stop();
  runner.join();
  EXPECT_EQ(report.verdict, CanaryVerdict::cancelled) << report.detail;
  EXPECT_LT(steady_clock::now() - start, kGenerous);
}

TEST(KvmCanary, WrongOutputIsToldApart) {
  VMPULSE_NEEDS_KVM();
  CanaryProgram program = canaryProgram();
  program.image.back() ^= 1;
  const CanaryReport report = runCanary(program, kGenerous, {});
  EXPECT_EQ(report.verdict, CanaryVerdict::wrongOutput);
  EXPECT_EQ(report.output, "vmpulsd");
}

TEST(KvmCanary, UnexpectedPortIsAnUnexpectedExit) {
  VMPULSE_NEEDS_KVM();
  const CanaryProgram program{{0xE6, 0x80, 0xF4}, ""};  // out 0x80, al; hlt
  const CanaryReport report = runCanary(program, kGenerous, {});
  EXPECT_EQ(report.verdict, CanaryVerdict::unexpectedExit);
  EXPECT_NE(report.detail.find("exit reason"), std::string::npos);
}

TEST(KvmCanary, EndlessOutputIsCutOff) {
  VMPULSE_NEEDS_KVM();
  const CanaryProgram program{{0xBA, 0xF8, 0x03, 0xEE, 0xEB, 0xFD},
                              ""};  // mov dx, port; out dx, al; jmp back
  const CanaryReport report = runCanary(program, kGenerous, {});
  EXPECT_EQ(report.verdict, CanaryVerdict::unexpectedExit);
  EXPECT_LE(report.output.size(), 65u);
}

TEST(KvmCanary, ProgramLargerThanItsPageIsRefused) {
  VMPULSE_NEEDS_KVM();
  const CanaryReport report = runCanary({std::vector<uint8_t>(4097, 0xF4), ""}, kGenerous, {});
  EXPECT_EQ(report.verdict, CanaryVerdict::syscallFailed);
}

TEST(KvmCanary, ManyRunAtOnce) {
  VMPULSE_NEEDS_KVM();
  std::vector<CanaryReport> reports(8);
  {
    std::vector<std::jthread> runners;
    for (CanaryReport& report : reports) {
      runners.emplace_back([&report] { report = runCanary(canaryProgram(), kGenerous, {}); });
    }
  }
  for (const CanaryReport& report : reports) EXPECT_EQ(report.verdict, CanaryVerdict::ok) << report.detail;
}

TEST(KvmGuest, KickBeforeTheRunIsNotLost) {
  VMPULSE_NEEDS_KVM();
  const SignalsBlocked blocked;
  std::string output;
  {
    KvmGuest guest(spinningProgram());
    guest.requestExit();
    EXPECT_EQ(guest.step(output), KvmGuest::Exit::interrupted);
  }
  KvmGuest guest(spinningProgram());
  ::pthread_kill(::pthread_self(), kKickSignal);
  EXPECT_EQ(guest.step(output), KvmGuest::Exit::interrupted);
  // Still pending and blocked here; taken back so that the mask can be restored quietly.
  sigset_t kick;
  sigemptyset(&kick);
  sigaddset(&kick, kKickSignal);
  const timespec now{};
  EXPECT_EQ(::sigtimedwait(&kick, nullptr, &now), kKickSignal);
}

}  // namespace
}  // namespace vmpulse
