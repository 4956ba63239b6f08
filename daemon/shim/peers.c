/* The connections: who they are, what waits for them, and how they come and go without the container noticing. */
#include "shim.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum { SEND_BUFFER = 512 * 1024 };

static void watch_peer(struct shim *shim, struct peer *peer) {
  uint32_t wanted = 0;
  if (!peer->input_ended && peer->held == NULL) wanted |= EPOLLIN;
  if (peer->queue_length > 0 && !peer->output_ended) wanted |= EPOLLOUT;
  /* a gone peer whose bytes still wait for the container would report its hang-up for ever */
  bool silent = peer->output_ended && wanted == 0;
  if (silent && peer->registered) unwatch(shim, peer->fd);
  if (!silent && (!peer->registered || wanted != peer->watched)) {
    uint64_t what = WATCH_PEER | (uint64_t)(peer - shim->peers) << 8 | (uint64_t)peer->generation << 32;
    watch(shim, peer->fd, wanted, what, peer->registered);
  }
  peer->registered = !silent;
  peer->watched = wanted;
}

static void end_peer_output(struct peer *peer) {
  peer->output_ended = true;
  peer->wants_output = peer->wants_events = false;
  free(peer->queue);
  peer->queue = NULL;
  peer->queue_length = peer->queue_offset = peer->queue_capacity = 0;
}

void drop_peer(struct shim *shim, struct peer *peer) {
  if (peer->fd < 0) return;
  bool gave_stdin = peer->gives_stdin;
  if (peer->registered) unwatch(shim, peer->fd);
  end_peer_output(peer);
  free(peer->held);
  close(peer->fd);
  *peer = (struct peer){.fd = -1, .generation = peer->generation + 1};
  if (gave_stdin && shim->options.stdin_once) close_input(shim);
  if (shim->phase == PHASE_RUNNING) watch_output(shim);
}

struct peer *add_peer(struct shim *shim, int fd) {
  for (int i = 0; i < MAX_PEERS; i++) {
    struct peer *peer = &shim->peers[i];
    if (peer->fd >= 0) continue;
    int size = SEND_BUFFER;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    *peer = (struct peer){.fd = fd, .generation = peer->generation};
    watch_peer(shim, peer);
    return peer;
  }
  close(fd);
  return NULL;
}

/* No flags: the peer wants to know of start and exit, and may signal and resize. */
void attach_peer(struct shim *shim, struct peer *peer, unsigned flags) {
  char text[96];
  peer->attached = true;
  peer->wants_output = flags & ATTACH_OUTPUT;
  peer->gives_stdin = flags & ATTACH_STDIN;
  peer->wants_events = flags == 0;
  if (peer->wants_events && shim->phase >= PHASE_RUNNING)
    send_frame(shim, peer, FRAME_STARTED, text, started_json(shim, text, sizeof text));
}

static bool enqueue(struct peer *peer, const uint8_t *data, size_t length) {
  size_t end = peer->queue_offset + peer->queue_length;
  if (end + length > peer->queue_capacity) {
    if (peer->queue_offset > 0) memmove(peer->queue, peer->queue + peer->queue_offset, peer->queue_length);
    peer->queue_offset = 0;
    end = peer->queue_length;
  }
  if (end + length > peer->queue_capacity) {
    uint8_t *larger = realloc(peer->queue, end + length);
    if (larger == NULL) return false;
    peer->queue = larger;
    peer->queue_capacity = end + length;
  }
  if (length > 0) memcpy(peer->queue + end, data, length);
  peer->queue_length += length;
  return true;
}

/* Written at once if the peer keeps up; what is left waits in its queue, and then the container's output is not read. */
void send_frame(struct shim *shim, struct peer *peer, enum frame_type type, const void *payload, size_t length) {
  uint8_t header[8] = {(uint8_t)type};
  uint32_t size = htobe32((uint32_t)length);
  ssize_t sent = 0;
  memcpy(header + 4, &size, sizeof size);
  if (peer->fd < 0 || peer->output_ended) return;
  if (peer->queue_length == 0) {
    struct iovec parts[2] = {{header, sizeof header}, {(void *)(uintptr_t)payload, length}};
    do sent = writev(peer->fd, parts, 2);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN) end_peer_output(peer);
    if (sent < 0) sent = 0;
  }
  if (!peer->output_ended) {
    size_t done = (size_t)sent, of_header = done < sizeof header ? done : sizeof header, of_payload = done - of_header;
    if (!enqueue(peer, header + of_header, sizeof header - of_header) ||
        !enqueue(peer, (const uint8_t *)payload + of_payload, length - of_payload))
      end_peer_output(peer);
  }
  watch_peer(shim, peer);
}

