#include "core/kvm_canary.h"

#include <exception>
#include <optional>

#include "core/kvm_guest.h"
#include "core/vcpu_thread.h"

namespace vmpulse {

namespace {

using Clock = VcpuThread::Clock;

struct Judgement {
  CanaryVerdict verdict;
  std::string detail;
};

// `cut`: what ended the wait for the guest; ok when it ended by itself.
Judgement judge(const VcpuResult& result, const std::string& expected, CanaryVerdict cut) {
  switch (result.end) {
    case VcpuEnd::syscallFailed:
      return {CanaryVerdict::syscallFailed, result.detail};
    case VcpuEnd::unexpectedExit:
      return {CanaryVerdict::unexpectedExit, result.detail};
    case VcpuEnd::interrupted:
    case VcpuEnd::halted:
      break;
  }
  if (cut == CanaryVerdict::cancelled) return {cut, "it was withdrawn before the guest ended"};
  if (cut == CanaryVerdict::deadline) return {cut, "the guest did not halt before the deadline"};
  if (result.output == expected) return {CanaryVerdict::ok, {}};
  return {CanaryVerdict::wrongOutput, "the guest should have written \"" + expected + "\""};
}

CanaryReport watch(CanaryProgram program, std::chrono::milliseconds deadline, const std::stop_token& stop) {
  const auto start = Clock::now();
  const std::string expected = program.expectedOutput;
  VcpuThread vcpu(std::move(program));
  CanaryVerdict cut = CanaryVerdict::ok;
  if (!vcpu.waitFinished(start + deadline, stop)) {
    cut = stop.stop_requested() ? CanaryVerdict::cancelled : CanaryVerdict::deadline;
    vcpu.kick();
    vcpu.waitFinished(Clock::now() + kCanaryGrace);
  }
  if (const auto result = vcpu.result()) {
    // In time, only the freeing of the VM was not.
    if (result->end == VcpuEnd::halted && result->at <= start + deadline) cut = CanaryVerdict::ok;
    const auto [verdict, detail] = judge(*result, expected, cut);
    return {verdict, result->output, detail, result->at - start};
  }
  return {CanaryVerdict::stuck, {}, "the kernel did not give the vCPU thread back", Clock::now() - start};
}

}  // namespace

std::string_view canaryVerdictName(CanaryVerdict verdict) {
  switch (verdict) {
    case CanaryVerdict::ok:
      return "ok";
    case CanaryVerdict::deadline:
      return "deadline";
    case CanaryVerdict::wrongOutput:
      return "wrong-output";
    case CanaryVerdict::unexpectedExit:
      return "unexpected-exit";
    case CanaryVerdict::syscallFailed:
      return "syscall-failed";
    case CanaryVerdict::stuck:
      return "stuck";
    case CanaryVerdict::cancelled:
      return "cancelled";
    case CanaryVerdict::unsupported:
      return "unsupported";
  }
  return "unsupported";
}

CanaryReport runCanary(CanaryProgram program, std::chrono::milliseconds deadline, std::stop_token stop) {
  if (!kCanarySupported) {
    return {CanaryVerdict::unsupported, {}, "the canary guest exists for x86 only", {}};
  }
  try {
    return watch(std::move(program), deadline, stop);
  } catch (const std::exception& error) {  // No thread, no memory.
    return {CanaryVerdict::syscallFailed, {}, error.what(), {}};
  }
}

}  // namespace vmpulse
