#pragma once

#include <napi.h>

#include <mutex>
#include <thread>

#include "core/link_monitor.h"

namespace vmpulse {

// new LinkMonitor(listener): hears of every change of a network device on a thread of its own, and calls
// listener({ names, overrun, failure }) for all that was heard since the last call. `closed`, close(). Ended
// by close(), by the cleanup hook of its environment, or with the object, whichever comes first.
//
// At the end of an environment hooks run last-added first, so ours, added after the thread-safe function's
// own, joins the thread while that function still exists. The join is bounded: the thread only ever waits
// for the socket or for stop().
class LinkMonitorHandle : public Napi::ObjectWrap<LinkMonitorHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit LinkMonitorHandle(const Napi::CallbackInfo& info);
  ~LinkMonitorHandle() override;

 private:
  // What was heard and not told yet. Owned by the thread-safe function, which outlives the thread.
  struct Untold {
    std::mutex mutex;
    LinkNews news;
    std::string failure;
  };
  static void tell(Napi::Env env, Napi::Function listener, Untold* untold, std::nullptr_t*);
  static void environmentEnds(void* handle);
  using Tell = Napi::TypedThreadSafeFunction<Untold, std::nullptr_t, &LinkMonitorHandle::tell>;

  Napi::Value closed(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  void end();
  void listen();

  napi_env env_;
  LinkMonitor monitor_;
  Untold* untold_ = nullptr;
  Tell tell_;
  std::jthread thread_;
};

}  // namespace vmpulse