static void flush_queue(struct shim *shim, struct peer *peer) {
  while (peer->queue_length > 0) {
    ssize_t sent = write(peer->fd, peer->queue + peer->queue_offset, peer->queue_length);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) break;
    if (sent <= 0) {
      end_peer_output(peer);
      break;
    }
    peer->queue_offset += (size_t)sent;
    peer->queue_length -= (size_t)sent;
  }
  if (peer->queue_length == 0 && peer->queue != NULL) {
    free(peer->queue);
    peer->queue = NULL;
    peer->queue_offset = peer->queue_capacity = 0;
  }
  watch_peer(shim, peer);
  if (shim->phase == PHASE_RUNNING) watch_output(shim);
}

static bool hold(struct peer *peer, const uint8_t *data, size_t length) {
  uint8_t *copy = malloc(length);
  if (copy == NULL) return false;
  memcpy(copy, data, length);
  peer->held = copy;
  peer->held_length = length;
  peer->held_offset = 0;
  return true;
}

/* Goes on with bytes that waited for the container. Returns false while they still wait, or when the peer is dropped. */
static bool release_held(struct shim *shim, struct peer *peer) {
  if (peer->held == NULL) return true;
  ssize_t used = parse_frames(shim, peer, peer->held + peer->held_offset, peer->held_length - peer->held_offset);
  if (used < 0) {
    drop_peer(shim, peer);
    return false;
  }
  peer->held_offset += (size_t)used;
  if (peer->held_offset < peer->held_length) return false;
  free(peer->held);
  peer->held = NULL;
  return true;
}

/* Reads and obeys what the peer has sent, as far as the container takes it. */
void pump_peer(struct shim *shim, struct peer *peer) {
  static uint8_t buffer[CHUNK_BYTES];
  if (!release_held(shim, peer)) {
    if (peer->fd >= 0) watch_peer(shim, peer);
    return;
  }
  for (int rounds = 0; rounds < 8 && !peer->input_ended; rounds++) {
    ssize_t n = read(peer->fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) {
      peer->input_ended = true;
      if (n < 0) end_peer_output(peer);
      if (peer->gives_stdin && shim->options.stdin_once) close_input(shim);
      break;
    }
    ssize_t used = parse_frames(shim, peer, buffer, (size_t)n);
    if (used < 0 || (used < n && !hold(peer, buffer + used, (size_t)(n - used)))) {
      drop_peer(shim, peer);
      return;
    }
    if (used < n) break;
  }
  /* one that has only ended its input may still want to read; one that never attached wants nothing */
  if (peer->input_ended && (peer->output_ended || !peer->attached)) drop_peer(shim, peer);
  else watch_peer(shim, peer);
}

void peer_event(struct shim *shim, struct peer *peer, uint32_t events) {
  uint32_t generation = peer->generation;
  if (events & (EPOLLHUP | EPOLLERR)) {
    end_peer_output(peer);
    if (shim->phase == PHASE_RUNNING) watch_output(shim);
  } else if (events & EPOLLOUT) {
    flush_queue(shim, peer);
  }
  if (peer->fd < 0 || peer->generation != generation) return;
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) pump_peer(shim, peer);
}

bool peers_are_behind(const struct shim *shim) {
  for (int i = 0; i < MAX_PEERS; i++)
    if (shim->peers[i].wants_output && shim->peers[i].queue_length > 0) return true;
  return false;
}

void listen_for_peers(struct shim *shim) {
  const char *path = shim->options.socket;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (path == NULL) return;
  if (strlen(path) >= sizeof address.sun_path)
    fail(shim, "setup", "invalid_argument", "--socket %s is longer than %zu bytes: name it relative to the bundle", path,
         sizeof address.sun_path - 1);
  strcpy(address.sun_path, path);
  unlink(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  mode_t before = umask(0177);
  int failed = fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0;
  int error = errno;
  umask(before);
  if (failed) fail(shim, "setup", code_of_errno(error), "cannot listen on %s: %s", path, strerror(error));
  shim->listener = fd;
  watch(shim, fd, EPOLLIN, WATCH_LISTENER, false);
}

/* More than MAX_PEERS are turned away at once rather than kept waiting. Few at a time, so that in a rush those who have
   gone already make room for those who come. */
void accept_peers(struct shim *shim, int at_most) {
  while (shim->listener >= 0 && at_most-- > 0) {
    int fd = accept4(shim->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) add_peer(shim, fd);
    else if (errno != EINTR && errno != ECONNABORTED) return;
  }
}
