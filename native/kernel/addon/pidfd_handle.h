#pragma once

#include <napi.h>

#include <memory>

#include "addon/instance.h"
#include "core/unique_fd.h"

namespace vmpulse {

// new Pidfd(pid): owner of a pidfd. `fd` (a loan: whoever polls it dups it), `closed`, signal(n), close().
// Closed by close(), by the cleanup hook of its environment, or with the object, whichever comes first.
class PidfdHandle : public Napi::ObjectWrap<PidfdHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit PidfdHandle(const Napi::CallbackInfo& info);
  ~PidfdHandle() override;

 private:
  Napi::Value fd(const Napi::CallbackInfo& info);
  Napi::Value closed(const Napi::CallbackInfo& info);
  Napi::Value signal(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  void requireOpen(Napi::Env env) const;

  std::shared_ptr<OpenDescriptors> descriptors_;
  UniqueFd fd_;
};

}  // namespace vmpulse
