/* Makes writes or syncs of some files fail, as a full or a broken disk would. Preloaded into the server by the tests.
 * Where writes fail for want of space, the file system also says that it has none.
 *
 *   FAULT_TRIGGER  the faults begin when this file exists, and are over when it is gone
 *   FAULT_PATH     only files whose path contains this
 *   FAULT_CALL     "write" or "sync"
 *   FAULT_ERRNO    the error number
 *
 * Without FAULT_CALL the file says what is wrong, a line each: "CALL ERRNO MILLISECONDS". With the number 0 the call works,
 * but takes so much longer.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What the trigger itself says of this call; 0: nothing is wrong with it, now that it has waited. */
static int told_by(const char *trigger, const char *call) {
  char text[256], wanted[16];
  int file = open(trigger, O_RDONLY | O_CLOEXEC), number = 0, milliseconds = 0, used = 0, fault = 0;
  ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
  if (file >= 0) close(file);
  if (length <= 0) return 0;
  text[length] = 0;
  for (const char *line = text; sscanf(line, "%15s %d %d%n", wanted, &number, &milliseconds, &used) == 3; line += used) {
    if (strcmp(wanted, call) != 0) continue;
    usleep(milliseconds * 1000);
    if (number != 0) fault = number;
  }
  return fault;
}

/* The error number for this call on this file; 0: none. Leaves errno as it is. */
static int fault_of(const char *call, const char *file) {
  const char *wanted = getenv("FAULT_CALL"), *path = getenv("FAULT_PATH"), *trigger = getenv("FAULT_TRIGGER");
  int kept = errno, fault = 0;
  if (!path || !trigger || !strstr(file, path) || (wanted && strcmp(wanted, call) != 0)) return 0;
  if (access(trigger, F_OK) == 0) fault = wanted ? atoi(getenv("FAULT_ERRNO")) : told_by(trigger, call);
  errno = kept;
  return fault;
}

static int failing(const char *call, int fd) {
  char link[64], target[4096];
  ssize_t length;
  int kept = errno, fault;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  length = readlink(link, target, sizeof target - 1);
  errno = kept;
  if (length < 0) return 0;
  target[length] = 0;
  fault = fault_of(call, target);
  if (fault != 0) errno = fault;
  return fault != 0;
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

/* Both names of it: which one is called depends on how the caller was built. */
int statfs(const char *path, struct statfs *stats) {
  int result = REAL(statfs)(path, stats);
  if (result == 0 && fault_of("write", path) == ENOSPC) stats->f_bavail = stats->f_bfree = 0;
  return result;
}
int statfs64(const char *path, struct statfs64 *stats) {
  int result = REAL(statfs64)(path, stats);
  if (result == 0 && fault_of("write", path) == ENOSPC) stats->f_bavail = stats->f_bfree = 0;
  return result;
}
