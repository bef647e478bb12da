#include "addon/instance.h"

#include "addon/canary_task.h"

namespace vmpulse {

Instance::Instance(Napi::Env env) {
  env.SetInstanceData(this);  // The environment owns it from here.
  env.AddCleanupHook([descriptors = descriptors_] { descriptors->closeAll(); });
}

Instance::~Instance() = default;

Instance& Instance::of(Napi::Env env) {
  return *env.GetInstanceData<Instance>();
}

}  // namespace vmpulse
