/*
 * The spawner: starts shims for the daemon. A fork of the daemon itself copies the tables of a hundred megabytes, and
 * Node waits in it until the child runs its program; this process is small, and waits for nobody.
 *
 * `kago-shim --spawner SOCKET` listens there and says so by one line on stdout. It ends when its stdin does: when the
 * daemon has ended. Shims do not notice.
 *
 * A request is a connection. It begins with a length (32 bits, big-endian) and as many bytes: words, each ended by a
 * zero byte.
 *   launch   TOKEN COUNT NAME=VALUE... PROGRAM ARG...   COUNT of the environment. The connection becomes descriptor 3
 *                                                       of the program. With a token that is not empty, the connection
 *                                                       that joins by the same token becomes descriptor 4.
 *   join     TOKEN
 *   tool     "tool" COUNT NAME=VALUE... PROGRAM ARG...  What the program prints goes to the connection, then a zero byte
 *                                                       and how it ended: `exit N`, `signal N`, or `errno N` if it could
 *                                                       not be run. Should the peer go first, the program gets SIGTERM.
 * A launch that fails is told on the connection as an error frame, as the shim itself would. The token is a secret of the
 * daemon's, so that nobody's stream goes to another's container.
 */
#include "shim.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_REQUESTS = 256, MAX_REQUEST_BYTES = 1024 * 1024, EVENTS_FD = 3, ATTACH_FD = 4, ABOVE_BOTH = 10 };

struct request {
  int fd;                         /* -1 in a free slot */
  uint8_t header[4];
  size_t got, length;             /* got counts the header too */
  char *text;
};

static struct request requests[MAX_REQUESTS];

static _Noreturn void give_up(const char *what) {
  dprintf(STDERR_FILENO, "kago-shim --spawner: %s: %s\n", what, strerror(errno));
  exit(1);
}

static bool is_whole(const struct request *request) {
  return request->text != NULL && request->got == sizeof request->header + request->length;
}

static void drop_request(struct request *request) {
  close(request->fd);
  free(request->text);
  *request = (struct request){.fd = -1};
}

