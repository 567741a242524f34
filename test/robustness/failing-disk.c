/* Makes writes or syncs of some files fail, as a full or a broken disk would. Preloaded into the server by the tests.
 *
 *   FAULT_TRIGGER  the faults begin when this file exists
 *   FAULT_PATH     only files whose path contains this
 *   FAULT_CALL     "write" or "sync"
 *   FAULT_ERRNO    the error number
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int failing(const char *call, int fd) {
  const char *wanted = getenv("FAULT_CALL"), *path = getenv("FAULT_PATH"), *trigger = getenv("FAULT_TRIGGER");
  char link[64], target[4096];
  ssize_t length;
  int kept = errno;
  if (!wanted || !path || !trigger || strcmp(wanted, call) != 0) return 0;
  if (access(trigger, F_OK) != 0) { errno = kept; return 0; }
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  length = readlink(link, target, sizeof target - 1);
  if (length < 0) { errno = kept; return 0; }
  target[length] = 0;
  if (!strstr(target, path)) { errno = kept; return 0; }
  errno = atoi(getenv("FAULT_ERRNO"));
  return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size) { return failing("write", fd) ? -1 : REAL(write)(fd, data, size); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return failing("write", fd) ? -1 : REAL(pwrite)(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { return failing("write", fd) ? -1 : REAL(pwrite64)(fd, data, size, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) { return failing("write", fd) ? -1 : REAL(writev)(fd, parts, count); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return failing("write", fd) ? -1 : REAL(pwritev)(fd, parts, count, at); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { return failing("write", fd) ? -1 : REAL(pwritev64)(fd, parts, count, at); }
int fsync(int fd) { return failing("sync", fd) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return failing("sync", fd) ? -1 : REAL(fdatasync)(fd); }
