#include "addon/file_lock_handle.h"

#include <climits>

#include "addon/arguments.h"
#include "addon/errors.h"
#include "core/file_lock.h"

namespace vmpulse {

Napi::Function FileLockHandle::define(Napi::Env env) {
  return DefineClass(env, "FileLock",
                     {
                         InstanceAccessor<&FileLockHandle::closed>("closed"),
                         InstanceMethod<&FileLockHandle::close>("close"),
                     });
}

FileLockHandle::FileLockHandle(const Napi::CallbackInfo& info)
    : ObjectWrap(info), descriptors_(Instance::of(info.Env()).descriptors()) {
  const std::string path = stringArgument(info, 0, "path", PATH_MAX - 1);
  fd_ = translated(info.Env(), [&path] { return lockFile(path); });
  descriptors_->add(&fd_);
}

FileLockHandle::~FileLockHandle() {
  descriptors_->remove(&fd_);
}

Napi::Value FileLockHandle::closed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), !fd_.valid());
}

Napi::Value FileLockHandle::close(const Napi::CallbackInfo& info) {
  descriptors_->remove(&fd_);
  fd_.reset();
  return info.Env().Undefined();
}

}  // namespace vmpulse
