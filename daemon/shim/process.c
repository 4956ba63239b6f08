/* The runtime as a child, and the container's process as the grandchild the shim inherits from it. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void make_pipe(struct shim *shim, int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) != 0) fail(shim, "setup", code_of_errno(errno), "cannot make a pipe: %s", strerror(errno));
}

static int open_null(struct shim *shim, int flags) {
  int fd = open("/dev/null", flags | O_CLOEXEC);
  if (fd < 0) fail(shim, "setup", code_of_errno(errno), "cannot open /dev/null: %s", strerror(errno));
  return fd;
}

/* Only the shim's end may be non-blocking: the container must find an ordinary pipe. */
static void set_nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

/* Real pipes, not socketpairs: `echo > /dev/stdout` opens them by name, which a socket refuses. */
void open_stdio(struct shim *shim) {
  int ends[2];
  if (shim->options.terminal == TERMINAL_PTY) {
    open_terminal(shim);
    return;
  }
  if (shim->options.terminal == TERMINAL_CONSOLE_SOCKET) {
    open_terminal(shim);
    make_pipe(shim, ends);
    set_nonblocking(ends[0]);
    shim->message_pipe = ends[0];
    shim->child_stdio[0] = open_null(shim, O_RDONLY);
    shim->child_stdio[1] = open_null(shim, O_WRONLY);
    shim->child_stdio[2] = ends[1];
    return;
  }
  for (int stream = 1; stream <= 2; stream++) {
    make_pipe(shim, ends);
    set_nonblocking(ends[0]);
    fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES); /* smaller is slower, not wrong */
    shim->output[stream] = ends[0];
    shim->child_stdio[stream] = ends[1];
  }
  if (shim->options.with_stdin) {
    make_pipe(shim, ends);
    set_nonblocking(ends[1]);
    shim->child_stdio[0] = ends[0];
    shim->input = ends[1];
  } else {
    shim->child_stdio[0] = open_null(shim, O_RDONLY);
  }
}

static void write_oom_score(int score) {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  if (dprintf(fd, "%d", score) < 0) { /* lowering it may be forbidden: the shim works all the same */ }
  close(fd);
}

static bool read_oom_score(int *score) {
  char text[16];
  int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  if (length <= 0) return false;
  text[length] = '\0';
  *score = atoi(text);
  return true;
}

void adjust_oom_score(struct shim *shim) {
  if (!read_oom_score(&shim->original_oom_score)) return;
  shim->oom_score_changed = true;
  write_oom_score(shim->options.oom_score_adj);
}

/* What guards the daemon from the kernel is not handed on: no container is safer than other processes unless it is asked. */
static void drop_oom_guard(struct shim *shim) {
  int score = shim->original_oom_score;
  if (!shim->oom_score_changed && !read_oom_score(&score)) return;
  if (score < 0) write_oom_score(0);
  else if (shim->oom_score_changed) write_oom_score(score);
}

static _Noreturn void become_runtime(struct shim *shim) {
  sigset_t none;
  setsid(); /* so that a cancel reaches all of the runtime, and no terminal of ours is its own */
  drop_oom_guard(shim);
  for (int fd = 0; fd < 3; fd++)
    if (dup2(shim->child_stdio[fd], fd) < 0) _exit(127);
  syscall(SYS_close_range, 3U, ~0U, 0U);
  for (int number = 1; number <= 64; number++) signal(number, SIG_DFL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execvp(shim->options.runtime[0], shim->options.runtime);
  dprintf(STDERR_FILENO, "cannot run %s: %s\n", shim->options.runtime[0], strerror(errno));
  _exit(errno == ENOENT ? 127 : 126);
}

void start_runtime(struct shim *shim) {
  if (unlink(shim->options.pid_file) != 0 && errno != ENOENT)
    fail(shim, "setup", code_of_errno(errno), "cannot remove the old pid file %s: %s", shim->options.pid_file, strerror(errno));
  shim->runtime = fork();
  if (shim->runtime < 0) fail(shim, "runtime", code_of_errno(errno), "cannot start a process: %s", strerror(errno));
  if (shim->runtime == 0) become_runtime(shim);
  for (int i = 0; i < 3; i++) {
    bool again = false; /* a pty is all three */
    for (int j = 0; j < i; j++) again = again || shim->child_stdio[j] == shim->child_stdio[i];
    if (!again) close(shim->child_stdio[i]);
  }
  shim->phase = PHASE_STARTING;
}

/* Until the container is known only the runtime is waited for: its pid must not be lost among strays. */
void reap_children(struct shim *shim) {
  int status;
  pid_t pid;
  if (shim->phase == PHASE_STARTING) {
    if (!shim->runtime_ended && waitpid(shim->runtime, &status, WNOHANG) == shim->runtime) {
      shim->runtime_status = status;
      shim->runtime_ended = true;
    }
    return;
  }
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0 || (pid < 0 && errno == EINTR)) {
    if (pid != shim->container || shim->phase != PHASE_RUNNING) continue;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    shim->exited_at.seconds = now.tv_sec;
    shim->exited_at.nanoseconds = now.tv_nsec;
    shim->wait_status = status;
    shim->phase = PHASE_EXITED;
  }
}

