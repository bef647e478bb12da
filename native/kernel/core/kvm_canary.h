#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/canary_program.h"

namespace vmpulse {

enum class CanaryVerdict {
  ok,
  deadline,        // The guest did not end in time; it was stopped.
  wrongOutput,     // It ended in time and wrote something else.
  unexpectedExit,  // KVM gave up: internal error, failed entry, shutdown …
  syscallFailed,   // /dev/kvm missing or not permitted, no memory …
  stuck,           // The kernel did not give the vCPU back; its thread was left behind.
  cancelled,       // The stop token asked for an end.
  unsupported,     // No canary for this CPU architecture.
};

// The verdict in the words of the JavaScript API: "ok", "deadline", "wrong-output" …
std::string_view canaryVerdictName(CanaryVerdict verdict);

struct CanaryReport {
  CanaryVerdict verdict;
  std::string output;
  std::string detail;  // One sentence; empty when ok.
  std::chrono::duration<double, std::milli> elapsed;
};

// How long a stopped vCPU gets to come back before it counts as stuck.
inline constexpr std::chrono::milliseconds kCanaryGrace{100};

// Runs the program in a throw-away VM and blocks until it ended, the deadline passed or `stop` was requested:
// at most deadline + kCanaryGrace, and at most kCanaryGrace after the stop. Failures are verdicts, not
// exceptions.
CanaryReport runCanary(CanaryProgram program, std::chrono::milliseconds deadline, std::stop_token stop);

}  // namespace vmpulse
