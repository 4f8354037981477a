#include "bench/micro/allocations.h"

#include <cstdlib>
#include <new>

namespace {

thread_local uint64_t count = 0;

void* allocate(size_t size) {
  ++count;
  return std::malloc(size);
}
void* allocate(size_t size, std::align_val_t alignment) {
  ++count;
  const auto to = static_cast<size_t>(alignment);
  return std::aligned_alloc(to, (size + to - 1) / to * to);
}
void* or_throw(void* at) {
  if (at == nullptr) throw std::bad_alloc();
  return at;
}

}  // namespace

namespace tidemill::micro {

uint64_t allocations() { return count; }

}  // namespace tidemill::micro

void* operator new(size_t size) { return or_throw(allocate(size)); }
void* operator new[](size_t size) { return or_throw(allocate(size)); }
void* operator new(size_t size, std::align_val_t to) { return or_throw(allocate(size, to)); }
void* operator new[](size_t size, std::align_val_t to) { return or_throw(allocate(size, to)); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new(size_t size, std::align_val_t to, const std::nothrow_t&) noexcept {
  return allocate(size, to);
}
void* operator new[](size_t size, std::align_val_t to, const std::nothrow_t&) noexcept {
  return allocate(size, to);
}
void operator delete(void* at) noexcept { std::free(at); }
void operator delete[](void* at) noexcept { std::free(at); }
void operator delete(void* at, size_t) noexcept { std::free(at); }
void operator delete[](void* at, size_t) noexcept { std::free(at); }
void operator delete(void* at, std::align_val_t) noexcept { std::free(at); }
void operator delete[](void* at, std::align_val_t) noexcept { std::free(at); }
void operator delete(void* at, size_t, std::align_val_t) noexcept { std::free(at); }
void operator delete[](void* at, size_t, std::align_val_t) noexcept { std::free(at); }
void operator delete(void* at, const std::nothrow_t&) noexcept { std::free(at); }
void operator delete[](void* at, const std::nothrow_t&) noexcept { std::free(at); }
