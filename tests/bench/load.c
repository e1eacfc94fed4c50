// load: keeps connections busy with prepared requests, and measures how long the answers take.
//
//   load PORT CONNECTIONS PIPELINE SECONDS FILE
//
// FILE holds requests, one behind the other: u32 length, u32 line feeds of its reply, the bytes.
// Each connection sends the next PIPELINE of them at once, waits for all their replies, and goes on
// (a closed loop); the latency is a whole pipeline's. The file is used again from its start until
// SECONDS have passed. Before that each connection sends one pipeline that does not count, else its
// latency would be that of being accepted; then `ready` is printed, and in the end a line of JSON.
// With 0 seconds each request is sent once, and all count.
//
// Invariant: a reply counts when all its line feeds have come, neither more nor less; one that tells
// of a failure is an error, wherever the network cut it. It knows nothing else of any protocol.
// The trade: latencies are kept in a histogram, to 1/128 of their value, so that nothing grows.
//
// build: gcc -O2 -o load load.c
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
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

enum { HEAD_BYTES = 64, READ_BYTES = 1 << 20, EVENTS = 256, STALL_MS = 30000 };
enum { STEP_BITS = 7, STEPS = 1 << STEP_BITS }; // of the histogram, for each power of two

struct connection {
  int fd;
  const char *out; // what is still to be sent
  size_t left;
  int isBlocked; // because the server does not read
  long inFlight; // requests
  uint64_t lines; // line feeds that are still to come
  uint64_t sentAt;
  char head[HEAD_BYTES]; // the beginning of a line that was cut
  size_t headLength;
};

// The requests without their lengths, so that any of them that follow each other are one write.
static char *bytes;
static size_t *starts; // of each request, and the end of the last
static uint64_t *feeds; // line feeds of all replies before each
static long count, next;

static long pipeline, done, errors;
static int isGreeting;
static uint64_t until, replyBytes;
static uint64_t histogram[(64 - STEP_BITS + 1) * STEPS], latencies, longest;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t nanoseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static double processorSeconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
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
  starts = calloc(count + 1, sizeof *starts), feeds = calloc(count + 1, sizeof *feeds);
  char *at = file;
  for (long index = 0; index < count; index++, at += sizeof head + head[0]) {
    memcpy(head, at, sizeof head);
    memcpy(bytes + starts[index], at + sizeof head, head[0]);
    starts[index + 1] = starts[index] + head[0], feeds[index + 1] = feeds[index] + head[1];
  }
  munmap(file, status.st_size);
  close(fd);
}

static size_t stepOf(uint64_t latency) {
  int shift = 63 - __builtin_clzll(latency | STEPS) - STEP_BITS;
  return (size_t)shift * STEPS + (latency >> shift);
}

// The latency that a share of all does not exceed, in the middle of its step.
static double quantileMs(double share) {
  uint64_t rank = latencies * share, seen = 0;
  size_t step = 0;
  while ((seen += histogram[step]) <= rank) step++;
  int shift = step < 2 * STEPS ? 0 : step / STEPS - 1;
  double low = (uint64_t)(step - (size_t)shift * STEPS) << shift;
  double middle = low + ((1ull << shift) - 1) / 2.0;
  return (middle < longest ? middle : longest) * 1e-6;
}

static void judge(const char *line, size_t length) {
  static const char v1[] = "{\"success\":false", ok[] = "{\"ok\":false";
  static const char v2[] = "{\"protocol_version\":2,\"success\":false";
#define BEGINS_WITH(text) (length >= sizeof text - 1 && memcmp(line, text, sizeof text - 1) == 0)
  int isError = BEGINS_WITH("-") || BEGINS_WITH(v2) || BEGINS_WITH(v1) || BEGINS_WITH(ok);
  if (!isError) return;
  if (errors++ == 0) fprintf(stderr, "load: the first error: %.*s\n", (int)length, line);
}

static void take(struct connection *c, const char *at, const char *end) {
  replyBytes += end - at;
  while (at < end) {
    const char *feed = memchr(at, '\n', end - at), *stop = feed ? feed : end;
    if (feed && c->headLength == 0) {
      judge(at, stop - at);
    } else {
      size_t length = stop - at, room = HEAD_BYTES - c->headLength;
      memcpy(c->head + c->headLength, at, length < room ? length : room);
      c->headLength += length < room ? length : room;
    }
    if (!feed) return;
    if (c->headLength > 0) judge(c->head, c->headLength);
    c->headLength = 0;
    if (c->lines-- == 0) errno = EPROTO, fail("more line feeds than expected");
    at = feed + 1;
  }
}

