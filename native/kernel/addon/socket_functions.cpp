#include "addon/socket_functions.h"

#include <limits>

#include "addon/arguments.h"
#include "addon/errors.h"
#include "core/peer_credentials.h"

namespace vmpulse {

namespace {
int fdArgument(const Napi::CallbackInfo& info) {
  return integerArgument(info, 0, "fd", 0, std::numeric_limits<int32_t>::max());
}
}  // namespace

Napi::Value peerCredentialsFunction(const Napi::CallbackInfo& info) {
  const int fd = fdArgument(info);
  const PeerCredentials found = translated(info.Env(), [fd] { return peerCredentials(fd); });
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("pid", found.pid);
  result.Set("uid", found.uid);
  result.Set("gid", found.gid);
  return result;
}

Napi::Value peerGroupsFunction(const Napi::CallbackInfo& info) {
  const int fd = fdArgument(info);
  const std::vector<gid_t> found = translated(info.Env(), [fd] { return peerGroups(fd); });
  Napi::Array result = Napi::Array::New(info.Env(), found.size());
  for (uint32_t i = 0; i < found.size(); ++i) result.Set(i, found[i]);
  return result;
}

}  // namespace vmpulse
