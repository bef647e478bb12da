#include "addon/pidfd_handle.h"

#include <csignal>
#include <limits>

#include "addon/arguments.h"
#include "addon/errors.h"
#include "core/pidfd.h"

namespace vmpulse {

Napi::Function PidfdHandle::define(Napi::Env env) {
  return DefineClass(env, "Pidfd",
                     {
                         InstanceAccessor<&PidfdHandle::fd>("fd"),
                         InstanceAccessor<&PidfdHandle::closed>("closed"),
                         InstanceMethod<&PidfdHandle::signal>("signal"),
                         InstanceMethod<&PidfdHandle::close>("close"),
                     });
}

PidfdHandle::PidfdHandle(const Napi::CallbackInfo& info)
    : ObjectWrap(info), descriptors_(Instance::of(info.Env()).descriptors()) {
  const pid_t pid = integerArgument(info, 0, "pid", 1, std::numeric_limits<pid_t>::max());
  fd_ = translated(info.Env(), [pid] { return openPidfd(pid); });
  descriptors_->add(&fd_);
}

PidfdHandle::~PidfdHandle() {
  descriptors_->remove(&fd_);
}

Napi::Value PidfdHandle::fd(const Napi::CallbackInfo& info) {
  requireOpen(info.Env());
  return Napi::Number::New(info.Env(), fd_.get());
}

Napi::Value PidfdHandle::closed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), !fd_.valid());
}

Napi::Value PidfdHandle::signal(const Napi::CallbackInfo& info) {
  requireOpen(info.Env());
  const int number = integerArgument(info, 0, "signal", 0, SIGRTMAX);
  translated(info.Env(), [this, number] { signalPidfd(fd_, number); });
  return info.Env().Undefined();
}

Napi::Value PidfdHandle::close(const Napi::CallbackInfo& info) {
  descriptors_->remove(&fd_);
  fd_.reset();
  return info.Env().Undefined();
}

void PidfdHandle::requireOpen(Napi::Env env) const {
  if (!fd_.valid()) throw closedError(env, "Pidfd");
}

}  // namespace vmpulse
