/* Takes apart what a peer sends. It trusts nothing: a frame that should not be there ends the connection. */
#include "shim.h"

#include <endian.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static uint32_t payload_length(const struct peer *peer) {
  uint32_t length;
  memcpy(&length, peer->header + 4, sizeof length);
  return be32toh(length);
}

static bool header_is_good(const struct peer *peer) {
  uint32_t length = payload_length(peer);
  if (peer->header[1] || peer->header[2] || peer->header[3]) return false;
  switch (peer->header[0]) {
    case FRAME_STDIN: return peer->attached && length <= MAX_PAYLOAD;
    case FRAME_RESIZE: return length == 4;
    case FRAME_SIGNAL: return length >= 1 && length < SMALL_PAYLOAD;
    case FRAME_CLOSE: return peer->attached && length == 0;
    case FRAME_ATTACH: return !peer->attached && length == 1;
    default: return false;
  }
}

/* A name nobody knows is answered, not punished: the connection may carry more than this. */
static void take_signal(struct shim *shim, struct peer *peer, uint32_t length) {
  char name[SMALL_PAYLOAD];
  memcpy(name, peer->small, length);
  name[length] = '\0';
  int number = memchr(name, '\0', length) == NULL ? parse_signal(name) : 0;
  if (number == 0) {
    static const char unknown[] = "{\"code\":\"invalid_argument\",\"message\":\"unknown signal\",\"details\":{\"stage\":\"signal\"}}";
    send_frame(shim, peer, FRAME_ERROR, unknown, sizeof unknown - 1);
  } else if (shim->phase == PHASE_RUNNING) {
    kill(shim->container, number); /* not yet reaped, so the pid is still its own */
  }
}

static bool take_frame(struct shim *shim, struct peer *peer) {
  switch (peer->header[0]) {
    case FRAME_RESIZE:
      resize_terminal(shim, (uint16_t)(peer->small[0] << 8 | peer->small[1]), (uint16_t)(peer->small[2] << 8 | peer->small[3]));
      return true;
    case FRAME_SIGNAL: take_signal(shim, peer, payload_length(peer)); return true;
    case FRAME_CLOSE:
      if (peer->gives_stdin) close_input(shim);
      return true;
    case FRAME_ATTACH:
      if (peer->small[0] & ~(ATTACH_OUTPUT | ATTACH_STDIN)) return false;
      attach_peer(shim, peer, peer->small[0]);
      return true;
    default: return true;
  }
}

/* Stdin goes through as it arrives, so a frame of a megabyte needs no buffer; everything else is short.
   From a peer that attached to output alone it is thrown away: it cannot know what the container was started with. */
ssize_t parse_frames(struct shim *shim, struct peer *peer, const uint8_t *data, size_t length) {
  size_t used = 0;
  while (used < length && peer->fd >= 0) {
    if (peer->header_length < sizeof peer->header) {
      peer->header[peer->header_length++] = data[used++];
      peer->payload_read = 0;
      if (peer->header_length < sizeof peer->header) continue;
      if (!header_is_good(peer)) return -1;
      if (peer->header[0] == FRAME_CLOSE && peer->gives_stdin && input_waits(shim)) {
        peer->header_length--; /* bytes wait before this end: look again when they are through */
        return (ssize_t)used - 1;
      }
    } else if (peer->header[0] == FRAME_STDIN) {
      size_t left = payload_length(peer) - peer->payload_read, here = length - used < left ? length - used : left;
      size_t written = peer->gives_stdin ? write_input(shim, data + used, here) : here;
      peer->payload_read += (uint32_t)written;
      used += written;
      if (written < here) return (ssize_t)used;
    } else {
      peer->small[peer->payload_read++] = data[used++];
    }
    if (peer->payload_read < payload_length(peer)) continue;
    peer->header_length = 0;
    if (!take_frame(shim, peer)) return -1;
  }
  return (ssize_t)used;
}
