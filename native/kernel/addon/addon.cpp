#include <napi.h>

#include "addon/canary_task.h"
#include "addon/file_lock_handle.h"
#include "addon/host_functions.h"
#include "addon/instance.h"
#include "addon/link_functions.h"
#include "addon/link_monitor_handle.h"
#include "addon/pidfd_handle.h"
#include "addon/socket_functions.h"
#include "addon/watchdog_handle.h"

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  using namespace vmpulse;
  new Instance(env);  // Owned by the environment.
  exports.Set("Pidfd", PidfdHandle::define(env));
  exports.Set("FileLock", FileLockHandle::define(env));
  exports.Set("Watchdog", WatchdogHandle::define(env));
  exports.Set("kvmInfo", Napi::Function::New<kvmInfoFunction>(env, "kvmInfo"));
  exports.Set("kvmCanary", Napi::Function::New<CanaryTask::start>(env, "kvmCanary"));
  exports.Set("kvmCanaryCancel", Napi::Function::New<CanaryTask::cancel>(env, "kvmCanaryCancel"));
  exports.Set("vsockLocalCid", Napi::Function::New<vsockLocalCidFunction>(env, "vsockLocalCid"));
  exports.Set("sdNotify", Napi::Function::New<sdNotifyFunction>(env, "sdNotify"));
  exports.Set("peerCredentials", Napi::Function::New<peerCredentialsFunction>(env, "peerCredentials"));
  exports.Set("peerGroups", Napi::Function::New<peerGroupsFunction>(env, "peerGroups"));
  exports.Set("linkInfo", Napi::Function::New<linkInfoFunction>(env, "linkInfo"));
  exports.Set("linkAddresses", Napi::Function::New<linkAddressesFunction>(env, "linkAddresses"));
  exports.Set("setLinkUp", Napi::Function::New<setLinkUpFunction>(env, "setLinkUp"));
  exports.Set("setLinkMaster", Napi::Function::New<setLinkMasterFunction>(env, "setLinkMaster"));
  exports.Set("createBridge", Napi::Function::New<createBridgeFunction>(env, "createBridge"));
  exports.Set("createTap", Napi::Function::New<createTapFunction>(env, "createTap"));
  exports.Set("removeLink", Napi::Function::New<removeLinkFunction>(env, "removeLink"));
  exports.Set("addAddress", Napi::Function::New<addAddressFunction>(env, "addAddress"));
  exports.Set("LinkMonitor", LinkMonitorHandle::define(env));
  return exports;
}

NODE_API_MODULE(kernel, initialize)
