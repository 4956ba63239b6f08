/* Reads the command line, so that a shim can be typed by hand and every mistake is named. */
#include "shim.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char problem[512];

static const char *complain(const char *option, const char *what) {
  snprintf(problem, sizeof problem, "%s: %s", option, what);
  return problem;
}

static bool parse_number(const char *text, long long low, long long high, long long *number) {
  char *end;
  errno = 0;
  *number = strtoll(text, &end, 10);
  return errno == 0 && end != text && *end == '\0' && *number >= low && *number <= high;
}

static bool parse_size(const char *text, struct options *options) {
  const char *by = strchr(text, 'x');
  char columns[8];
  long long c, r;
  if (by == NULL || (size_t)(by - text) >= sizeof columns) return false;
  memcpy(columns, text, (size_t)(by - text));
  columns[by - text] = '\0';
  if (!parse_number(columns, 0, UINT16_MAX, &c) || !parse_number(by + 1, 0, UINT16_MAX, &r)) return false;
  options->columns = (uint16_t)c;
  options->rows = (uint16_t)r;
  return true;
}

/* Where a plain text option goes, or NULL. */
static const char **text_option(struct options *options, const char *name) {
  if (strcmp(name, "--bundle") == 0) return &options->bundle;
  if (strcmp(name, "--mount-from") == 0) return &options->mount_from;
  if (strcmp(name, "--log") == 0) return &options->log_dir;
  if (strcmp(name, "--pid-file") == 0) return &options->pid_file;
  if (strcmp(name, "--console-socket") == 0) return &options->console_socket;
  if (strcmp(name, "--exit-file") == 0) return &options->exit_file;
  if (strcmp(name, "--socket") == 0) return &options->socket;
  return NULL;
}

static bool flag_option(struct options *options, const char *name) {
  if (strcmp(name, "--host-mounts") == 0) return options->host_mounts = true;
  if (strcmp(name, "--stdin") == 0) return options->with_stdin = true;
  if (strcmp(name, "--stdin-once") == 0) return options->with_stdin = options->stdin_once = true;
  return false;
}

static const char *number_option(struct options *options, const char *name, const char *value, bool *known) {
  long long n = 0;
  bool good;
  *known = true;
  if (strcmp(name, "--log-max-bytes") == 0) {
    good = parse_number(value, 1, LLONG_MAX, &n);
    options->log_max_bytes = (uint64_t)n;
  } else if (strcmp(name, "--log-max-files") == 0) {
    good = parse_number(value, 1, 10000, &n);
    options->log_max_files = (unsigned)n;
  } else if (strcmp(name, "--events-fd") == 0) {
    good = parse_number(value, 3, 1 << 20, &n);
    options->events_fd = (int)n;
  } else if (strcmp(name, "--attach-fd") == 0) {
    good = parse_number(value, 3, 1 << 20, &n);
    options->attach_fd = (int)n;
  } else if (strcmp(name, "--attach-flags") == 0) {
    good = parse_number(value, 0, 3, &n);
    options->attach_flags = (unsigned)n;
  } else if (strcmp(name, "--oom-score-adj") == 0) {
    good = parse_number(value, -1000, 1000, &n);
    options->oom_score_adj = (int)n;
    options->has_oom_score_adj = true;
  } else if (strcmp(name, "--size") == 0) {
    good = parse_size(value, options);
  } else {
    *known = false;
    return NULL;
  }
  return good ? NULL : complain(name, "not a value it can have");
}

static const char *terminal_option(struct options *options, const char *value) {
  if (strcmp(value, "console-socket") == 0) options->terminal = TERMINAL_CONSOLE_SOCKET;
  else if (strcmp(value, "pty") == 0) options->terminal = TERMINAL_PTY;
  else return complain("--terminal is console-socket or pty", value);
  return NULL;
}

static const char *check_options(const struct options *options) {
  if (options->runtime == NULL || options->runtime[0] == NULL) return "no runtime command after --";
  if (options->bundle == NULL) return "--bundle is missing";
  if (options->pid_file == NULL) return "--pid-file is missing";
  if (options->exit_file == NULL) return "--exit-file is missing";
  if (options->terminal == TERMINAL_CONSOLE_SOCKET && options->console_socket == NULL)
    return "--terminal console-socket needs --console-socket";
  if (options->events_fd >= 0 && options->events_fd == options->attach_fd)
    return "--events-fd and --attach-fd are the same";
  return NULL;
}

const char *parse_options(int argc, char **argv, struct options *options) {
  *options = (struct options){
      .events_fd = -1, .attach_fd = -1, .attach_flags = ATTACH_OUTPUT | ATTACH_STDIN,
      .log_max_bytes = 10 * 1024 * 1024, .log_max_files = 3,
  };
  int i = 1;
  for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
    const char *name = argv[i];
    if (flag_option(options, name)) continue;
    if (strcmp(name, "--mount") == 0) {
      if (argc - i <= 4) return "--mount takes TYPE SOURCE TARGET OPTIONS";
      if (options->mount_count == MAX_MOUNTS) return "too many --mount";
      options->mounts[options->mount_count++] =
          (struct mount_request){argv[i + 1], argv[i + 2], argv[i + 3], argv[i + 4]};
      i += 4;
      continue;
    }
    if (i + 1 >= argc) return complain(name, "unknown option, or its value is missing");
    const char *value = argv[++i];
    const char **text = text_option(options, name);
    if (text != NULL) {
      *text = value;
      continue;
    }
    if (strcmp(name, "--terminal") == 0) {
      const char *wrong = terminal_option(options, value);
      if (wrong != NULL) return wrong;
      continue;
    }
    bool known;
    const char *wrong = number_option(options, name, value, &known);
    if (wrong != NULL) return wrong;
    if (!known) return complain(name, "unknown option");
  }
  options->runtime = i < argc ? argv + i + 1 : NULL;
  return check_options(options);
}
