#include "addon/link_monitor_handle.h"

#include <pthread.h>

#include <system_error>

#include "addon/errors.h"
#include "core/signals_blocked.h"

namespace vmpulse {

namespace {

// More names than that are told as an overrun: a consumer that slow has to look at everything anyway.
constexpr size_t kMaxUntold = 4096;

}  // namespace

Napi::Function LinkMonitorHandle::define(Napi::Env env) {
  return DefineClass(env, "LinkMonitor",
                     {
                         InstanceAccessor<&LinkMonitorHandle::closed>("closed"),
                         InstanceMethod<&LinkMonitorHandle::close>("close"),
                     });
}

LinkMonitorHandle::LinkMonitorHandle(const Napi::CallbackInfo& info)
    : ObjectWrap(info), env_(info.Env()), monitor_(translated(info.Env(), [] { return LinkMonitor(); })) {
  if (!info[0].IsFunction()) throw argumentError(info.Env(), "listener must be a function");
  untold_ = new Untold;
  // A queue of one: a call that waits already will tell what is added meanwhile.
  tell_ = Tell::New(info.Env(), info[0].As<Napi::Function>(), "vmpulse.linkMonitor", 1, 1, untold_,
                    [](Napi::Env, void*, Untold* untold) { delete untold; });
  tell_.Unref(info.Env());  // Hearing of devices is no reason for a process to go on.
  const SignalsBlocked blocked;
  try {
    thread_ = std::jthread([this] { listen(); });
  } catch (const std::system_error& error) {
    tell_.Release();
    throw syscallError(info.Env(), SyscallError(error.code().value(), "pthread_create", "link monitor"));
  }
  napi_add_env_cleanup_hook(env_, environmentEnds, this);
}

LinkMonitorHandle::~LinkMonitorHandle() {
  end();
}

// On the monitor's thread.
void LinkMonitorHandle::listen() {
  pthread_setname_np(pthread_self(), "vmpulse-links");
  for (bool goesOn = true; goesOn;) {
    LinkNews news;
    std::string failure;
    try {
      goesOn = monitor_.wait(news);
      if (!goesOn) return;
    } catch (const SyscallError& error) {
      failure = error.what();
      goesOn = false;
    }
    {
      const std::lock_guard lock(untold_->mutex);
      untold_->news.names.merge(news.names);
      untold_->news.overrun |= news.overrun;
      untold_->failure = failure;
      if (untold_->news.names.size() > kMaxUntold) {
        untold_->news.names.clear();
        untold_->news.overrun = true;
      }
    }
    tell_.NonBlockingCall();
  }
}

// On the JavaScript thread.
void LinkMonitorHandle::tell(Napi::Env env, Napi::Function listener, Untold* untold, std::nullptr_t*) {
  if (static_cast<napi_env>(env) == nullptr) return;
  LinkNews news;
  std::string failure;
  {
    const std::lock_guard lock(untold->mutex);
    std::swap(news, untold->news);
    std::swap(failure, untold->failure);
  }
  if (news.names.empty() && !news.overrun && failure.empty()) return;
  Napi::Object told = Napi::Object::New(env);
  Napi::Array names = Napi::Array::New(env, news.names.size());
  uint32_t i = 0;
  for (const std::string& name : news.names) names.Set(i++, name);
  told.Set("names", names);
  told.Set("overrun", news.overrun);
  told.Set("failure", failure.empty() ? env.Null() : Napi::String::New(env, failure).As<Napi::Value>());
  listener.Call({told});
}

Napi::Value LinkMonitorHandle::closed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), !thread_.joinable());
}

Napi::Value LinkMonitorHandle::close(const Napi::CallbackInfo& info) {
  end();
  return info.Env().Undefined();
}

void LinkMonitorHandle::end() {
  if (!thread_.joinable()) return;
  napi_remove_env_cleanup_hook(env_, environmentEnds, this);
  monitor_.stop();
  thread_.join();
  // Nothing is told any more, not even what waits to be.
  tell_.Abort();
}

// Cleanup hook: the thread-safe function is still there and frees itself next, JavaScript is not.
void LinkMonitorHandle::environmentEnds(void* data) {
  auto* handle = static_cast<LinkMonitorHandle*>(data);
  handle->monitor_.stop();
  handle->thread_.join();
}

}  // namespace vmpulse