/* Exactly what was asked for is read: what follows on the connection belongs to the shim. */
static bool read_request(struct request *request) {
  while (!is_whole(request)) {
    size_t head = sizeof request->header;
    bool in_head = request->got < head;
    void *to = in_head ? (void *)(request->header + request->got) : (void *)(request->text + request->got - head);
    size_t want = in_head ? head - request->got : head + request->length - request->got;
    ssize_t got = recv(request->fd, to, want, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (got <= 0) return false;
    request->got += (size_t)got;
    if (request->got != head || request->text != NULL) continue;
    uint32_t length;
    memcpy(&length, request->header, sizeof length);
    request->length = be32toh(length);
    if (request->length == 0 || request->length > MAX_REQUEST_BYTES) return false;
    request->text = malloc(request->length);
    if (request->text == NULL) return false;
  }
  return request->text[request->length - 1] == '\0';
}

static size_t count_words(const struct request *request) {
  size_t count = 0;
  for (size_t i = 0; i < request->length; i++) count += request->text[i] == '\0';
  return count;
}

/* The words after the token as a NULL-ended array; freed by the caller. */
static char **words_after_token(struct request *request, size_t count) {
  char **words = calloc(count, sizeof *words);
  if (words == NULL) return NULL;
  char *at = request->text + strlen(request->text) + 1;
  for (size_t i = 0; i + 1 < count; i++, at += strlen(at) + 1) words[i] = at;
  return words;
}

static void tell_failure(int fd, const char *code, const char *program, int error) {
  char text[512];
  const char *hint = error == ENOENT ? ",\"hint\":\"build it with: npm run build\"" : "";
  int length = snprintf(text, sizeof text,
                        "%c%c%c%c%c%c%c%c{\"code\":\"%s\",\"message\":\"cannot start the shim: %s\"%s,\"details\":{\"stage\":\"spawn\"}}",
                        FRAME_ERROR, 0, 0, 0, 0, 0, 0, 0, code, strerror(error), hint);
  if (length < 8 || (size_t)length >= sizeof text) return;
  uint32_t payload = htobe32((uint32_t)length - 8);
  memcpy(text + 4, &payload, sizeof payload);
  if (send(fd, text, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    dprintf(STDERR_FILENO, "kago-shim --spawner: cannot start %s: %s\n", program, strerror(error));
}

static const char *code_of_start(int error) {
  return error == ENOENT || error == EACCES ? "internal" : code_of_errno(error);
}

static void reset_signals(void) {
  sigset_t none;
  for (int number = 1; number <= 64; number++) signal(number, SIG_DFL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static void tell_end(int fd, const char *how, int number) {
  char text[32];
  text[0] = '\0';
  int length = snprintf(text + 1, sizeof text - 1, "%s %d", how, number);
  while (send(fd, text, (size_t)length + 1, MSG_NOSIGNAL) < 0 && errno == EINTR) {}
}

static _Noreturn void become_tool(int connection, char **environment, char **program) {
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC), told = fcntl(connection, F_DUPFD_CLOEXEC, ABOVE_BOTH);
  if (null >= 0 && told >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(told, STDOUT_FILENO) >= 0 &&
      dup2(told, STDERR_FILENO) >= 0) {
    syscall(SYS_close_range, 3U, ~0U, (unsigned)CLOSE_RANGE_CLOEXEC);
    environ = environment;
    execvp(program[0], program);
  }
  tell_end(connection, "errno", errno);
  _exit(127);
}

/* In a child of the spawner: runs the tool as a child of its own, since somebody has to wait for it. */
static _Noreturn void watch_tool(int connection, char **environment, char **program) {
  int status;
  reset_signals();
  setsid();
  pid_t pid = fork();
  if (pid == 0) become_tool(connection, environment, program);
  if (pid < 0) {
    tell_end(connection, "errno", errno);
    _exit(1);
  }
  /* a kernel without pidfds cannot tell when the peer goes; the tool then ends when it ends */
  struct pollfd waiting[] = {
      {.fd = (int)syscall(SYS_pidfd_open, pid, 0U), .events = POLLIN},
      {.fd = connection, .events = POLLRDHUP},
  };
  while (waiting[0].fd >= 0) {
    if (poll(waiting, 2, -1) < 0 && errno != EINTR) break;
    if (waiting[0].revents != 0) break;
    if (waiting[1].revents == 0) continue;
    kill(pid, SIGTERM);
    break;
  }
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  if (WIFSIGNALED(status)) tell_end(connection, "signal", WTERMSIG(status));
  else tell_end(connection, "exit", WEXITSTATUS(status));
  _exit(0);
}

/* In the child. Descriptors 0 and 1 are /dev/null already, and what the shim says on 2 is for the daemon's log. */
static _Noreturn void become_shim(int events, int attach, char **environment, char **program) {
  reset_signals();
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  int first = fcntl(events, F_DUPFD_CLOEXEC, ABOVE_BOTH);
  int second = attach < 0 ? -1 : fcntl(attach, F_DUPFD_CLOEXEC, ABOVE_BOTH);
  if (null < 0 || first < 0 || (attach >= 0 && second < 0) || dup2(null, STDIN_FILENO) < 0 ||
      dup2(first, EVENTS_FD) < 0 || (second >= 0 && dup2(second, ATTACH_FD) < 0)) {
    tell_failure(events, code_of_start(errno), program[0], errno);
    _exit(1);
  }
  syscall(SYS_close_range, second >= 0 ? ATTACH_FD + 1U : EVENTS_FD + 1U, ~0U, 0U);
  setsid();
  execve(program[0], program, environment);
  tell_failure(EVENTS_FD, code_of_start(errno), program[0], errno);
  _exit(1);
}

static struct request *find_join(const char *token) {
  for (int i = 0; i < MAX_REQUESTS; i++)
    if (requests[i].fd >= 0 && is_whole(&requests[i]) && count_words(&requests[i]) == 1 &&
        strcmp(requests[i].text, token) == 0)
      return &requests[i];
  return NULL;
}

/* Starts a launch that has all it needs. What is not understood is dropped: only the daemon speaks here. */
static void try_launch(struct request *request) {
  size_t count = count_words(request);
  if (count == 1) return;
  bool is_tool = strcmp(request->text, "tool") == 0, joined = !is_tool && request->text[0] != '\0';
  struct request *join = joined ? find_join(request->text) : NULL;
  if (joined && join == NULL) return;
  char **words = words_after_token(request, count), *end;
  unsigned long variables = words == NULL ? 0 : strtoul(words[0], &end, 10);
  if (words == NULL && is_tool) {
    tell_end(request->fd, "errno", ENOMEM);
  } else if (words == NULL) {
    tell_failure(request->fd, "exhausted", "a shim", ENOMEM);
  } else if (end != words[0] && *end == '\0' && variables < count && variables + 2 < count) {
    char **program = words + 1 + variables, *first = program[0];
    pid_t pid = fork();
    if (pid == 0) {
      /* the environment is followed by the program: moved one down, there is room for its end */
      memmove(words, words + 1, variables * sizeof *words);
      words[variables] = NULL;
      if (is_tool) watch_tool(request->fd, words, program);
      become_shim(request->fd, join == NULL ? -1 : join->fd, words, program);
    }
    if (pid < 0 && is_tool) tell_end(request->fd, "errno", errno);
    else if (pid < 0) tell_failure(request->fd, code_of_start(errno), first, errno);
  }
  free(words);
  if (join != NULL) drop_request(join);
  drop_request(request);
}

static void try_launches(void) {
  for (int i = 0; i < MAX_REQUESTS; i++)
    if (requests[i].fd >= 0 && is_whole(&requests[i])) try_launch(&requests[i]);
}

static bool has_room(void) {
  for (int i = 0; i < MAX_REQUESTS; i++)
    if (requests[i].fd < 0) return true;
  return false;
}

static void accept_requests(int listener) {
  for (int i = 0; i < MAX_REQUESTS; i++) {
    if (requests[i].fd >= 0) continue;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return;
    requests[i] = (struct request){.fd = fd};
    if (!read_request(&requests[i])) drop_request(&requests[i]);
  }
}

static int listen_at(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    give_up(path);
  }
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) give_up("cannot make a socket");
  unlink(path);
  mode_t before = umask(0177);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0) give_up(path);
  umask(before);
  return fd;
}

static void say_ready(void) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (write(STDOUT_FILENO, "ready\n", 6) != 6 || null < 0 || dup2(null, STDOUT_FILENO) < 0) give_up("cannot begin");
  close(null);
}

