/* The container's log: chunks of a 16-byte header and the bytes as they came, in files that are rotated by size. */
#include "shim.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct chunk_header {
  uint64_t time;        /* big-endian nanoseconds since 1970 */
  uint8_t stream;       /* 1 or 2 */
  uint8_t zero[3];
  uint32_t length;      /* big-endian */
};
_Static_assert(sizeof(struct chunk_header) == 16, "the header's form is a contract with daemon/logs");

static void file_name(char name[16], unsigned number) {
  if (number == 0) strcpy(name, "current");
  else snprintf(name, 16, "%u", number);
}

/* Where the last whole chunk ends. A machine that died while writing leaves half a chunk, and nothing may follow it. */
static uint64_t end_of_chunks(int file, uint64_t size) {
  struct chunk_header header;
  uint64_t at = 0;
  uint8_t *bytes = size == 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
  if (bytes == MAP_FAILED) return size;
  while (at + sizeof header <= size) {
    memcpy(&header, bytes + at, sizeof header);
    if (header.stream < 1 || header.stream > 2 || header.zero[0] || header.zero[1] || header.zero[2]) break;
    uint64_t next = at + sizeof header + be32toh(header.length);
    if (next > size) break;
    at = next;
  }
  munmap(bytes, size);
  return at;
}

static bool open_current(struct log *log) {
  struct stat status;
  log->file = openat(log->dir, "current", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (log->file < 0) return false;
  if (fstat(log->file, &status) != 0) status.st_size = 0;
  log->size = (uint64_t)status.st_size;
  return true;
}

void open_log(struct shim *shim) {
  struct log *log = &shim->log;
  const char *dir = shim->options.log_dir;
  char name[16];
  if (dir == NULL) return;
  log->max_bytes = shim->options.log_max_bytes;
  log->max_files = shim->options.log_max_files;
  log->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (log->dir < 0 || !open_current(log))
    fail(shim, "setup", code_of_errno(errno), "cannot open the log in %s: %s", dir, strerror(errno));
  uint64_t end = end_of_chunks(log->file, log->size);
  if (end < log->size && ftruncate(log->file, (off_t)end) == 0) log->size = end;
  /* fewer files are kept than before */
  for (unsigned number = log->max_files; file_name(name, number), unlinkat(log->dir, name, 0) == 0; number++) {}
}

/* From the oldest to the newest, so that a reader that holds a file finds the next one at the number before. */
static bool rotate(struct log *log) {
  char from[16], to[16];
  if (log->file >= 0) close(log->file);
  log->file = -1;
  for (unsigned number = log->max_files - 1; number >= 1; number--) {
    file_name(from, number - 1);
    file_name(to, number);
    if (renameat(log->dir, from, log->dir, to) != 0 && errno != ENOENT) return false;
  }
  if (log->max_files == 1 && unlinkat(log->dir, "current", 0) != 0 && errno != ENOENT) return false;
  return open_current(log);
}

/* A chunk is written whole or not at all. */
static bool write_chunk(struct log *log, const struct timespec *now, int stream, const void *data, size_t length) {
  struct chunk_header header = {
      .time = htobe64((uint64_t)now->tv_sec * 1000000000u + (uint64_t)now->tv_nsec),
      .stream = (uint8_t)stream,
      .length = htobe32((uint32_t)length),
  };
  size_t total = sizeof header + length;
  if (log->file < 0 ? !open_current(log) : log->size > 0 && log->size + total > log->max_bytes && !rotate(log)) return false;
  struct iovec parts[2] = {{&header, sizeof header}, {(void *)(uintptr_t)data, length}};
  ssize_t written;
  do written = writev(log->file, parts, 2);
  while (written < 0 && errno == EINTR);
  if (written == (ssize_t)total) {
    log->size += total;
    return true;
  }
  int error = written < 0 ? errno : ENOSPC;
  if (written > 0 && ftruncate(log->file, (off_t)log->size) != 0) log->size += (uint64_t)written;
  errno = error;
  return false;
}

/* A full disk costs log, never the container: what is lost is counted and said once there is room again. */
void write_log(struct log *log, int stream, const uint8_t *data, size_t length) {
  struct timespec now;
  if (log->dir < 0) return;
  clock_gettime(CLOCK_REALTIME, &now);
  if (log->lost_bytes > 0) {
    char notice[160];
    int size = snprintf(notice, sizeof notice, "[kago: %llu bytes of output are missing here: %s]\n",
                        (unsigned long long)log->lost_bytes, strerror(log->lost_errno));
    if (write_chunk(log, &now, 2, notice, (size_t)size)) log->lost_bytes = 0;
  }
  if (log->lost_bytes == 0 && write_chunk(log, &now, stream, data, length)) return;
  log->lost_errno = errno;
  log->lost_bytes += length;
}