static void flush(int poll, struct connection *c) {
  while (c->left > 0) {
    ssize_t written = write(c->fd, c->out, c->left);
    if (written < 0 && errno != EAGAIN) fail("write");
    if (written < 0) break;
    c->out += written, c->left -= written;
  }
  if (c->isBlocked == (c->left > 0)) return;
  c->isBlocked = c->left > 0;
  struct epoll_event event = {.events = EPOLLIN | (c->isBlocked ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(poll, EPOLL_CTL_MOD, c->fd, &event);
}

// Sends the next requests; whether there were any.
static int ask(int poll, struct connection *c) {
  c->sentAt = nanoseconds();
  if (until > 0 && c->sentAt >= until) return 0;
  if (next == count && (until > 0 || isGreeting)) next = 0;
  c->inFlight = count - next < pipeline ? count - next : pipeline;
  if (c->inFlight == 0) return 0;
  long first = next;
  next += c->inFlight;
  c->lines = feeds[next] - feeds[first];
  c->out = bytes + starts[first], c->left = starts[next] - starts[first];
  flush(poll, c);
  return 1;
}

static void receive(struct connection *c) {
  static char buffer[READ_BYTES];
  ssize_t length = read(c->fd, buffer, sizeof buffer);
  if (length < 0 && errno == EAGAIN) return;
  if (length < 0) fail("read");
  if (length == 0) errno = ECONNRESET, fail("the server closed a connection");
  take(c, buffer, buffer + length);
  if (c->lines > 0) return;
  uint64_t latency = nanoseconds() - c->sentAt;
  histogram[stepOf(latency)]++;
  latencies++;
  if (latency > longest) longest = latency;
  done += c->inFlight;
}

static void open1(int poll, struct connection *c, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (void *)&address, sizeof address) < 0) fail("connect");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event);
}

// Keeps all connections busy, each until there is nothing more to ask.
static void run(int poll, struct connection *all, int connections) {
  int busy = 0;
  for (int index = 0; index < connections; index++) busy += ask(poll, &all[index]);
  struct epoll_event events[EVENTS];
  while (busy > 0) {
    int ready = epoll_wait(poll, events, EVENTS, STALL_MS);
    if (ready <= 0) errno = ETIMEDOUT, fail("no reply comes");
    for (int index = 0; index < ready; index++) {
      struct connection *c = events[index].data.ptr;
      if (events[index].events & EPOLLOUT) flush(poll, c);
      if (!(events[index].events & ~EPOLLOUT)) continue;
      receive(c);
      if (c->lines > 0 || c->inFlight == 0) continue;
      if (isGreeting || !ask(poll, c)) c->inFlight = 0, busy--;
    }
  }
}

// Has every connection answered once; how many requests that took.
static long greet(int poll, struct connection *all, int connections) {
  isGreeting = 1;
  run(poll, all, connections);
  long greeted = done;
  isGreeting = done = latencies = longest = replyBytes = 0;
  memset(histogram, 0, sizeof histogram);
  puts("ready");
  fflush(stdout);
  return greeted;
}

int main(int argc, char **argv) {
  if (argc != 6) return fprintf(stderr, "usage: load PORT CONNECTIONS PIPELINE SECONDS FILE\n"), 2;
  int connections = atoi(argv[2]);
  pipeline = atol(argv[3]);
  double seconds = atof(argv[4]);
  readRequests(argv[5]);
  if (count < pipeline) return fprintf(stderr, "load: fewer requests than a pipeline has\n"), 2;
  if (seconds > 0) count -= count % pipeline;
  int poll = epoll_create1(0);
  struct connection *all = calloc(connections, sizeof *all);
  for (int index = 0; index < connections; index++) open1(poll, &all[index], atoi(argv[1]));
  long greeted = seconds > 0 ? greet(poll, all, connections) : 0;
  double processorBefore = processorSeconds();
  uint64_t began = nanoseconds();
  if (seconds > 0) until = began + seconds * 1e9;
  run(poll, all, connections);
  double took = (nanoseconds() - began) * 1e-9;
  printf("{\"requests\":%ld,\"greeted\":%ld,\"seconds\":%.6f,", done, greeted, took);
  printf("\"p50Ms\":%.4f,\"p99Ms\":%.4f,", quantileMs(.5), quantileMs(.99));
  printf("\"p999Ms\":%.4f,\"maxMs\":%.4f,", quantileMs(.999), longest * 1e-6);
  printf("\"errors\":%ld,\"replyBytes\":%lu,", errors, (unsigned long)replyBytes);
  printf("\"cpuSeconds\":%.3f}\n", processorSeconds() - processorBefore);
  return 0;
}