_Noreturn void run_spawner(const char *path) {
  static struct pollfd waiting[MAX_REQUESTS + 2];
  syscall(SYS_close_range, 3U, ~0U, 0U);
  for (int i = 0; i < MAX_REQUESTS; i++) requests[i].fd = -1;
  signal(SIGCHLD, SIG_IGN); /* the kernel collects the shims */
  signal(SIGPIPE, SIG_IGN);
  int listener = listen_at(path);
  say_ready();
  for (;;) {
    waiting[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    waiting[1] = (struct pollfd){.fd = has_room() ? listener : -1, .events = POLLIN};
    for (int i = 0; i < MAX_REQUESTS; i++)
      waiting[i + 2] = (struct pollfd){.fd = requests[i].fd, .events = is_whole(&requests[i]) ? POLLRDHUP : POLLIN};
    if (poll(waiting, MAX_REQUESTS + 2, -1) < 0) {
      if (errno == EINTR) continue;
      give_up("cannot wait");
    }
    if (waiting[0].revents != 0) exit(0);
    for (int i = 0; i < MAX_REQUESTS; i++) {
      if (requests[i].fd < 0 || waiting[i + 2].revents == 0) continue;
      /* a whole one that has something to tell has been left by its peer */
      if (is_whole(&requests[i]) || !read_request(&requests[i])) drop_request(&requests[i]);
    }
    if (waiting[1].revents != 0) accept_requests(listener);
    try_launches();
  }
}
