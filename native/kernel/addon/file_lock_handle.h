#pragma once

#include <napi.h>

#include <memory>

#include "addon/instance.h"
#include "core/unique_fd.h"

namespace vmpulse {

// new FileLock(path): owner of a locked descriptor. `closed`, close(). Released by close(), by the cleanup
// hook of its environment, with the object, or with the process, whichever comes first.
class FileLockHandle : public Napi::ObjectWrap<FileLockHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit FileLockHandle(const Napi::CallbackInfo& info);
  ~FileLockHandle() override;

 private:
  Napi::Value closed(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<OpenDescriptors> descriptors_;
  UniqueFd fd_;
};

}  // namespace vmpulse