static ssize_t read_small_file(const char *path, char *text, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t length = read(fd, text, size - 1);
  close(fd);
  text[length > 0 ? length : 0] = '\0';
  return length;
}

/* Field 22 of /proc/PID/stat. The name in field 2 may hold anything, so counting begins after its last bracket. */
static bool read_start_time(pid_t pid, uint64_t *start_time) {
  char path[32], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  if (read_small_file(path, text, sizeof text) <= 0) return false;
  char *at = strrchr(text, ')');
  if (at == NULL) return false;
  for (int field = 2; field < 22; field++) {
    at = strchr(at + 1, ' ');
    if (at == NULL) return false;
  }
  *start_time = strtoull(at, NULL, 10);
  return true;
}

static pid_t read_pid_file(struct shim *shim) {
  char text[32], *end;
  if (read_small_file(shim->options.pid_file, text, sizeof text) < 0)
    fail(shim, "pid-file", "internal", "the runtime wrote no pid file %s: %s", shim->options.pid_file, strerror(errno));
  long pid = strtol(text, &end, 10);
  if (end == text || (*end != '\0' && *end != '\n') || pid < 2 || pid > 1 << 22)
    fail(shim, "pid-file", "internal", "%s does not hold a process id", shim->options.pid_file);
  return (pid_t)pid;
}

/* The runtime has ended. The container's process is our child now, alive or a zombie, so its pid cannot be another's. */
void find_container(struct shim *shim) {
  int status = shim->runtime_status;
  const char *name = shim->options.runtime[0];
  if (shim->cancelled) fail(shim, "runtime", "cancelled", "cancelled while %s was starting the container", name);
  if (WIFSIGNALED(status))
    fail(shim, "runtime", "internal", "%s was killed by signal %d", name, WTERMSIG(status));
  if (WEXITSTATUS(status) != 0)
    fail(shim, "runtime", "internal", "%s failed with status %d", name, WEXITSTATUS(status));

  pid_t pid = read_pid_file(shim);
  siginfo_t info;
  if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
    if (kill(pid, 0) != 0 && errno == ESRCH)
      fail(shim, "pid-file", "internal", "%s has waited for process %d itself: its exit status is lost", name, (int)pid);
    fail(shim, "pid-file", "internal", "process %d of %s is not the shim's to watch", (int)pid, shim->options.pid_file);
  }
  shim->container = pid;
  if (!read_start_time(pid, &shim->start_time))
    fail(shim, "pid-file", "internal", "cannot read /proc/%d/stat", (int)pid);
  if (shim->options.terminal == TERMINAL_CONSOLE_SOCKET && shim->output[1] < 0)
    fail(shim, "terminal", "internal", "%s gave no terminal", name);
  shim->phase = PHASE_RUNNING;
}

/* What a failed runtime wrote: its stderr is the container's, or with a pty all it had. Keeps the last bytes. */
size_t read_runtime_message(struct shim *shim, char *message, size_t size) {
  static char chunk[MESSAGE_BYTES];
  size_t length = 0;
  int fd = shim->message_pipe >= 0 ? shim->message_pipe
           : shim->options.terminal == TERMINAL_PTY ? shim->output[1] : shim->output[2];
  if (fd < 0 || !shim->runtime_ended) return 0;
  for (int rounds = 0; rounds < 512; rounds++) {
    ssize_t n = read(fd, chunk, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    size_t keep = length + (size_t)n > size ? size - (size_t)n : length;
    memmove(message, message + length - keep, keep);
    memcpy(message + keep, chunk, (size_t)n);
    length = keep + (size_t)n;
  }
  return length;
}
