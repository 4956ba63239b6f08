/* Carries the container's output to the log and to everyone who watches, at the pace of the slowest of them. */
#include "shim.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

static void end_output(struct shim *shim, int stream) {
  if (shim->output_watched[stream]) unwatch(shim, shim->output[stream]);
  shim->output_watched[stream] = false;
  close(shim->output[stream]);
  shim->output[stream] = -1;
}

/* One read. Returns false when there is nothing more to read now. */
static bool relay_chunk(struct shim *shim, int stream) {
  static uint8_t chunk[CHUNK_BYTES];
  ssize_t n = read(shim->output[stream], chunk, sizeof chunk);
  if (n < 0 && errno == EINTR) return true;
  if (n < 0 && errno == EAGAIN) return false;
  if (n <= 0) { /* all writers are gone; a terminal says so with EIO */
    end_output(shim, stream);
    return false;
  }
  write_log(&shim->log, stream, chunk, (size_t)n);
  for (int i = 0; i < MAX_PEERS; i++)
    if (shim->peers[i].wants_output)
      send_frame(shim, &shim->peers[i], stream == 1 ? FRAME_STDOUT : FRAME_STDERR, chunk, (size_t)n);
  return true;
}

void read_output(struct shim *shim, int stream) {
  for (int rounds = 0; rounds < 8; rounds++)
    if (shim->output[stream] < 0 || peers_are_behind(shim) || !relay_chunk(shim, stream)) break;
  watch_output(shim);
}

/* A paused pipe is taken out of epoll altogether, because a hang-up is reported even to those who ask for nothing. */
void watch_output(struct shim *shim) {
  bool wanted = shim->phase == PHASE_RUNNING && !peers_are_behind(shim);
  for (int stream = 1; stream <= 2; stream++) {
    if (shim->output[stream] < 0 || shim->output_watched[stream] == wanted) continue;
    if (wanted) watch(shim, shim->output[stream], EPOLLIN, stream == 1 ? WATCH_STDOUT : WATCH_STDERR, false);
    else unwatch(shim, shim->output[stream]);
    shim->output_watched[stream] = wanted;
  }
}

/* The container has ended: what it wrote is in the pipes, at most their size, and goes out whatever peers do.
   A process it left behind may hold a pipe open, so an empty one is an end too. */
void drain_output(struct shim *shim) {
  if (shim->pty_slave >= 0) close(shim->pty_slave);
  shim->pty_slave = -1;
  for (int stream = 1; stream <= 2; stream++) {
    for (size_t rounds = 0; shim->output[stream] >= 0 && rounds < 4 * PIPE_BYTES / CHUNK_BYTES * 16; rounds++)
      if (!relay_chunk(shim, stream)) break;
    if (shim->output[stream] >= 0) end_output(shim, stream);
  }
}
