/* Preloaded into a process, sets its wall clock off by what the first bytes of the file
 * $CHAOS_CLOCK say (int64, microseconds), read anew at every call; all other clocks stay right.
 * Waits until a wall clock time are brought back to the machine's clock, which the kernel waits by. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { MICROS = 1000000, NANOS = 1000000000 };

static volatile int64_t none;
static volatile int64_t *offset_us = &none;

__attribute__((constructor)) static void open_offset(void) {
  const char *path = getenv("CHAOS_CLOCK");
  const int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
  if (page != MAP_FAILED) offset_us = page;
  close(fd);
}

static void shift(struct timespec *at, int64_t by_us) {
  int64_t ns = at->tv_nsec + by_us % MICROS * 1000;
  at->tv_sec += by_us / MICROS + (ns < 0 ? -1 : ns / NANOS);
  at->tv_nsec = ns < 0 ? ns + NANOS : ns % NANOS;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
  const int failed = real(clock, at);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) shift(at, *offset_us);
  return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
  static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  if (!real) *(void **)&real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  struct timespec there = *until;
  /* A time that is not near the wall clock's is one of a monotonic clock: left alone. */
  if (there.tv_sec > 1000000000) shift(&there, -*offset_us);
  return real(condition, mutex, &there);
}
