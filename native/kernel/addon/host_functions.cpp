#include "addon/host_functions.h"

#include <sys/un.h>

#include "addon/arguments.h"
#include "addon/errors.h"
#include "core/kvm_info.h"
#include "core/sd_notify.h"
#include "core/vsock.h"

namespace vmpulse {

namespace {
// More than a status line needs, less than the kernel's default limit of a datagram.
constexpr size_t kMaxNotifyBytes = 4096;
}  // namespace

Napi::Value kvmInfoFunction(const Napi::CallbackInfo& info) {
  const KvmInfo found = translated(info.Env(), kvmInfo);
  Napi::Object capabilities = Napi::Object::New(info.Env());
  for (const auto& [name, value] : found.capabilities) capabilities.Set(std::string(name), value);
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("apiVersion", found.apiVersion);
  result.Set("vcpuMmapBytes", found.vcpuMmapBytes);
  result.Set("capabilities", capabilities);
  return result;
}

Napi::Value vsockLocalCidFunction(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), translated(info.Env(), vsockLocalCid));
}

Napi::Value sdNotifyFunction(const Napi::CallbackInfo& info) {
  const std::string path = stringArgument(info, 0, "socketPath", sizeof(sockaddr_un::sun_path) - 1);
  const std::string message = stringArgument(info, 1, "message", kMaxNotifyBytes);
  if (path[0] != '/' && path[0] != '@') {
    throw argumentError(info.Env(), "socketPath must be an absolute path or '@' and an abstract name");
  }
  translated(info.Env(), [&] { sdNotify(path, message); });
  return info.Env().Undefined();
}

}  // namespace vmpulse
