#include "addon/canary_task.h"

#include <pthread.h>

#include <system_error>

#include "addon/arguments.h"
#include "addon/errors.h"
#include "addon/instance.h"
#include "core/signals_blocked.h"

namespace vmpulse {

namespace {

constexpr int32_t kMaxDeadlineMs = 60'000;

Napi::Object toObject(Napi::Env env, const CanaryReport& report) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("ok", report.verdict == CanaryVerdict::ok);
  result.Set("elapsedMs", report.elapsed.count());
  // Bytes as Latin-1 characters: whatever a broken CPU wrote is a valid string.
  std::u16string output;
  for (const char c : report.output) output.push_back(static_cast<unsigned char>(c));
  result.Set("output", output);
  if (report.verdict != CanaryVerdict::ok) {
    result.Set("reason", std::string(canaryVerdictName(report.verdict)));
    result.Set("detail", report.detail);
  }
  return result;
}

}  // namespace

Napi::Value CanaryTask::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int32_t deadlineMs = integerArgument(info, 0, "deadlineMs", 1, kMaxDeadlineMs);
  Instance& instance = Instance::of(env);
  const uint32_t id = instance.nextCanaryId();
  // Into the instance's hands at once: what follows throws when the environment is being terminated.
  const auto [entry, _] = instance.canaries().emplace(
      id, std::make_unique<CanaryTask>(env, id, std::chrono::milliseconds(deadlineMs)));

  Napi::Object result = Napi::Object::New(env);
  result.Set("id", id);
  result.Set("promise", entry->second->deferred_.Promise());
  return result;
}

Napi::Value CanaryTask::cancel(const Napi::CallbackInfo& info) {
  const int32_t id = integerArgument(info, 0, "id", 1, INT32_MAX);
  auto& canaries = Instance::of(info.Env()).canaries();
  const auto found = canaries.find(static_cast<uint32_t>(id));
  if (found != canaries.end()) found->second->watcher_.request_stop();
  return info.Env().Undefined();
}

CanaryTask::CanaryTask(Napi::Env env, uint32_t id, std::chrono::milliseconds deadline)
    : env_(env), id_(id), deferred_(env), settle_(Settle::New(env, "vmpulse.kvmCanary", 1, 1)) {
  const SignalsBlocked blocked;
  try {
    watcher_ = std::jthread([this, deadline](std::stop_token stop) { watch(std::move(stop), deadline); });
  } catch (const std::system_error& error) {
    settle_.Release();
    deferred_.Resolve(env.Undefined());  // Frees it; nobody has seen the promise.
    throw syscallError(env, SyscallError(error.code().value(), "pthread_create", "canary watcher"));
  }
  napi_add_env_cleanup_hook(env_, environmentEnds, this);
}

// On the watcher thread.
void CanaryTask::watch(std::stop_token stop, std::chrono::milliseconds deadline) {
  pthread_setname_np(pthread_self(), "vmpulse-canary");
  report_ = runCanary(canaryProgram(), deadline, std::move(stop));
  // A queue of one for the only call there is: it cannot be full. The release ends this thread's claim, so
  // the function's memory stays valid until here and no longer.
  settle_.NonBlockingCall(this);
  settle_.Release();
}

// On the JavaScript thread, once; without an environment when that is ending and the task may be gone
// already.
void CanaryTask::finished(Napi::Env env, Napi::Function, std::nullptr_t*, CanaryTask* task) {
  if (static_cast<napi_env>(env) == nullptr) return;
  napi_remove_env_cleanup_hook(env, environmentEnds, task);
  auto& canaries = Instance::of(env).canaries();
  const auto owned = canaries.extract(task->id_);
  task->watcher_.join();
  try {
    task->deferred_.Resolve(toObject(env, *task->report_));
  } catch (const Napi::Error&) {
    // The environment is being terminated and takes no more values; nobody is left to wait for the promise.
  }
}

// Cleanup hook: the thread-safe function is still there, JavaScript is not.
void CanaryTask::environmentEnds(void* data) {
  auto* task = static_cast<CanaryTask*>(data);
  task->watcher_.request_stop();
  task->watcher_.join();
}

}  // namespace vmpulse
