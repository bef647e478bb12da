#pragma once

#include <napi.h>

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_set>

#include "core/unique_fd.h"

namespace vmpulse {

class CanaryTask;

// Descriptors of one environment's open handles, for its cleanup hook. Shared with the handles, as nothing
// says whether their finalizers run before or after the environment's own data goes.
class OpenDescriptors {
 public:
  void add(UniqueFd* fd) { open_.insert(fd); }
  void remove(UniqueFd* fd) { open_.erase(fd); }
  void closeAll() noexcept {
    for (UniqueFd* fd : open_) fd->reset();
    open_.clear();
  }

 private:
  std::unordered_set<UniqueFd*> open_;
};

// All state of the addon in one JavaScript environment (main thread or worker); there are no globals.
class Instance {
 public:
  explicit Instance(Napi::Env env);
  ~Instance();
  static Instance& of(Napi::Env env);

  const std::shared_ptr<OpenDescriptors>& descriptors() const { return descriptors_; }
  // Canary runs in progress by id, owned here.
  std::map<uint32_t, std::unique_ptr<CanaryTask>>& canaries() { return canaries_; }
  uint32_t nextCanaryId() { return ++lastCanaryId_; }

 private:
  std::shared_ptr<OpenDescriptors> descriptors_ = std::make_shared<OpenDescriptors>();
  std::map<uint32_t, std::unique_ptr<CanaryTask>> canaries_;
  uint32_t lastCanaryId_ = 0;
};

}  // namespace vmpulse
