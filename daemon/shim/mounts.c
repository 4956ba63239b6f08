/* The container's root filesystem, mounted where only the shim and what it starts can see it. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

enum { PAGE_LIMIT = 4096, PROPAGATION = MS_PRIVATE | MS_SHARED | MS_SLAVE | MS_UNBINDABLE };

static const struct {
  const char *name;
  unsigned long set, clear;
} words[] = {
    {"defaults", 0, 0},
    {"ro", MS_RDONLY, 0},
    {"rw", 0, MS_RDONLY},
    {"nosuid", MS_NOSUID, 0},
    {"suid", 0, MS_NOSUID},
    {"nodev", MS_NODEV, 0},
    {"dev", 0, MS_NODEV},
    {"noexec", MS_NOEXEC, 0},
    {"exec", 0, MS_NOEXEC},
    {"sync", MS_SYNCHRONOUS, 0},
    {"async", 0, MS_SYNCHRONOUS},
    {"dirsync", MS_DIRSYNC, 0},
    {"remount", MS_REMOUNT, 0},
    {"noatime", MS_NOATIME, 0},
    {"atime", 0, MS_NOATIME},
    {"nodiratime", MS_NODIRATIME, 0},
    {"diratime", 0, MS_NODIRATIME},
    {"relatime", MS_RELATIME, 0},
    {"norelatime", 0, MS_RELATIME},
    {"strictatime", MS_STRICTATIME, 0},
    {"nosymfollow", MS_NOSYMFOLLOW, 0},
    {"bind", MS_BIND, 0},
    {"rbind", MS_BIND | MS_REC, 0},
    {"private", MS_PRIVATE, 0},
    {"rprivate", MS_PRIVATE | MS_REC, 0},
    {"shared", MS_SHARED, 0},
    {"rshared", MS_SHARED | MS_REC, 0},
    {"slave", MS_SLAVE, 0},
    {"rslave", MS_SLAVE | MS_REC, 0},
    {"unbindable", MS_UNBINDABLE, 0},
    {"runbindable", MS_UNBINDABLE | MS_REC, 0},
};

struct parsed {
  unsigned long flags, propagation;
  char data[PAGE_LIMIT];
};

static bool take_word(struct parsed *parsed, const char *word, size_t length) {
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (strlen(words[i].name) != length || memcmp(words[i].name, word, length) != 0) continue;
    if (words[i].set & PROPAGATION) parsed->propagation = words[i].set;
    else parsed->flags = (parsed->flags & ~words[i].clear) | words[i].set;
    return true;
  }
  return false;
}

/* A comma that follows a backslash belongs to the word: a directory may have one in its name. */
static size_t word_length(const char *text) {
  size_t length = 0;
  while (text[length] != '\0' && text[length] != ',') length += text[length] == '\\' && text[length + 1] != '\0' ? 2 : 1;
  return length;
}

static bool parse_mount_options(const char *options, struct parsed *parsed) {
  size_t used = 0;
  *parsed = (struct parsed){0};
  while (*options != '\0') {
    size_t length = word_length(options);
    if (length > 0 && !take_word(parsed, options, length)) {
      /* the kernel would cut what is over a page, silently */
      if (used + (used > 0) + length >= sizeof parsed->data) return false;
      if (used > 0) parsed->data[used++] = ',';
      memcpy(parsed->data + used, options, length);
      used += length;
    }
    options += length;
    if (*options == ',') options++;
  }
  return true;
}

static _Noreturn void fail_mount(struct shim *shim, const struct mount_request *request, int error) {
  fail(shim, "mount", code_of_errno(error), "cannot mount %s %s on %s: %s", request->type, request->source,
       request->target, strerror(error));
}

/*
 * TYPE below, SOURCE `/base/./part`: the part is opened without a way out of the base, and what was opened is mounted.
 * A symbolic link put in its place meanwhile is not followed out.
 */
