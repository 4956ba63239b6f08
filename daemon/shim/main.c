/* kago-shim: starts one container through an OCI runtime, holds its stdio, logs its output and records its exit.
   With --spawner it starts such shims for the daemon. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct shim the_shim = {
    .epoll = -1, .signals = -1, .listener = -1, .console_listener = -1, .output = {-1, -1, -1}, .input = -1,
    .pty_slave = -1, .message_pipe = -1, .exit_temporary = -1, .log = {.dir = -1, .file = -1},
};

static bool is_open(int fd) { return fd >= 0 && fcntl(fd, F_GETFD) != -1; }

/* Asked before anything is opened, which could take the number. */
static void require_open(struct shim *shim, const char *option, int *fd) {
  if (*fd < 0 || is_open(*fd)) return;
  int number = *fd;
  *fd = -1;
  fail(shim, "arguments", "invalid_argument", "%s: descriptor %d is not open", option, number);
}

/* The daemon's other descriptors must not live as long as a container. */
static void close_foreign_descriptors(int first, int second) {
  int low = first < second ? first : second, high = first < second ? second : first;
  unsigned from = 3;
  if (low >= 3) {
    if (low > 3) syscall(SYS_close_range, from, (unsigned)low - 1, 0U);
    from = (unsigned)low + 1;
  }
  if (high >= 3) {
    if ((unsigned)high > from) syscall(SYS_close_range, from, (unsigned)high - 1, 0U);
    from = (unsigned)high + 1;
  }
  syscall(SYS_close_range, from, ~0U, 0U);
}

/* 0, 1 and 2 must be taken, or a pipe would get their numbers. */
static void keep_standard_descriptors(void) {
  int fd;
  do fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd < 3);
  if (fd >= 3) close(fd);
}

static void take_connections(struct shim *shim) {
  const struct options *options = &shim->options;
  if (is_open(options->events_fd)) {
    shim->events = add_peer(shim, options->events_fd);
    if (shim->events != NULL) attach_peer(shim, shim->events, 0);
  }
  if (is_open(options->attach_fd)) {
    struct peer *peer = add_peer(shim, options->attach_fd);
    if (peer != NULL) attach_peer(shim, peer, options->attach_flags);
  }
}

static void set_up(struct shim *shim) {
  const struct options *options = &shim->options;
  setsid(); /* already a leader when the daemon started it detached */
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  open_loop(shim);
  take_connections(shim);
  if (chdir(options->bundle) != 0)
    fail(shim, "setup", code_of_errno(errno), "cannot enter the bundle %s: %s", options->bundle, strerror(errno));
  if (options->has_oom_score_adj) adjust_oom_score(shim);
  prepare_exit_file(shim);
  open_log(shim);
  enter_mount_namespace(shim);
  make_mounts(shim);
  open_stdio(shim);
  listen_for_peers(shim);
}

static void tell(struct shim *shim, enum frame_type type, const char *text, size_t length, bool everyone) {
  for (int i = 0; i < MAX_PEERS; i++)
    if (shim->peers[i].fd >= 0 && (everyone || shim->peers[i].wants_events))
      send_frame(shim, &shim->peers[i], type, text, length);
}

enum { HANGUP_MILLISECONDS = 1000, SCRAP_READS = 10000 };

/*
 * A peer that writes to a closed connection gets an error before it has read what is still on its way: it may lose
 * the last output and the exit. So what it still sends is read and thrown away until it closes its end, is silent for
 * a second, or has sent more than it should.
 */
static void await_hangups(struct shim *shim) {
  char scrap[4096];
  struct pollfd waiting[MAX_PEERS];
  for (int i = 0; i < MAX_PEERS; i++) waiting[i] = (struct pollfd){.fd = shim->peers[i].fd, .events = POLLIN};
  for (int open = MAX_PEERS, reads = 0; open > 0 && reads < SCRAP_READS; reads++) {
    if (poll(waiting, MAX_PEERS, HANGUP_MILLISECONDS) <= 0) return;
    open = 0;
    for (int i = 0; i < MAX_PEERS; i++) {
      if (waiting[i].fd >= 0 && waiting[i].revents != 0) {
        ssize_t got = read(waiting[i].fd, scrap, sizeof scrap);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) waiting[i].fd = -1;
      }
      if (waiting[i].fd >= 0) open++;
    }
  }
}

/* The file first, then the word: whoever hears of the exit can already read it. */
static void finish(struct shim *shim) {
  char text[256];
  drain_output(shim);
  write_exit_file(shim);
  accept_peers(shim, MAX_PEERS); /* who knocked in time is answered; who comes later finds the file */
  if (shim->listener >= 0) {
    unwatch(shim, shim->listener);
    close(shim->listener);
    unlink(shim->options.socket);
    shim->listener = -1;
  }
  tell(shim, FRAME_EXIT, text, exit_json(shim, text, sizeof text, false), true);
  close_input(shim);
  flush_peers(shim);
  for (int i = 0; i < MAX_PEERS; i++)
    if (shim->peers[i].fd >= 0) shutdown(shim->peers[i].fd, SHUT_WR);
  await_hangups(shim);
  for (int i = 0; i < MAX_PEERS; i++) drop_peer(shim, &shim->peers[i]);
}

int main(int argc, char **argv) {
  struct shim *shim = &the_shim;
  char text[96];
  for (int i = 0; i < MAX_PEERS; i++) shim->peers[i].fd = -1;
  keep_standard_descriptors();
  if (argc == 3 && strcmp(argv[1], "--spawner") == 0) run_spawner(argv[2]);
  const char *wrong = parse_options(argc, argv, &shim->options);
  if (wrong != NULL) {
    if (shim->options.events_fd >= 3 && is_open(shim->options.events_fd)) {
      open_loop(shim);
      take_connections(shim);
    }
    fail(shim, "arguments", "invalid_argument", "%s", wrong);
  }
  require_open(shim, "--events-fd", &shim->options.events_fd);
  require_open(shim, "--attach-fd", &shim->options.attach_fd);
  close_foreign_descriptors(shim->options.events_fd, shim->options.attach_fd);
  set_up(shim);
  start_runtime(shim);
  run_until_started(shim);
  tell(shim, FRAME_STARTED, text, started_json(shim, text, sizeof text), false);
  run_until_exited(shim);
  finish(shim);
  return 0;
}
