// beside: keeps connections busy and measures how long the pings of one more client take meanwhile.
//
//   beside PORT CONNECTIONS PIPELINE SECONDS FILE
//
// FILE holds requests as load.c reads them. Each busy connection always has PIPELINE requests in flight: as
// replies arrive it sends as many more, without waiting for the rest. A request whose reply is said to have no
// line feeds is never finished: the connection sends PIPELINE times 64 bytes of it, closes, and opens again.
// After WARM_UP_MS the pings of one more connection are measured for SECONDS: each is sent a millisecond after
// the reply to the one before. Prints one line of JSON.
//
// Invariant: the load does not pause while a ping waits, so the waits are those of a server under full load.
// The trade: the pings have a thread of their own, which competes for the same cores as the load and the
// server; on a machine with two cores a millisecond or two of a wait may be the scheduler's.
//
// build: gcc -O2 -o beside beside.c -lpthread
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 18, EVENTS = 256, WRITE_BYTES = 1 << 16, PART_BYTES = 64, PINGS_MAX = 1 << 20 };
enum { WARM_UP_MS = 1000 };
#define PING "{\"command\":\"ping\"}\n"

struct connection {
  int fd;
  long inFlight;
  size_t next;  // the request that is being sent, and how many bytes of it have been
  size_t sent;
  size_t part;  // bytes of an unfinished request that are still to be sent
  int isBlocked;
};

static char *bytes;
static size_t *starts;
static size_t count;
static int isUnfinished, poller, port;
static long pipeline;
static volatile long done;
static long reopened;
static double *waits;
static long pings;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static double nowMs(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec * 1e-6;
}

static void readRequests(const char *path) {
  int fd = open(path, O_RDONLY);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) < 0) fail(path);
  char *file = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (file == MAP_FAILED) fail(path);
  uint32_t head[2];
  for (char *at = file; at < file + status.st_size; at += sizeof head + head[0], count++) {
    memcpy(head, at, sizeof head);
  }
  bytes = malloc(status.st_size);
  starts = calloc(count + 1, sizeof *starts);
  char *at = file;
  for (size_t index = 0; index < count; index++, at += sizeof head + head[0]) {
    memcpy(head, at, sizeof head);
    memcpy(bytes + starts[index], at + sizeof head, head[0]);
    starts[index + 1] = starts[index] + head[0];
    isUnfinished = head[1] == 0;
  }
}

static int connected(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (void *)&address, sizeof address) < 0) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  return fd;
}

static void begin(struct connection *c) {
  c->fd = connected();
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  c->inFlight = 0, c->sent = 0, c->isBlocked = 1, c->part = pipeline * PART_BYTES;
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
}

static void again(struct connection *c) {
  close(c->fd);
  reopened++;
  begin(c);
}

