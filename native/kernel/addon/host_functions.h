#pragma once

#include <napi.h>

namespace vmpulse {

// kvmInfo() → { apiVersion, vcpuMmapBytes, capabilities: { NAME: number } }
Napi::Value kvmInfoFunction(const Napi::CallbackInfo& info);
// vsockLocalCid() → number
Napi::Value vsockLocalCidFunction(const Napi::CallbackInfo& info);
// sdNotify(socketPath, message)
Napi::Value sdNotifyFunction(const Napi::CallbackInfo& info);

}  // namespace vmpulse
