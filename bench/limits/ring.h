// As much of io_uring as a loop needs: one submission queue, one completion queue, no library.
#pragma once
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "pace.h"

// Newer than the headers of some distributions.
constexpr uint32_t kSocketSetOption = 3;

class Ring {
 public:
  static constexpr unsigned kEntries = 8192;

  Ring() {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                   IORING_SETUP_CQSIZE;
    params.cq_entries = 4 * kEntries;
    fd_ = static_cast<int>(syscall(SYS_io_uring_setup, kEntries, &params));
    if (fd_ < 0) fail("io_uring_setup");
    const size_t size = std::max(params.sq_off.array + params.sq_entries * sizeof(uint32_t),
                                 params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe));
    auto* queues = static_cast<char*>(map(size, IORING_OFF_SQ_RING));
    entries_ = static_cast<io_uring_sqe*>(map(params.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES));
    sqTail_ = reinterpret_cast<uint32_t*>(queues + params.sq_off.tail);
    cqHead_ = reinterpret_cast<uint32_t*>(queues + params.cq_off.head);
    cqTail_ = reinterpret_cast<uint32_t*>(queues + params.cq_off.tail);
    completions_ = reinterpret_cast<io_uring_cqe*>(queues + params.cq_off.cqes);
    sqMask_ = params.sq_entries - 1;
    cqMask_ = params.cq_entries - 1;
    auto* array = reinterpret_cast<uint32_t*>(queues + params.sq_off.array);
    for (uint32_t i = 0; i < params.sq_entries; ++i) array[i] = i;
  }

  // Places for descriptors that the process does not have itself; -1: empty.
  void registerFiles(const int* files, unsigned count) {
    if (syscall(SYS_io_uring_register, fd_, IORING_REGISTER_FILES, files, count) != 0)
      fail("IORING_REGISTER_FILES");
  }

  // The next entry, cleared. There must be room; submit() makes it.
  io_uring_sqe& next(uint8_t opcode, int file, uint64_t data) {
    io_uring_sqe& entry = entries_[tail_++ & sqMask_];
    std::memset(&entry, 0, sizeof(entry));
    entry.opcode = opcode;
    entry.fd = file;
    entry.user_data = data;
    return entry;
  }

  unsigned unsubmitted() const { return tail_ - submitted_; }

  // Submits what there is and waits up to `waitMs` for a completion.
  void enter(int waitMs) {
    std::atomic_ref(*sqTail_).store(tail_, std::memory_order_release);
    __kernel_timespec limit{0, static_cast<long long>(waitMs) * 1'000'000};
    io_uring_getevents_arg arg{};
    arg.ts = reinterpret_cast<uint64_t>(&limit);
    const long result = syscall(SYS_io_uring_enter, fd_, unsubmitted(), waitMs > 0 ? 1 : 0,
                                IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof(arg));
    if (result < 0 && errno != ETIME && errno != EINTR) fail("io_uring_enter");
    submitted_ = tail_;
  }

  template <typename Handle>
  void completions(Handle handle) {
    uint32_t head = *cqHead_;
    const uint32_t tail = std::atomic_ref(*cqTail_).load(std::memory_order_acquire);
    for (; head != tail; ++head) {
      const io_uring_cqe& completion = completions_[head & cqMask_];
      handle(completion.user_data, completion.res);
    }
    std::atomic_ref(*cqHead_).store(head, std::memory_order_release);
  }

 private:
  void* map(size_t size, off_t what) const {
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, what);
    if (memory == MAP_FAILED) fail("mmap of io_uring");
    return memory;
  }

  int fd_;
  io_uring_sqe* entries_;
  io_uring_cqe* completions_;
  uint32_t* sqTail_;
  uint32_t* cqHead_;
  uint32_t* cqTail_;
  uint32_t sqMask_;
  uint32_t cqMask_;
  uint32_t tail_ = 0;
  uint32_t submitted_ = 0;
};
