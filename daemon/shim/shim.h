/* What the parts of the shim share: one struct per duty, and the functions each duty offers to the others. */
#ifndef KAGO_SHIM_H
#define KAGO_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
  MAX_MOUNTS = 64,
  MAX_PEERS = 64,
  CHUNK_BYTES = 64 * 1024,        /* most that is read from the container or from a peer at once */
  PIPE_BYTES = 1024 * 1024,       /* asked for the container's stdout and stderr pipes */
  MAX_PAYLOAD = 1024 * 1024,      /* a frame that announces more is a protocol error */
  SMALL_PAYLOAD = 32,             /* the longest payload of any frame but stdin */
  MESSAGE_BYTES = 4096,           /* how much of a failed runtime's own words is passed on */
};

enum frame_type {
  FRAME_STDIN = 0,
  FRAME_STDOUT = 1,
  FRAME_STDERR = 2,
  FRAME_RESIZE = 3,
  FRAME_SIGNAL = 4,
  FRAME_CLOSE = 5,
  FRAME_EXIT = 6,
  FRAME_ERROR = 7,
  FRAME_ATTACH = 9,
  FRAME_STARTED = 10,
};

enum attach_flags { ATTACH_OUTPUT = 1, ATTACH_STDIN = 2 };

enum terminal_mode { TERMINAL_NONE, TERMINAL_CONSOLE_SOCKET, TERMINAL_PTY };

struct mount_request {
  const char *type, *source, *target, *options;
};

struct options {
  const char *bundle, *mount_from, *log_dir, *pid_file, *console_socket, *exit_file, *socket;
  struct mount_request mounts[MAX_MOUNTS];
  size_t mount_count;
  uint64_t log_max_bytes;
  unsigned log_max_files;
  bool host_mounts, with_stdin, stdin_once;
  enum terminal_mode terminal;
  uint16_t columns, rows;
  int events_fd, attach_fd;
  unsigned attach_flags;
  bool has_oom_score_adj;
  int oom_score_adj;
  char **runtime;
};

struct log {
  int dir, file;                  /* -1 when there is none */
  uint64_t size, max_bytes;
  unsigned max_files;
  uint64_t lost_bytes;            /* output that could not be written since the last chunk that could */
  int lost_errno;
};

/* One connection that speaks kago-frames. fd is -1 in a free slot. */
struct peer {
  int fd;
  uint32_t generation;            /* tells an old event from one of the slot's next connection */
  uint32_t watched;               /* the epoll events it is registered for */
  bool registered, attached, wants_events, wants_output, gives_stdin;
  bool input_ended;               /* nothing more can be read from it */
  bool output_ended;              /* nothing more can be written to it */
  uint8_t header[8];
  uint8_t header_length;
  uint8_t small[SMALL_PAYLOAD];
  uint32_t payload_read;
  uint8_t *held;                  /* bytes read from it that wait until the container reads its stdin */
  size_t held_length, held_offset;
  uint8_t *queue;                 /* bytes that wait until it reads */
  size_t queue_length, queue_offset, queue_capacity;
};

enum phase { PHASE_SETUP, PHASE_STARTING, PHASE_RUNNING, PHASE_EXITED };

struct shim {
  struct options options;
  enum phase phase;
  int epoll, signals, listener, console_listener;
  int output[3];                  /* [1] and [2]: where the container's stdout and stderr are read, or the pty */
  bool output_watched[3];
  int input;                      /* where the container's stdin is written */
  bool input_blocked, input_mid_line;
  int pty_slave;                  /* held so that the master never hangs up while the container lives */
  int message_pipe;               /* a runtime with a terminal says here what went wrong */
  int child_stdio[3];
  pid_t runtime, container;
  uint64_t start_time;
  int runtime_status;
  bool runtime_ended, cancelled;
  int wait_status;
  struct timespec_pair { int64_t seconds; long nanoseconds; } exited_at;
  int exit_temporary;
  bool exit_prepared;
  int original_oom_score;
  bool oom_score_changed;
  struct log log;
  struct peer peers[MAX_PEERS];
  unsigned next_stdin_peer;
  struct peer *events;
};

/* options.c: argv → options. Returns NULL or a sentence that says what is wrong. */
const char *parse_options(int argc, char **argv, struct options *options);

/* mounts.c */
void enter_mount_namespace(struct shim *shim);
void make_mounts(struct shim *shim);

/* terminal.c */
void open_terminal(struct shim *shim);
void receive_console(struct shim *shim);
void adopt_terminal(struct shim *shim, int master);
void resize_terminal(struct shim *shim, uint16_t columns, uint16_t rows);

/* process.c */
void open_stdio(struct shim *shim);
void start_runtime(struct shim *shim);
void reap_children(struct shim *shim);
void find_container(struct shim *shim);
void adjust_oom_score(struct shim *shim);
size_t read_runtime_message(struct shim *shim, char *message, size_t size);

/* output.c: the container's stdout and stderr → log and peers */
void read_output(struct shim *shim, int stream);
void watch_output(struct shim *shim);
void drain_output(struct shim *shim);

/* input.c: stdin frames → the container */
size_t write_input(struct shim *shim, const uint8_t *data, size_t length);
bool input_waits(const struct shim *shim);
void close_input(struct shim *shim);
void input_writable(struct shim *shim);

/* log.c */
void open_log(struct shim *shim);
void write_log(struct log *log, int stream, const uint8_t *data, size_t length);

/* peers.c: connections */
void listen_for_peers(struct shim *shim);
void accept_peers(struct shim *shim, int at_most);
struct peer *add_peer(struct shim *shim, int fd);
void attach_peer(struct shim *shim, struct peer *peer, unsigned flags);
void drop_peer(struct shim *shim, struct peer *peer);
void peer_event(struct shim *shim, struct peer *peer, uint32_t events);
void pump_peer(struct shim *shim, struct peer *peer);
void send_frame(struct shim *shim, struct peer *peer, enum frame_type type, const void *payload, size_t length);
bool peers_are_behind(const struct shim *shim);

/* frames.c: bytes from a peer → what they ask for. Returns how many bytes were used, or -1 for a protocol error. */
ssize_t parse_frames(struct shim *shim, struct peer *peer, const uint8_t *data, size_t length);

/* signals.c: "TERM", "SIGTERM", "15", "RTMIN+3" → number, or 0 */
int parse_signal(const char *name);

/* report.c: what the shim tells */
void prepare_exit_file(struct shim *shim);
void write_exit_file(struct shim *shim);
size_t exit_json(const struct shim *shim, char *text, size_t size, bool with_pid);
size_t started_json(const struct shim *shim, char *text, size_t size);
_Noreturn void fail(struct shim *shim, const char *stage, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
const char *code_of_errno(int error);

/* spawner.c: kago-shim --spawner */
_Noreturn void run_spawner(const char *path);

/* loop.c */
void open_loop(struct shim *shim);
void watch(struct shim *shim, int fd, uint32_t events, uint64_t what, bool again);
void unwatch(struct shim *shim, int fd);
void run_until_started(struct shim *shim);
void run_until_exited(struct shim *shim);
void flush_peers(struct shim *shim);

/* What an epoll event is about: a kind in the low 8 bits; for a peer its slot and generation above. */
enum watch_kind { WATCH_SIGNALS, WATCH_LISTENER, WATCH_CONSOLE, WATCH_STDOUT, WATCH_STDERR, WATCH_INPUT, WATCH_PEER };

#endif
