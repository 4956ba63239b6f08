/*
 * The first process of a container started with --init: runs the command, passes signals on to it, and collects the
 * processes that others leave behind, which pid 1 must do and most programs do not.
 *
 *   kago-init -- COMMAND [ARGUMENT ...]
 *
 * It ends as the command ends: with its exit status, or with 128 and the number of the signal that killed it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Raised by our own doing, or fatal to whoever ignores them: not passed on. */
static const int own[] = {SIGCHLD, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU};

static int run(char **argv, const sigset_t *original) {
  pid_t child = fork();
  if (child != 0) return child;
  /* a process group of its own in the foreground: what a terminal's ^C reaches, without reaching it twice */
  setpgid(0, 0);
  signal(SIGTTOU, SIG_IGN);
  if (isatty(STDIN_FILENO)) tcsetpgrp(STDIN_FILENO, getpgrp());
  signal(SIGTTOU, SIG_DFL);
  sigprocmask(SIG_SETMASK, original, NULL);
  execvp(argv[0], argv);
  int status = errno == ENOENT ? 127 : 126;
  dprintf(STDERR_FILENO, "kago-init: %s: %s\n", argv[0], strerror(errno));
  _exit(status);
}

/* Waits for all that have ended; the command's end is ours, once its group has been told. */
static void reap(pid_t child) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid != child) continue;
    exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
  }
}

int main(int argc, char **argv) {
  sigset_t all, original;
  siginfo_t info;
  int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
  if (argc <= first) {
    fputs("usage: kago-init -- COMMAND [ARGUMENT ...]\n", stderr);
    return 2;
  }
  sigfillset(&all);
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    if (own[i] != SIGCHLD) sigdelset(&all, own[i]);
  sigprocmask(SIG_BLOCK, &all, &original);
  pid_t child = run(argv + first, &original);
  if (child < 0) {
    perror("kago-init: fork");
    return 126;
  }
  for (;;) {
    int number = sigwaitinfo(&all, &info);
    if (number == SIGCHLD) reap(child);
    else if (number > 0) kill(child, number);
  }
}