static void block(struct connection *c, int isBlocked) {
  if (c->isBlocked == isBlocked) return;
  c->isBlocked = isBlocked;
  struct epoll_event event = {.events = EPOLLIN | (isBlocked ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
}

// Sends a part of a request that never ends. 0: all of it was sent, or the connection failed.
static int sendPart(struct connection *c) {
  static char part[WRITE_BYTES];
  if (part[0] == 0) memset(part, 'x', sizeof part), memcpy(part, bytes, starts[1] - 1);
  while (c->part > 0) {
    ssize_t written = write(c->fd, part, c->part < sizeof part ? c->part : sizeof part);
    if (written < 0 && errno != EAGAIN) return 0;
    if (written < 0) return block(c, 1), 1;
    c->part -= written, done++;
  }
  return 0;
}

static int sendRequests(struct connection *c) {
  while (c->inFlight < pipeline) {
    // As many as lie next to each other in the file, up to WRITE_BYTES.
    size_t end = c->next + 1;
    long number = 1;
    while (end < count && c->inFlight + number < pipeline &&
           starts[end + 1] - starts[c->next] <= WRITE_BYTES) end++, number++;
    size_t from = starts[c->next] + c->sent;
    ssize_t written = write(c->fd, bytes + from, starts[end] - from);
    if (written < 0 && errno != EAGAIN) return 0;
    if (written < 0) return block(c, 1), 1;
    c->sent += written;
    while (c->next < end && c->sent >= starts[c->next + 1] - starts[c->next]) {
      c->sent -= starts[c->next + 1] - starts[c->next];
      c->next++, c->inFlight++;
    }
    if (c->next == count) c->next = 0;
  }
  block(c, 0);
  return 1;
}

static void turn(struct connection *c) {
  if (!(isUnfinished ? sendPart(c) : sendRequests(c))) again(c);
}

static void receive(struct connection *c) {
  static char buffer[READ_BYTES];
  ssize_t length = read(c->fd, buffer, sizeof buffer);
  if (length < 0 && errno == EAGAIN) return;
  if (length <= 0) return again(c);
  for (char *at = buffer; (at = memchr(at, '\n', buffer + length - at)); at++) c->inFlight--, done++;
}

static void *ping(void *secondsAt) {
  double until = nowMs() + 1000 * *(double *)secondsAt;
  int fd = connected();
  char reply[256];
  while (pings < PINGS_MAX) {
    usleep(1000);
    double sentAt = nowMs();
    if (sentAt > until) break;
    if (write(fd, PING, sizeof PING - 1) < 0) fail("ping");
    size_t length = 0;
    while (length == 0 || reply[length - 1] != '\n') {
      ssize_t more = read(fd, reply + length, sizeof reply - length);
      if (more <= 0) errno = ECONNRESET, fail("ping");
      length += more;
    }
    waits[pings++] = nowMs() - sentAt;
  }
  return NULL;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double quantile(double share) {
  long rank = pings * share;
  return pings == 0 ? 0 : waits[rank < pings ? rank : pings - 1];
}

int main(int argc, char **argv) {
  if (argc != 6) return fprintf(stderr, "usage: beside PORT CONNECTIONS PIPELINE SECONDS FILE\n"), 2;
  port = atoi(argv[1]);
  int connections = atoi(argv[2]);
  pipeline = atol(argv[3]);
  double seconds = atof(argv[4]);
  signal(SIGPIPE, SIG_IGN); // the server may close a connection at any time
  readRequests(argv[5]);
  waits = malloc(PINGS_MAX * sizeof *waits);
  poller = epoll_create1(0);
  struct connection *all = calloc(connections, sizeof *all);
  for (int index = 0; index < connections; index++) all[index].next = index * 7919 % count;
  for (int index = 0; index < connections; index++) begin(&all[index]), turn(&all[index]);
  double began = nowMs(), measuredAt = began + WARM_UP_MS;
  long before = -1;
  pthread_t pinger;
  struct epoll_event events[EVENTS];
  for (double now = began; now < measuredAt + 1000 * seconds; now = nowMs()) {
    if (before < 0 && now >= measuredAt) {
      before = done, measuredAt = now;
      pthread_create(&pinger, NULL, ping, &seconds);
    }
    int ready = epoll_wait(poller, events, EVENTS, 100);
    for (int index = 0; index < ready; index++) {
      struct connection *c = events[index].data.ptr;
      if (events[index].events & ~EPOLLOUT) receive(c);
      turn(c);
    }
  }
  double rate = (done - before) / ((nowMs() - measuredAt) / 1000);
  pthread_join(pinger, NULL);
  qsort(waits, pings, sizeof *waits, ascending);
  printf("{\"rate\":%.0f,\"done\":%ld,\"reopened\":%ld,\"pings\":%ld,", rate, done, reopened, pings);
  printf("\"p50Ms\":%.4f,\"p99Ms\":%.4f,", quantile(.5), quantile(.99));
  printf("\"p999Ms\":%.4f,\"maxMs\":%.4f}\n", quantile(.999), quantile(1));
  return 0;
}
