/* A terminal for the container, that lives as long as the shim: opened here, or received from the runtime. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

void resize_terminal(struct shim *shim, uint16_t columns, uint16_t rows) {
  struct winsize size = {.ws_col = columns, .ws_row = rows};
  if (shim->options.terminal == TERMINAL_NONE) return;
  shim->options.columns = columns; /* asked for before the runtime sent the terminal: it gets this size then */
  shim->options.rows = rows;
  if (shim->output[1] >= 0) ioctl(shim->output[1], TIOCSWINSZ, &size);
}

/* A slave of our own keeps the master from reporting a hang-up when the container closes and reopens its terminal. */
void adopt_terminal(struct shim *shim, int master) {
  fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
  shim->output[1] = master;
  shim->pty_slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (shim->options.with_stdin) shim->input = fcntl(master, F_DUPFD_CLOEXEC, 3);
  if (shim->options.columns > 0) resize_terminal(shim, shim->options.columns, shim->options.rows);
}

static void open_pty(struct shim *shim) {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
    fail(shim, "terminal", code_of_errno(errno), "cannot open a terminal: %s", strerror(errno));
  adopt_terminal(shim, master);
  int slave = shim->pty_slave < 0 ? -1 : fcntl(shim->pty_slave, F_DUPFD_CLOEXEC, 3);
  if (slave < 0) fail(shim, "terminal", code_of_errno(errno), "cannot open the terminal's slave: %s", strerror(errno));
  for (int i = 0; i < 3; i++) shim->child_stdio[i] = slave;
}

static void listen_for_console(struct shim *shim) {
  const char *path = shim->options.console_socket;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path)
    fail(shim, "terminal", "invalid_argument", "--console-socket %s is longer than %zu bytes: name it relative to the bundle",
         path, sizeof address.sun_path - 1);
  strcpy(address.sun_path, path);
  unlink(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  mode_t before = umask(0177);
  int failed = fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4) != 0;
  int error = errno;
  umask(before);
  if (failed) fail(shim, "terminal", code_of_errno(error), "cannot listen on %s: %s", path, strerror(error));
  shim->console_listener = fd;
}

void open_terminal(struct shim *shim) {
  if (shim->options.terminal == TERMINAL_PTY) open_pty(shim);
  else listen_for_console(shim);
}

static int receive_descriptor(int connection) {
  char name[256];
  union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int) * 4)]; } control;
  struct iovec iov = {name, sizeof name};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t n;
  int master = -1;
  do n = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0) return -1;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part != NULL; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    for (size_t i = 0; i < (part->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      if (master < 0 && isatty(fd)) master = fd;
      else close(fd);
    }
  }
  return master;
}

/* The runtime connects, sends the master side once and waits for nothing. */
void receive_console(struct shim *shim) {
  while (shim->console_listener >= 0) {
    int connection = accept4(shim->console_listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (connection < 0) return;
    struct timeval patience = {.tv_sec = 5};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    int master = receive_descriptor(connection);
    close(connection);
    if (master < 0) continue;
    adopt_terminal(shim, master);
    unwatch(shim, shim->console_listener);
    close(shim->console_listener);
    unlink(shim->options.console_socket);
    shim->console_listener = -1;
  }
}
