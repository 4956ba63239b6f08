/* The one place that waits: every descriptor the shim cares for, until the container has started and then ended. */
#include "shim.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000, LAST_PATIENCE_MS = 300000 };

void watch(struct shim *shim, int fd, uint32_t events, uint64_t what, bool again) {
  struct epoll_event event = {.events = events, .data.u64 = what};
  if (epoll_ctl(shim->epoll, again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0) return;
  if (errno == EPERM || again) return; /* a plain file as a connection: always ready, nothing to hear */
  dprintf(STDERR_FILENO, "kago-shim: cannot watch a descriptor: %s\n", strerror(errno));
}

void unwatch(struct shim *shim, int fd) { epoll_ctl(shim->epoll, EPOLL_CTL_DEL, fd, NULL); }

/* Signals that would end the shim are blocked: its end is the container's end. Only a start can be cancelled. */
void open_loop(struct shim *shim) {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGCHLD);
  sigaddset(&wanted, SIGTERM);
  sigaddset(&wanted, SIGINT);
  sigaddset(&wanted, SIGHUP);
  sigaddset(&wanted, SIGQUIT);
  sigprocmask(SIG_BLOCK, &wanted, NULL);
  signal(SIGPIPE, SIG_IGN);
  shim->epoll = epoll_create1(EPOLL_CLOEXEC);
  shim->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
  if (shim->epoll < 0 || shim->signals < 0)
    fail(shim, "setup", code_of_errno(errno), "cannot wait for events: %s", strerror(errno));
  watch(shim, shim->signals, EPOLLIN, WATCH_SIGNALS, false);
}

static void take_signals(struct shim *shim) {
  struct signalfd_siginfo info;
  while (read(shim->signals, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGCHLD || shim->phase != PHASE_STARTING || shim->runtime_ended) continue;
    shim->cancelled = true;
    kill(-shim->runtime, SIGKILL);
    kill(shim->runtime, SIGKILL); /* it may not have made its own group yet */
  }
  reap_children(shim);
}

static void take_event(struct shim *shim, uint64_t what, uint32_t events) {
  struct peer *peer = &shim->peers[(what >> 8) & 0xff];
  switch ((enum watch_kind)(what & 0xff)) {
    case WATCH_SIGNALS: take_signals(shim); break;
    case WATCH_LISTENER: accept_peers(shim, 4); break;
    case WATCH_CONSOLE: receive_console(shim); break;
    case WATCH_STDOUT: if (shim->output[1] >= 0) read_output(shim, 1); break;
    case WATCH_STDERR: if (shim->output[2] >= 0) read_output(shim, 2); break;
    case WATCH_INPUT: if (shim->input_blocked) input_writable(shim); break;
    case WATCH_PEER: if (peer->fd >= 0 && peer->generation == what >> 32) peer_event(shim, peer, events); break;
  }
}

/* Returns whether anything happened before the time was over. */
static bool wait_once(struct shim *shim, int timeout) {
  struct epoll_event events[16];
  int count = epoll_wait(shim->epoll, events, 16, timeout);
  for (int i = 0; i < count; i++) take_event(shim, events[i].data.u64, events[i].events);
  return count > 0 || (count < 0 && errno == EINTR);
}

void run_until_started(struct shim *shim) {
  if (shim->console_listener >= 0) watch(shim, shim->console_listener, EPOLLIN, WATCH_CONSOLE, false);
  while (!shim->runtime_ended) wait_once(shim, -1);
  receive_console(shim); /* it may have come together with the runtime's end */
  find_container(shim);
}

void run_until_exited(struct shim *shim) {
  if (shim->message_pipe >= 0) close(shim->message_pipe);
  shim->message_pipe = -1;
  input_writable(shim); /* for stdin that came before there was a terminal to write it to */
  watch_output(shim);
  reap_children(shim);
  while (shim->phase == PHASE_RUNNING) wait_once(shim, -1);
}

static uint64_t waiting_bytes(const struct shim *shim) {
  uint64_t bytes = 0;
  for (int i = 0; i < MAX_PEERS; i++) bytes += shim->peers[i].queue_length;
  return bytes;
}

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Slow peers get their last bytes as long as they go on reading; a stuck one is left after ten seconds. */
void flush_peers(struct shim *shim) {
  long long start = now_ms(), progress = start;
  uint64_t left = waiting_bytes(shim);
  while (left > 0 && now_ms() - progress < PATIENCE_MS && now_ms() - start < LAST_PATIENCE_MS) {
    wait_once(shim, (int)(PATIENCE_MS - (now_ms() - progress)));
    uint64_t still = waiting_bytes(shim);
    if (still < left) progress = now_ms();
    left = still;
  }
}
