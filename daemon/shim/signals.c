/* Signal names as people write them, for every signal Linux has. */
#include "shim.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name;
  int number;
} names[] = {
    {"HUP", SIGHUP},       {"INT", SIGINT},     {"QUIT", SIGQUIT}, {"ILL", SIGILL},     {"TRAP", SIGTRAP},
    {"ABRT", SIGABRT},     {"IOT", SIGABRT},    {"BUS", SIGBUS},   {"FPE", SIGFPE},     {"KILL", SIGKILL},
    {"USR1", SIGUSR1},     {"SEGV", SIGSEGV},   {"USR2", SIGUSR2}, {"PIPE", SIGPIPE},   {"ALRM", SIGALRM},
    {"TERM", SIGTERM},     {"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD}, {"CLD", SIGCHLD},  {"CONT", SIGCONT},
    {"STOP", SIGSTOP},     {"TSTP", SIGTSTP},   {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},   {"URG", SIGURG},
    {"XCPU", SIGXCPU},     {"XFSZ", SIGXFSZ},   {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"WINCH", SIGWINCH},
    {"IO", SIGIO},         {"POLL", SIGIO},     {"PWR", SIGPWR},   {"SYS", SIGSYS},     {"UNUSED", SIGSYS},
};

/* One or two digits, nothing else; -1 otherwise. */
static int digits(const char *text) {
  size_t length = strlen(text);
  if (length < 1 || length > 2 || strspn(text, "0123456789") != length) return -1;
  return atoi(text);
}

static int real_time(const char *name) {
  int low = SIGRTMIN, high = SIGRTMAX, offset;
  if (strcmp(name, "RTMIN") == 0) return low;
  if (strcmp(name, "RTMAX") == 0) return high;
  if (strncmp(name, "RTMIN+", 6) == 0 && (offset = digits(name + 6)) >= 0 && low + offset <= high) return low + offset;
  if (strncmp(name, "RTMAX-", 6) == 0 && (offset = digits(name + 6)) >= 0 && high - offset >= low) return high - offset;
  return 0;
}

int parse_signal(const char *name) {
  int number = digits(name);
  if (number >= 0) return number <= SIGRTMAX ? number : 0;
  if (strncmp(name, "SIG", 3) == 0) name += 3;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i].name) == 0) return names[i].number;
  return real_time(name);
}
