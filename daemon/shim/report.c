/* What the shim tells about the container: that it started, how it ended, or why it never began. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *code_of_errno(int error) {
  switch (error) {
    case ENODEV: case ENOSYS: case EOPNOTSUPP: return "not_supported";
    case ENOSPC: case EDQUOT: case EMFILE: case ENFILE: case ENOMEM: case EAGAIN: return "exhausted";
    case EPERM: case EACCES: return "permission_denied";
    default: return "internal";
  }
}

/* Length of the UTF-8 sequence at text, 0 if it is not one. */
static size_t utf8_length(const uint8_t *text, size_t left) {
  size_t length = text[0] < 0x80 ? 1 : text[0] >= 0xc2 && text[0] < 0xe0 ? 2 : (text[0] & 0xf0) == 0xe0 ? 3
                  : text[0] >= 0xf0 && text[0] < 0xf5 ? 4 : 0;
  if (length == 0 || length > left) return 0;
  for (size_t i = 1; i < length; i++)
    if ((text[i] & 0xc0) != 0x80) return 0;
  if (length > 2) {
    unsigned top = (unsigned)text[0] << 8 | text[1];
    if (top < 0xe0a0 || (top >= 0xeda0 && top < 0xee00) || (top > 0xefff && top < 0xf090) || top > 0xf48f) return 0;
  }
  return length;
}

/* Appends text as the inside of a JSON string, as much as fits; returns the new end. */
static size_t append_escaped(char *to, size_t at, size_t size, const char *text, size_t length) {
  const uint8_t *bytes = (const uint8_t *)text;
  for (size_t i = 0; i < length && at + 8 < size;) {
    size_t sequence = utf8_length(bytes + i, length - i);
    if (sequence == 0) {
      at += (size_t)snprintf(to + at, size - at, "\\ufffd");
      i++;
    } else if (sequence == 1 && (bytes[i] < 0x20 || bytes[i] == '"' || bytes[i] == '\\' || bytes[i] == 0x7f)) {
      at += (size_t)snprintf(to + at, size - at, "\\u%04x", bytes[i]);
      i++;
    } else {
      memcpy(to + at, bytes + i, sequence);
      at += sequence;
      i += sequence;
    }
  }
  to[at] = '\0';
  return at;
}

size_t started_json(const struct shim *shim, char *text, size_t size) {
  return (size_t)snprintf(text, size, "{\"pid\":%d,\"startTime\":%llu}", (int)shim->container,
                          (unsigned long long)shim->start_time);
}

size_t exit_json(const struct shim *shim, char *text, size_t size, bool with_pid) {
  char at[32], signal[16] = "null";
  time_t seconds = (time_t)shim->exited_at.seconds;
  struct tm utc;
  gmtime_r(&seconds, &utc);
  strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%S", &utc);
  int status = shim->wait_status, code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  if (WIFSIGNALED(status)) snprintf(signal, sizeof signal, "%d", WTERMSIG(status));
  int length = snprintf(text, size, "{\"status\":%d,\"signal\":%s,\"exitedAt\":\"%s.%03ldZ\"", code, signal, at,
                        shim->exited_at.nanoseconds / 1000000);
  if (with_pid) length += snprintf(text + length, size - (size_t)length, ",\"pid\":%d", (int)shim->container);
  length += snprintf(text + length, size - (size_t)length, "}");
  return (size_t)length;
}

/* Where the last line of a runtime's words begins; trailing white space is cut off. */
static size_t last_line(const char *said, size_t *length) {
  while (*length > 0 && (uint8_t)said[*length - 1] <= ' ') --*length;
  size_t at = *length;
  while (at > 0 && said[at - 1] != '\n') at--;
  return at;
}

static void temporary_path(const struct shim *shim, char path[PATH_MAX]) {
  snprintf(path, PATH_MAX, "%s.new", shim->options.exit_file);
}

/* The space is taken now: a disk that is full at the end must not cost the exit status. */
void prepare_exit_file(struct shim *shim) {
  char path[PATH_MAX];
  temporary_path(shim, path);
  if (strlen(path) >= PATH_MAX - 1) fail(shim, "setup", "invalid_argument", "--exit-file: the path is too long");
  if (unlink(shim->options.exit_file) != 0 && errno != ENOENT)
    fail(shim, "setup", code_of_errno(errno), "cannot remove the old exit file %s: %s", shim->options.exit_file, strerror(errno));
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) fail(shim, "setup", code_of_errno(errno), "cannot create the exit file %s: %s", path, strerror(errno));
  shim->exit_prepared = true;
  shim->exit_temporary = fd;
  int error = posix_fallocate(fd, 0, 256);
  if (error != 0 && error != EOPNOTSUPP && error != EINVAL)
    fail(shim, "setup", code_of_errno(error), "no space for the exit file %s: %s", path, strerror(error));
}

void write_exit_file(struct shim *shim) {
  char path[PATH_MAX], text[256];
  size_t length = exit_json(shim, text, sizeof text - 1, true);
  text[length++] = '\n';
  temporary_path(shim, path);
  /* the rename only after the bytes are safe: a reader never sees half a status */
  if (pwrite(shim->exit_temporary, text, length, 0) != (ssize_t)length || ftruncate(shim->exit_temporary, (off_t)length) != 0 ||
      fsync(shim->exit_temporary) != 0 || rename(path, shim->options.exit_file) != 0)
    dprintf(STDERR_FILENO, "kago-shim: cannot write the exit file %s: %s\n", shim->options.exit_file, strerror(errno));
  close(shim->exit_temporary);
}

static void remove_traces(struct shim *shim) {
  char path[PATH_MAX];
  if (shim->exit_prepared) {
    temporary_path(shim, path);
    unlink(path);
  }
  if (shim->listener >= 0) unlink(shim->options.socket);
  if (shim->console_listener >= 0) unlink(shim->options.console_socket);
  if (shim->phase == PHASE_RUNNING || shim->container > 0) kill(shim->container, SIGKILL);
}

/* Before the container runs every failure is final: it is told on the events connection and on stderr. */
void fail(struct shim *shim, const char *stage, const char *code, const char *format, ...) {
  static char message[2048], said[MESSAGE_BYTES], text[4 * 6 * MESSAGE_BYTES];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  dprintf(STDERR_FILENO, "kago-shim: %s\n", message);

  size_t said_length = read_runtime_message(shim, said, sizeof said), last = last_line(said, &said_length);
  size_t at = (size_t)snprintf(text, sizeof text, "{\"code\":\"%s\",\"message\":\"", code);
  at = append_escaped(text, at, sizeof text, message, strlen(message));
  if (last < said_length) {
    at += (size_t)snprintf(text + at, sizeof text - at, ": ");
    at = append_escaped(text, at, sizeof text, said + last, said_length - last);
  }
  at += (size_t)snprintf(text + at, sizeof text - at, "\",\"details\":{\"stage\":\"%s\"", stage);
  if (shim->runtime_ended) {
    int status = shim->runtime_status;
    at += (size_t)snprintf(text + at, sizeof text - at, ",\"runtimeStatus\":%d,\"runtimeOutput\":\"",
                           WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    at = append_escaped(text, at, sizeof text - 4, said, said_length);
    text[at++] = '"';
  }
  memcpy(text + at, "}}", 2);
  at += 2;
  if (shim->events != NULL && shim->events->fd >= 0) {
    send_frame(shim, shim->events, FRAME_ERROR, text, at);
    flush_peers(shim);
  }
  remove_traces(shim);
  exit(1);
}