static void bind_below(struct shim *shim, const struct mount_request *request, const char *target) {
  char base[PATH_MAX], opened[64];
  const char *mark = strstr(request->source, "/./");
  if (mark == NULL || (size_t)(mark - request->source) >= sizeof base) fail_mount(shim, request, EINVAL);
  memcpy(base, request->source, (size_t)(mark - request->source));
  base[mark - request->source] = '\0';
  int directory = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) fail_mount(shim, request, errno);
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  int part = (int)syscall(SYS_openat2, directory, mark + 3, &how, sizeof how);
  if (part < 0) fail_mount(shim, request, errno);
  snprintf(opened, sizeof opened, "/proc/self/fd/%d", part);
  if (mount(opened, target, NULL, MS_BIND | MS_REC, NULL) != 0) fail_mount(shim, request, errno);
  close(part);
  close(directory);
}

static void make_mount(struct shim *shim, const struct mount_request *request, const char *bundle) {
  static struct parsed parsed;
  char target[PATH_MAX];
  int length = request->target[0] == '/' ? snprintf(target, sizeof target, "%s", request->target)
                                         : snprintf(target, sizeof target, "%s/%s", bundle, request->target);
  if (length < 0 || (size_t)length >= sizeof target) fail_mount(shim, request, ENAMETOOLONG);
  if (!parse_mount_options(request->options, &parsed))
    fail(shim, "mount", "invalid_argument", "cannot mount %s on %s: its options are longer than the %d bytes the kernel takes",
         request->type, request->target, PAGE_LIMIT - 1);

  const char *data = parsed.data[0] == '\0' ? NULL : parsed.data;
  if (strcmp(request->type, "below") == 0) {
    bind_below(shim, request, target);
  } else if (parsed.flags & MS_BIND) {
    unsigned long kind = parsed.flags & (MS_BIND | MS_REC), rest = parsed.flags & ~(unsigned long)(MS_BIND | MS_REC);
    if (mount(request->source, target, NULL, kind, NULL) != 0) fail_mount(shim, request, errno);
    /* the kernel ignores ro, nosuid, … while it binds: they need a second call */
    if (rest != 0 && mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | rest, NULL) != 0) fail_mount(shim, request, errno);
  } else if (mount(request->source, target, request->type, parsed.flags, data) != 0) {
    fail_mount(shim, request, errno);
  }
  if (parsed.propagation != 0 && mount(NULL, target, NULL, parsed.propagation, NULL) != 0) fail_mount(shim, request, errno);
}

/* Slave, not private: nothing mounted here is seen by the host, but what the host unmounts later goes here too.
   A private copy would keep every disk of the host busy for as long as the container lives. */
void enter_mount_namespace(struct shim *shim) {
  if (shim->options.host_mounts) return;
  if (unshare(CLONE_NEWNS) != 0)
    fail(shim, "mount", code_of_errno(errno), "cannot make a mount namespace: %s", strerror(errno));
  if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0)
    fail(shim, "mount", code_of_errno(errno), "cannot keep mounts from spreading to the host: %s", strerror(errno));
}

/* Sources and overlay's directories are relative to --mount-from, so that many fit in the one page of options. */
void make_mounts(struct shim *shim) {
  char bundle[PATH_MAX];
  const struct options *options = &shim->options;
  if (options->mount_count == 0) return;
  if (getcwd(bundle, sizeof bundle) == NULL)
    fail(shim, "mount", "internal", "cannot tell the path of the bundle %s: %s", options->bundle, strerror(errno));
  if (options->mount_from != NULL && chdir(options->mount_from) != 0)
    fail(shim, "mount", code_of_errno(errno), "cannot enter %s: %s", options->mount_from, strerror(errno));
  for (size_t i = 0; i < options->mount_count; i++) make_mount(shim, &options->mounts[i], bundle);
  if (chdir(bundle) != 0) fail(shim, "mount", "internal", "cannot return to the bundle %s: %s", bundle, strerror(errno));
}
