#include "addon/watchdog_handle.h"

#include <climits>

#include "addon/arguments.h"
#include "addon/errors.h"
#include "core/syscall_error.h"

namespace vmpulse {

namespace {
constexpr int kMaxSeconds = 3600;
}  // namespace

Napi::Function WatchdogHandle::define(Napi::Env env) {
  return DefineClass(env, "Watchdog",
                     {
                         InstanceAccessor<&WatchdogHandle::identity>("identity"),
                         InstanceAccessor<&WatchdogHandle::timeout>("timeout"),
                         InstanceAccessor<&WatchdogHandle::pretimeout>("pretimeout"),
                         InstanceAccessor<&WatchdogHandle::closed>("closed"),
                         InstanceMethod<&WatchdogHandle::feed>("feed"),
                         InstanceMethod<&WatchdogHandle::disarm>("disarm"),
                     });
}

WatchdogHandle::WatchdogHandle(const Napi::CallbackInfo& info)
    : ObjectWrap(info), descriptors_(Instance::of(info.Env()).descriptors()) {
  const std::string path = stringArgument(info, 0, "path", PATH_MAX - 1);
  const int timeout = integerArgument(info, 1, "timeout", 1, kMaxSeconds);
  const int pretimeout = integerArgument(info, 2, "pretimeout", 0, kMaxSeconds);
  translated(info.Env(), [&] {
    UniqueFd device = openWatchdog(path);
    try {
      state_ = setUpWatchdog(device, path, timeout, pretimeout);
    } catch (const SyscallError&) {
      // It is armed already, and nobody would feed it.
      announceClose(device);
      throw;
    }
    fd_ = std::move(device);
  });
  descriptors_->add(&fd_);
}

WatchdogHandle::~WatchdogHandle() {
  descriptors_->remove(&fd_);
}

Napi::Value WatchdogHandle::identity(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), state_.identity);
}

Napi::Value WatchdogHandle::timeout(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), state_.timeout);
}

Napi::Value WatchdogHandle::pretimeout(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), state_.pretimeout);
}

Napi::Value WatchdogHandle::closed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), !fd_.valid());
}

Napi::Value WatchdogHandle::feed(const Napi::CallbackInfo& info) {
  if (!fd_.valid()) throw closedError(info.Env(), "Watchdog");
  translated(info.Env(), [this] { feedWatchdog(fd_); });
  return info.Env().Undefined();
}

Napi::Value WatchdogHandle::disarm(const Napi::CallbackInfo& info) {
  if (!fd_.valid()) return info.Env().Undefined();
  translated(info.Env(), [this] { announceClose(fd_); });
  descriptors_->remove(&fd_);
  fd_.reset();
  return info.Env().Undefined();
}

}  // namespace vmpulse
