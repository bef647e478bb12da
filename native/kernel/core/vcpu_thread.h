#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "core/canary_program.h"

namespace vmpulse {

enum class VcpuEnd { halted, interrupted, unexpectedExit, syscallFailed };

struct VcpuResult {
  VcpuEnd end;
  std::string output;
  std::string detail;
  std::chrono::steady_clock::time_point at;
};

// A thread that creates a KvmGuest, runs it to its end and frees it. Not on libuv's pool, where a call that
// hangs could not be left behind and would hold up file system work and the exit of the process.
class VcpuThread {
 public:
  using Clock = std::chrono::steady_clock;

  // Starts at once. Throws std::system_error when no thread can be had.
  explicit VcpuThread(CanaryProgram program);
  // Joins a finished thread. One that hangs in the kernel is left behind: it owns all that it touches.
  ~VcpuThread();
  VcpuThread(const VcpuThread&) = delete;
  VcpuThread& operator=(const VcpuThread&) = delete;

  // Waits until the thread has freed its guest; false when `until` or the stop came first.
  bool waitFinished(Clock::time_point until, std::stop_token stop = {});

  // Makes the guest stop now: immediate_exit, and the signal in case KVM_RUN is already running.
  void kick();

  // How the guest ended; nothing while it runs.
  std::optional<VcpuResult> result() const;

 private:
  struct State;
  class Published;
  static void body(const std::shared_ptr<State>& state, const CanaryProgram& program);

  std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace vmpulse
