#include <napi.h>

#include "addon/canary_task.h"
#include "addon/file_lock_handle.h"
#include "addon/host_functions.h"
#include "addon/instance.h"
#include "addon/pidfd_handle.h"

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  using namespace vmpulse;
  new Instance(env);  // Owned by the environment.
  exports.Set("Pidfd", PidfdHandle::define(env));
  exports.Set("FileLock", FileLockHandle::define(env));
  exports.Set("kvmInfo", Napi::Function::New<kvmInfoFunction>(env, "kvmInfo"));
  exports.Set("kvmCanary", Napi::Function::New<CanaryTask::start>(env, "kvmCanary"));
  exports.Set("kvmCanaryCancel", Napi::Function::New<CanaryTask::cancel>(env, "kvmCanaryCancel"));
  exports.Set("vsockLocalCid", Napi::Function::New<vsockLocalCidFunction>(env, "vsockLocalCid"));
  exports.Set("sdNotify", Napi::Function::New<sdNotifyFunction>(env, "sdNotify"));
  return exports;
}

NODE_API_MODULE(kernel, initialize)
