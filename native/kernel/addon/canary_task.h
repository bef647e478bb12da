#pragma once

#include <napi.h>

#include <optional>
#include <stop_token>
#include <thread>

#include "core/kvm_canary.h"

namespace vmpulse {

// One canary run of one environment: a watcher thread and the promise it settles. Owned by the Instance.
//
// The order at the end of an environment is what makes this safe: hooks run last-added first, so ours, added
// after the thread-safe function's own, stops and joins the watcher while that function still exists. The
// join is bounded (kCanaryGrace after a stop).
class CanaryTask {
 public:
  // kvmCanary(deadlineMs) → { id, promise }
  static Napi::Value start(const Napi::CallbackInfo& info);
  // kvmCanaryCancel(id): ends the run early, with reason "cancelled"; nothing happens once it ended.
  static Napi::Value cancel(const Napi::CallbackInfo& info);

  CanaryTask(Napi::Env env, uint32_t id, std::chrono::milliseconds deadline);
  CanaryTask(const CanaryTask&) = delete;
  CanaryTask& operator=(const CanaryTask&) = delete;

 private:
  static void finished(Napi::Env env, Napi::Function callback, std::nullptr_t* context, CanaryTask* task);
  static void environmentEnds(void* task);
  using Settle = Napi::TypedThreadSafeFunction<std::nullptr_t, CanaryTask, &CanaryTask::finished>;

  void watch(std::stop_token stop, std::chrono::milliseconds deadline);

  napi_env env_;
  uint32_t id_;
  Napi::Promise::Deferred deferred_;
  Settle settle_;
  std::optional<CanaryReport> report_;  // Written by the watcher, read after it was joined.
  std::jthread watcher_;
};

}  // namespace vmpulse
