/*
 * Hangs in the kernel, for tests of what is done about a VMM that does.
 *   hang-in-kernel vfork …     in state D until its child is gone; heeds SIGKILL
 *   hang-in-kernel fuse DIR …  asks a file system that never answers: in state D once it was killed, and heeds nothing
 * It goes on when its standard input ends. Further arguments are for whoever looks for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static void await_end_of_input(void) {
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
}

static void say_that_it_hangs(void) {
  puts("hangs");
  fflush(stdout);
}

/* Answers how the file system begins, and nothing else. What it has read can no longer be taken back. */
static void serve(int fuse) {
  static char request[1 << 20];
  struct pollfd ready[] = {{fuse, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  while (poll(ready, 2, -1) >= 0 && ready[1].revents == 0) {
    if (read(fuse, request, sizeof request) < 0) continue;
    const struct fuse_in_header *asked = (const struct fuse_in_header *)request;
    if (asked->opcode != FUSE_INIT) {
      say_that_it_hangs();
      continue;
    }
    struct {
      struct fuse_out_header header;
      struct fuse_init_out init;
    } answer = {{sizeof answer, 0, asked->unique}, {.major = 7, .minor = 31, .max_write = 4096}};
    if (write(fuse, &answer, sizeof answer) < 0) fail("write");
  }
}

static void hang_on_storage(const char *folder) {
  char options[80];
  char path[4096];
  struct stat found;
  int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fuse < 0) fail("/dev/fuse");
  /* Nobody else sees the file system, and it goes with its last user. */
  if (unshare(CLONE_NEWNS) != 0) fail("unshare");
  if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) fail("private");
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
  if (mount("hang", folder, "fuse", MS_NOSUID | MS_NODEV, options) != 0) fail("mount");
  snprintf(path, sizeof path, "%s/file", folder);
  pid_t server = fork();
  if (server < 0) fail("fork");
  if (server == 0) {
    serve(fuse);
    _exit(0);
  }
  close(fuse);
  stat(path, &found);
}

static void hang_for_child(void) {
  say_that_it_hangs();
  if (vfork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    await_end_of_input();
    _exit(0);
  }
}

int main(int argc, char **argv) {
  if (argc > 2 && strcmp(argv[1], "fuse") == 0)
    hang_on_storage(argv[2]);
  else
    hang_for_child();
  return 0;
}
