#pragma once

#include <napi.h>

namespace vmpulse {

// peerCredentials(fd) → { pid, uid, gid }
Napi::Value peerCredentialsFunction(const Napi::CallbackInfo& info);
// peerGroups(fd) → number[]
Napi::Value peerGroupsFunction(const Napi::CallbackInfo& info);

}  // namespace vmpulse
