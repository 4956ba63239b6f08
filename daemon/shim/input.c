/* Carries stdin frames to the container, and stops reading their senders while it does not read. */
#include "shim.h"

#include <errno.h>
#include <sys/epoll.h>
#include <termios.h>
#include <unistd.h>

static void shut_input(struct shim *shim) {
  if (shim->input < 0) return;
  if (shim->input_blocked) unwatch(shim, shim->input);
  shim->input_blocked = false;
  close(shim->input);
  shim->input = -1;
}

/* Whether what is for the container has to wait: it does not read, or its terminal is not there yet. */
bool input_waits(const struct shim *shim) {
  return shim->input_blocked || (shim->phase < PHASE_RUNNING && shim->input < 0 && shim->options.with_stdin);
}

/* Returns how many bytes were used. Fewer than all means that the container does not read: input_writable() goes on.
   What nobody can read any more is thrown away. */
size_t write_input(struct shim *shim, const uint8_t *data, size_t length) {
  size_t used = 0;
  if (input_waits(shim)) return 0;
  while (used < length && shim->input >= 0) {
    ssize_t n = write(shim->input, data + used, length - used);
    if (n > 0) {
      used += (size_t)n;
      shim->input_mid_line = data[used - 1] != '\n';
    } else if (n < 0 && errno == EAGAIN) {
      watch(shim, shim->input, EPOLLOUT, WATCH_INPUT, false);
      shim->input_blocked = true;
      return used;
    } else if (!(n < 0 && errno == EINTR)) {
      shut_input(shim);
    }
  }
  return length;
}

/* A pipe is closed. A terminal cannot be: its end-of-file character is typed, twice where a line has begun, and only
   while the container lets the terminal edit lines; a program in raw mode would take it for input. */
void close_input(struct shim *shim) {
  struct termios settings;
  if (shim->options.terminal == TERMINAL_NONE) {
    shut_input(shim);
  } else if (shim->input >= 0 && tcgetattr(shim->input, &settings) == 0 && settings.c_lflag & ICANON) {
    uint8_t ends[2] = {settings.c_cc[VEOF], settings.c_cc[VEOF]};
    if (write(shim->input, ends, shim->input_mid_line ? 2 : 1) > 0) shim->input_mid_line = false;
  }
}

/* Each waiting peer gets its turn first once, so that none starves the others. */
void input_writable(struct shim *shim) {
  if (shim->input_blocked) unwatch(shim, shim->input);
  shim->input_blocked = false;
  unsigned first = shim->next_stdin_peer++ % MAX_PEERS;
  for (unsigned i = 0; i < MAX_PEERS && !shim->input_blocked; i++) {
    struct peer *peer = &shim->peers[(first + i) % MAX_PEERS];
    if (peer->fd >= 0 && peer->held != NULL) pump_peer(shim, peer);
  }
}
