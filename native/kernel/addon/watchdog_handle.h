#pragma once

#include <napi.h>

#include <memory>

#include "addon/instance.h"
#include "core/unique_fd.h"
#include "core/watchdog.h"

namespace vmpulse {

// new Watchdog(path, timeout, pretimeout): owner of an armed device. `identity`, `timeout`, `pretimeout`,
// `closed`, feed(), disarm(). A descriptor that ends in any other way than by disarm() leaves the device
// counting: that is what it is for.
class WatchdogHandle : public Napi::ObjectWrap<WatchdogHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit WatchdogHandle(const Napi::CallbackInfo& info);
  ~WatchdogHandle() override;

 private:
  Napi::Value identity(const Napi::CallbackInfo& info);
  Napi::Value timeout(const Napi::CallbackInfo& info);
  Napi::Value pretimeout(const Napi::CallbackInfo& info);
  Napi::Value closed(const Napi::CallbackInfo& info);
  Napi::Value feed(const Napi::CallbackInfo& info);
  Napi::Value disarm(const Napi::CallbackInfo& info);

  std::shared_ptr<OpenDescriptors> descriptors_;
  UniqueFd fd_;
  WatchdogState state_{};
};

}  // namespace vmpulse
