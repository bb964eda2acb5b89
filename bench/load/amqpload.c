// A raw AMQP 0-9-1 load generator, cheap enough that the broker is the bottleneck. It builds frames
// once and sends them again and again, and it only walks what comes back; it is no client library
// and checks no more of the protocol than it needs. bench/load.ts compiles and runs it.
//
//   cc -O2 -o amqpload amqpload.c -lpthread
//   amqpload [-h host] [-p port] [-u user] [-w password] [-v vhost] [-t seconds] MODE
//
// Each mode prints one line of JSON.
//
//   flow     -P producers -C consumers -s body-bytes -q queue [-Q queues] [-d durable] [-m persistent]
//            [-c confirm-window] [-a prefetch, 0 = auto-ack] [-b acks-per-batch] [-r messages/s each]
//            [-e exchange] [-k routing-key]
//            [-S stream, needs -a] [-O offsets]   consumer i reads the stream from offset i * offsets on
//   ping     -n connections -s body-bytes [-d 1 -m 1]   publish with confirm, wait, repeat, on each
//   idle     -n connections    open a connection with a channel each, print "ready", hold for -t seconds
//   declare  -n queues [-d 1]  one after the other
//   bind     -n bindings [-d 1]  of one queue to amq.direct, one after the other
//   fill     -n messages -s body-bytes -q queue   publish exactly n and wait until the queue has them
//   drain    -n messages -q queue   consume exactly n, auto-ack, or with -a
//   spread   -n queues -P connections -r messages/s in all   a consumer on each queue, latency
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const char *host = "127.0.0.1", *user = "guest", *pass = "guest", *vhost = "/",
                  *qname = "load", *exch = "", *rkey = NULL;
static int port = 5672, P = 1, C = 1, size = 16, queues = 1, durable = 0, persistent = 0,
           window_ = 0, prefetch = 0, n = 100, ackbatch = 100, stream = 0, offsets = 0;
static double secs = 5, rate = 0;
static volatile long published, consumed, confirmed, returned;
static volatile int stop_;
#define NB 4096
static long hist[NB]; // latency histogram: log-ish buckets of microseconds
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}
static uint64_t nowus(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}
static int bucket(uint64_t us) {
  if (us < 64) return us;
  int e = 63 - __builtin_clzll(us);
  int m = (us >> (e - 5)) & 31;
  int b = 64 + (e - 6) * 32 + m;
  return b < NB ? b : NB - 1;
}
static uint64_t unbucket(int b) {
  if (b < 64) return b;
  int e = (b - 64) / 32 + 6, m = (b - 64) % 32;
  return (32ull + m) << (e - 5);
}
static void die(const char *m) {
  perror(m);
  exit(1);
}
static uint32_t g32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}
static uint64_t g64(const uint8_t *p) { return (uint64_t)g32(p) << 32 | g32(p + 4); }

typedef struct {
  uint8_t *b;
  int n, f;
} Out; // frame builder
static void p8(Out *o, int v) { o->b[o->n++] = v; }
static void p16(Out *o, int v) {
  p8(o, v >> 8);
  p8(o, v);
}
static void p32(Out *o, uint32_t v) {
  p16(o, v >> 16);
  p16(o, v & 0xffff);
}
static void p64(Out *o, uint64_t v) {
  p32(o, v >> 32);
  p32(o, v);
}
static void ps(Out *o, const char *s) {
  int l = strlen(s);
  p8(o, l);
  memcpy(o->b + o->n, s, l);
  o->n += l;
}
static void fstart(Out *o, int type, int ch) {
  p8(o, type);
  p16(o, ch);
  o->f = o->n;
  p32(o, 0);
}
static void fend(Out *o) {
  uint32_t l = o->n - o->f - 4;
  int k = o->n;
  o->n = o->f;
  p32(o, l);
  o->n = k;
  p8(o, 0xce);
}

static void wall(int s, const void *b, size_t l) {
  const char *p = b;
  while (l) {
    ssize_t r = write(s, p, l);
    if (r <= 0) {
      if (stop_) pthread_exit(0);
      die("write");
    }
    p += r;
    l -= r;
  }
}
static void rall(int s, void *b, size_t l) {
  char *p = b;
  while (l) {
    ssize_t r = read(s, p, l);
    if (r <= 0) {
      if (stop_) pthread_exit(0);
      die("read");
    }
    p += r;
    l -= r;
  }
}
typedef struct {
  int s;
  uint8_t buf[1 << 17];
} Conn;
static int rmethod(Conn *c) { // read until a method frame; returns class<<16|method
  for (;;) {
    uint8_t h[7];
    rall(c->s, h, 7);
    uint32_t l = g32(h + 3);
    if (l + 1 > sizeof c->buf) {
      fprintf(stderr, "frame too large\n");
      exit(1);
    }
    rall(c->s, c->buf, l + 1);
    if (h[0] != 1) continue;
    int id = g32(c->buf);
    if (id == (10 << 16 | 50) || id == (20 << 16 | 40)) {
      fprintf(stderr, "closed by broker: %.*s\n", c->buf[6], c->buf + 7);
      exit(1);
    }
    if (id == (10 << 16 | 60)) continue;
    return id;
  }
}
static Conn *open_conn(int nochan) {
  Conn *c = malloc(sizeof *c);
  c->s = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, host, &a.sin_addr);
  if (connect(c->s, (void *)&a, sizeof a)) die("connect");
  int one = 1;
  setsockopt(c->s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  uint8_t t[1024];
  Out o = {t, 0, 0};
  wall(c->s, "AMQP\0\0\x09\x01", 8);
  rmethod(c);
  fstart(&o, 1, 0);
  p16(&o, 10);
  p16(&o, 11);
  p32(&o, 0);
  ps(&o, "PLAIN");
  int ul = strlen(user), wl = strlen(pass);
  p32(&o, ul + wl + 2);
  p8(&o, 0);
  memcpy(t + o.n, user, ul);
  o.n += ul;
  p8(&o, 0);
  memcpy(t + o.n, pass, wl);
  o.n += wl;
  ps(&o, "en_US");
  fend(&o);
  wall(c->s, t, o.n);
  rmethod(c);
  int cm = c->buf[4] << 8 | c->buf[5];
  uint32_t fm = g32(c->buf + 6);
  if (!fm || fm > 131072) fm = 131072;
  o.n = 0;
  fstart(&o, 1, 0);
  p16(&o, 10);
  p16(&o, 31);
  p16(&o, cm);
  p32(&o, fm);
  p16(&o, 0);
  fend(&o);
  fstart(&o, 1, 0);
  p16(&o, 10);
  p16(&o, 40);
  ps(&o, vhost);
  ps(&o, "");
  p8(&o, 0);
  fend(&o);
  wall(c->s, t, o.n);
  rmethod(c);
  if (!nochan) {
    o.n = 0;
    fstart(&o, 1, 1);
    p16(&o, 20);
    p16(&o, 10);
    ps(&o, "");
    fend(&o);
    wall(c->s, t, o.n);
    rmethod(c);
  }
  return c;
}
static void declare(Conn *c, const char *q) {
  uint8_t t[512];
  Out o = {t, 0, 0};
  fstart(&o, 1, 1);
  p16(&o, 50);
  p16(&o, 10);
  p16(&o, 0);
  ps(&o, q);
  p8(&o, durable || stream ? 2 : 0);
  if (stream) {
    p32(&o, 24);
    ps(&o, "x-queue-type");
    p8(&o, 'S');
    p32(&o, 6);
    memcpy(o.b + o.n, "stream", 6);
    o.n += 6;
  } else
    p32(&o, 0);
  fend(&o);
  wall(c->s, t, o.n);
  rmethod(c);
}
static void confirms_on(Conn *c) {
  uint8_t t[64];
  Out o = {t, 0, 0};
  fstart(&o, 1, 1);
  p16(&o, 85);
  p16(&o, 10);
  p8(&o, 0);
  fend(&o);
  wall(c->s, t, o.n);
  rmethod(c);
}
static void put_publish(Out *o, const char *ex, const char *rk) {
  fstart(o, 1, 1);
  p16(o, 60);
  p16(o, 40);
  p16(o, 0);
  ps(o, ex);
  ps(o, rk);
  p8(o, 0);
  fend(o);
  fstart(o, 2, 1);
  p16(o, 60);
  p16(o, 0);
  p64(o, size);
  if (persistent) {
    p16(o, 0x1000);
    p8(o, 2);
  } else
    p16(o, 0);
  fend(o);
  for (int left = size, first = 1; left > 0; first = 0) {
    int k = left > 131064 ? 131064 : left;
    fstart(o, 3, 1);
    memset(o->b + o->n, first ? 0 : 'x', 8 < k ? 8 : k);
    memset(o->b + o->n + (8 < k ? 8 : k), 'x', k - (8 < k ? 8 : k));
    o->n += k;
    fend(o);
    left -= k;
  }
}
static void *producer(void *arg) {
  long id = (long)arg;
  char q[300];
  snprintf(q, sizeof q, queues > 1 ? "%s.%ld" : "%s", qname, id % queues);
  Conn *c = open_conn(0);
  if (!*exch) declare(c, q);
  if (window_) confirms_on(c);
  const char *rk = rkey ? rkey : q;
  int per = size < 256 ? 1000 : size < 16384 ? 100 : 1;
  if (window_ && per > window_) per = window_;
  if (rate > 0) {
    per = rate / 1000;
    if (per < 1) per = 1;
  }
  uint8_t *b = malloc((size_t)per * (size + 1200));
  Out o = {b, 0, 0};
  int *bodyoff = malloc(sizeof(int) * per);
  for (int i = 0; i < per; i++) {
    int s0 = o.n;
    put_publish(&o, exch, rk);
    int mlen = (b[s0 + 3] << 24 | b[s0 + 4] << 16 | b[s0 + 5] << 8 | b[s0 + 6]) + 8;
    int hlen = g32(b + s0 + mlen + 3) + 8;
    bodyoff[i] = s0 + mlen + hlen + 7;
  }
  uint64_t sent = 0, acked = 0;
  uint8_t *rb = window_ ? malloc(1 << 20) : 0;
  size_t have = 0;
  double t0 = now();
  while (!stop_) {
    if (rate > 0) {
      double due = t0 + sent / rate, d = due - now();
      if (d > 0) usleep(d * 1e6);
    }
    if (!window_ || sent - acked + per <= (uint64_t)window_) {
      uint64_t u = nowus();
      if (size >= 8)
        for (int i = 0; i < per; i++) memcpy(b + bodyoff[i], &u, 8);
      wall(c->s, b, o.n);
      sent += per;
      __sync_fetch_and_add(&published, per);
      if (!window_ || sent - acked + per <= (uint64_t)window_) continue;
    }
    ssize_t r = read(c->s, rb + have, (1 << 20) - have);
    if (r <= 0) {
      if (stop_) return 0;
      die("read confirm");
    }
    have += r;
    size_t p = 0;
    uint64_t before = acked;
    while (have - p >= 8) {
      uint32_t l = g32(rb + p + 3);
      if (have - p < l + 8) break;
      uint32_t id = rb[p] == 1 ? g32(rb + p + 7) : 0;
      if (id == (60 << 16 | 80)) {
        uint64_t t = g64(rb + p + 11);
        int multi = rb[p + 19] & 1;
        acked = multi ? (t > acked ? t : acked) : acked + 1;
      } else if (id == (20 << 16 | 40) || id == (10 << 16 | 50)) {
        fprintf(stderr, "closed: %.*s\n", rb[p + 13], rb + p + 14);
        exit(1);
      }
      p += l + 8;
    }
    memmove(rb, rb + p, have - p);
    have -= p;
    __sync_fetch_and_add(&confirmed, acked - before);
  }
  return 0;
}
static void *consumer(void *arg) {
  long id = (long)arg;
  char q[300];
  snprintf(q, sizeof q, queues > 1 ? "%s.%ld" : "%s", qname, id % queues);
  Conn *c = open_conn(0);
  declare(c, q);
  uint8_t t[600];
  Out o = {t, 0, 0};
  if (prefetch) {
    fstart(&o, 1, 1);
    p16(&o, 60);
    p16(&o, 10);
    p32(&o, 0);
    p16(&o, prefetch);
    p8(&o, 0);
    fend(&o);
    wall(c->s, t, o.n);
    rmethod(c);
    o.n = 0;
  }
  fstart(&o, 1, 1);
  p16(&o, 60);
  p16(&o, 20);
  p16(&o, 0);
  ps(&o, q);
  ps(&o, "c");
  p8(&o, prefetch ? 0 : 2);
  if (stream) {
    p32(&o, 25);
    ps(&o, "x-stream-offset");
    p8(&o, 'l');
    p64(&o, (uint64_t)id * (uint64_t)offsets);
  } else
    p32(&o, 0);
  fend(&o);
  wall(c->s, t, o.n);
  size_t cap = 4 << 20, have = 0;
  uint8_t *b = malloc(cap);
  long un = 0;
  uint64_t last = 0;
  int batch = prefetch && prefetch / 2 < ackbatch ? prefetch / 2 : ackbatch;
  if (batch < 1) batch = 1;
  int want = 0;
  while (!stop_) {
    ssize_t r = read(c->s, b + have, cap - have);
    if (r <= 0) {
      if (stop_) return 0;
      die("read deliver");
    }
    have += r;
    size_t p = 0;
    uint64_t u = nowus();
    long k = 0;
    while (have - p >= 8) {
      uint32_t l = g32(b + p + 3);
      if (have - p < l + 8) break;
      if (b[p] == 1) {
        uint32_t id = g32(b + p + 7);
        if (id == (60 << 16 | 60)) {
          k++;
          last = g64(b + p + 12 + b[p + 11]);
          un++;
          want = 1;
        } else if (id == (20 << 16 | 40) || id == (10 << 16 | 50)) {
          fprintf(stderr, "closed: %.*s\n", b[p + 13], b + p + 14);
          exit(1);
        }
      } else if (b[p] == 3 && want && l >= 8) {
        uint64_t s;
        memcpy(&s, b + p + 7, 8);
        want = 0;
        if (s && u >= s) __sync_fetch_and_add(&hist[bucket(u - s)], 1);
      }
      p += l + 8;
    }
    memmove(b, b + p, have - p);
    have -= p;
    __sync_fetch_and_add(&consumed, k);
    if (prefetch && un >= batch) {
      o.n = 0;
      fstart(&o, 1, 1);
      p16(&o, 60);
      p16(&o, 80);
      p64(&o, last);
      p8(&o, 1);
      fend(&o);
      wall(c->s, t, o.n);
      un = 0;
    }
  }
  return 0;
}
static void flow(void) {
  pthread_t t;
  for (long i = 0; i < C; i++) pthread_create(&t, 0, consumer, (void *)i);
  if (C && P) usleep(200000);
  for (long i = 0; i < P; i++) pthread_create(&t, 0, producer, (void *)i);
  usleep(1000000);
  long p1 = published, c1 = consumed, f1 = confirmed;
  memset(hist, 0, sizeof hist);
  double a = now();
  usleep(secs * 1e6);
  long p2 = published, c2 = consumed, f2 = confirmed;
  double d = now() - a;
  long tot = 0, acc = 0;
  for (int i = 0; i < NB; i++) tot += hist[i];
  double qs[4] = {.5, .95, .99, .999};
  uint64_t v[4] = {0};
  int j = 0;
  for (int i = 0; i < NB && j < 4; i++) {
    acc += hist[i];
    while (j < 4 && tot && acc >= qs[j] * tot) v[j++] = unbucket(i);
  }
  printf(
      "{\"published\":%.0f,\"consumed\":%.0f,\"confirmed\":%.0f,\"latency_us\":{\"p50\":%lu,\"p95\":%lu,\"p99\":%lu,\"p999\":%lu}}\n",
      (p2 - p1) / d, (c2 - c1) / d, (f2 - f1) / d, v[0], v[1], v[2], v[3]);
  fflush(stdout);
  _exit(0);
}
// Consumes what a queue holds; the clock runs from the first delivery to the last.
static void drain(void) {
  pthread_t t;
  pthread_create(&t, 0, consumer, (void *)0);
  while (!consumed) usleep(100);
  long first = consumed;
  double a = now();
  while (consumed < n) usleep(100);
  printf("{\"drained\":%ld,\"per_s\":%.0f}\n", consumed, (n - first) / (now() - a));
  fflush(stdout);
  _exit(0);
}
typedef struct {
  Conn *c;
  uint8_t *b;
  size_t have;
} Lane;
static Lane *lanes;
static int spread_ep;
static void *spread_reader(void *arg) {
  (void)arg;
  size_t cap = 1 << 16;
  for (;;) {
    struct epoll_event ev[256];
    int r = epoll_wait(spread_ep, ev, 256, 1000);
    for (int i = 0; i < r; i++) {
      Lane *l = &lanes[ev[i].data.u32];
      ssize_t k = read(l->c->s, l->b + l->have, cap - l->have);
      if (k <= 0) die("read deliver");
      l->have += k;
      size_t p = 0;
      uint64_t u = nowus(), s;
      while (l->have - p >= 8) {
        uint32_t size_ = g32(l->b + p + 3);
        if (l->have - p < size_ + 8) break;
        if (l->b[p] == 1 && g32(l->b + p + 7) != (60 << 16 | 60)) {
          fprintf(stderr, "unexpected method %08x\n", g32(l->b + p + 7));
          exit(1);
        }
        if (l->b[p] == 3) {
          memcpy(&s, l->b + p + 7, 8);
          __sync_fetch_and_add(&hist[bucket(u - s)], 1);
          __sync_fetch_and_add(&consumed, 1);
        }
        p += size_ + 8;
      }
      memmove(l->b, l->b + p, l->have - p);
      l->have -= p;
    }
  }
}
// Many queues with one consumer each, spread over P connections, fed evenly by one publisher.
static void spread(void) {
  char q[300];
  uint8_t t[2048];
  spread_ep = epoll_create1(0);
  lanes = calloc(P, sizeof *lanes);
  for (int i = 0; i < P; i++) {
    lanes[i].c = open_conn(0);
    lanes[i].b = malloc(1 << 16);
    for (int k = i; k < n; k += P) {
      snprintf(q, sizeof q, "%s.%d", qname, k);
      declare(lanes[i].c, q);
      Out o = {t, 0, 0};
      fstart(&o, 1, 1);
      p16(&o, 60);
      p16(&o, 20);
      p16(&o, 0);
      ps(&o, q);
      ps(&o, q);
      p8(&o, 2);
      p32(&o, 0);
      fend(&o);
      wall(lanes[i].c->s, t, o.n);
      rmethod(lanes[i].c);
    }
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(spread_ep, EPOLL_CTL_ADD, lanes[i].c->s, &e);
  }
  pthread_t reader;
  pthread_create(&reader, 0, spread_reader, 0);
  printf("ready\n");
  fflush(stdout);
  if (rate <= 0) rate = n;
  if (size < 8) size = 8;
  Conn *c = open_conn(0);
  int next = 0;
  uint64_t sent = 0;
  double t0 = now(), end = t0 + 1 + secs, measured = 0;
  uint8_t *b = malloc(1 << 20);
  while (now() < end) {
    double d = t0 + sent / rate - now();
    if (d > 0) {
      usleep(d * 1e6);
      continue;
    }
    if (!measured && now() > t0 + 1) { // The first second warms up.
      memset(hist, 0, sizeof hist);
      consumed = 0;
      measured = now();
    }
    // Everything due by now, at most what the buffer takes.
    long due = (now() - t0) * rate - sent + 1;
    if (due > 500) due = 500;
    Out o = {b, 0, 0};
    for (long i = 0; i < due; i++) {
      snprintf(q, sizeof q, "%s.%d", qname, next);
      next = (next + 1) % n;
      int start = o.n;
      put_publish(&o, "", q);
      uint64_t u = nowus();
      int method = g32(b + start + 3) + 8, header = g32(b + start + method + 3) + 8;
      memcpy(b + start + method + header + 7, &u, 8);
    }
    wall(c->s, b, o.n);
    sent += due;
  }
  double seconds = now() - measured;
  long total = consumed, sum = 0;
  uint64_t v[4] = {0};
  double share[4] = {.5, .95, .99, .999};
  for (int i = 0, j = 0; i < NB && j < 4; i++) {
    sum += hist[i];
    while (j < 4 && total && sum >= share[j] * total) v[j++] = unbucket(i);
  }
  printf(
      "{\"consumers\":%d,\"consumed\":%.0f,\"latency_us\":{\"p50\":%lu,\"p95\":%lu,\"p99\":%lu,\"p999\":%lu}}\n",
      n, total / seconds, v[0], v[1], v[2], v[3]);
  fflush(stdout);
  _exit(0);
}
static void ping(void) {
  int ep = epoll_create1(0);
  uint8_t *m = malloc(size + 2000);
  Out o = {m, 0, 0};
  Conn **cs = malloc(sizeof(*cs) * n);
  char q[300];
  for (int i = 0; i < n; i++) {
    cs[i] = open_conn(0);
    snprintf(q, sizeof q, "%s", qname);
    if (!i) declare(cs[i], q);
    confirms_on(cs[i]);
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(ep, EPOLL_CTL_ADD, cs[i]->s, &e);
  }
  put_publish(&o, exch, rkey ? rkey : qname);
  double *st = malloc(sizeof(double) * n);
  double t0 = now();
  for (int i = 0; i < n; i++) {
    st[i] = now();
    wall(cs[i]->s, m, o.n);
  }
  long k = 0;
  uint8_t b[4096];
  while (now() - t0 < secs) {
    struct epoll_event ev[256];
    int r = epoll_wait(ep, ev, 256, 1000);
    for (int i = 0; i < r; i++) {
      int x = ev[i].data.u32;
      if (read(cs[x]->s, b, sizeof b) <= 0) die("ping read");
      double t = now();
      hist[bucket((t - st[x]) * 1e6)]++;
      k++;
      st[x] = t;
      wall(cs[x]->s, m, o.n);
    }
  }
  long acc = 0;
  uint64_t p50 = 0, p99 = 0;
  for (int i = 0; i < NB; i++) {
    acc += hist[i];
    if (!p50 && acc >= k / 2) p50 = unbucket(i);
    if (!p99 && acc >= k * .99) {
      p99 = unbucket(i);
      break;
    }
  }
  printf("{\"connections\":%d,\"roundtrips\":%.0f,\"latency_us\":{\"p50\":%lu,\"p99\":%lu}}\n", n,
         k / secs, p50, p99);
  fflush(stdout);
  _exit(0);
}
int main(int argc, char **argv) {
  int o;
  while ((o = getopt(argc, argv, "+h:p:u:w:v:t:P:C:s:q:Q:d:m:c:a:r:e:k:n:b:S:O:")) != -1) switch (o) {
    case 'h':
      host = optarg;
      break;
    case 'p':
      port = atoi(optarg);
      break;
    case 'u':
      user = optarg;
      break;
    case 'w':
      pass = optarg;
      break;
    case 'v':
      vhost = optarg;
      break;
    case 't':
      secs = atof(optarg);
      break;
    case 'P':
      P = atoi(optarg);
      break;
    case 'C':
      C = atoi(optarg);
      break;
    case 's':
      size = atoi(optarg);
      break;
    case 'q':
      qname = optarg;
      break;
    case 'Q':
      queues = atoi(optarg);
      break;
    case 'd':
      durable = atoi(optarg);
      break;
    case 'm':
      persistent = atoi(optarg);
      break;
    case 'c':
      window_ = atoi(optarg);
      break;
    case 'a':
      prefetch = atoi(optarg);
      break;
    case 'b':
      ackbatch = atoi(optarg);
      break;
    case 'r':
      rate = atof(optarg);
      break;
    case 'e':
      exch = optarg;
      break;
    case 'k':
      rkey = optarg;
      break;
    case 'n':
      n = atoi(optarg);
      break;
    case 'S':
      stream = atoi(optarg);
      break;
    case 'O':
      offsets = atoi(optarg);
      break;
    default:
      return 2;
    }
  const char *mode = optind < argc ? argv[optind] : "flow";
  if (!strcmp(mode, "flow"))
    flow();
  else if (!strcmp(mode, "ping"))
    ping();
  else if (!strcmp(mode, "drain"))
    drain();
  else if (!strcmp(mode, "spread"))
    spread();
  else if (!strcmp(mode, "idle")) {
    for (int i = 0; i < n; i++) open_conn(0);
    printf("ready\n");
    fflush(stdout);
    usleep(secs * 1e6);
  } else if (!strcmp(mode, "declare")) {
    Conn *c = open_conn(0);
    double a = now();
    char q[300];
    for (int i = 0; i < n; i++) {
      snprintf(q, sizeof q, "%s.%d", qname, i);
      declare(c, q);
    }
    printf("{\"declared\":%d,\"per_s\":%.0f}\n", n, n / (now() - a));
  } else if (!strcmp(mode, "bind")) {
    Conn *c = open_conn(0);
    declare(c, qname);
    double a = now();
    uint8_t t[600];
    for (int i = 0; i < n; i++) {
      char k[64];
      snprintf(k, sizeof k, "key.%d", i);
      Out ob = {t, 0, 0};
      fstart(&ob, 1, 1);
      p16(&ob, 50);
      p16(&ob, 20);
      p16(&ob, 0);
      ps(&ob, qname);
      ps(&ob, "amq.direct");
      ps(&ob, k);
      p8(&ob, 0);
      p32(&ob, 0);
      fend(&ob);
      wall(c->s, t, ob.n);
      rmethod(c);
    }
    printf("{\"bound\":%d,\"per_s\":%.0f}\n", n, n / (now() - a));
  } else if (!strcmp(mode, "fill")) {
    Conn *c = open_conn(0);
    declare(c, qname);
    int per = size < 256 ? 1000 : 100;
    uint8_t *b = malloc((size_t)per * (size + 1200));
    Out ob = {b, 0, 0};
    for (int i = 0; i < per; i++) put_publish(&ob, exch, rkey ? rkey : qname);
    double a = now();
    for (int i = 0; i < n; i += per) wall(c->s, b, ob.n);
    uint8_t t[600];
    Out q = {t, 0, 0};
    fstart(&q, 1, 1);
    p16(&q, 50);
    p16(&q, 10);
    p16(&q, 0);
    ps(&q, qname);
    p8(&q, 1);
    p32(&q, 0);
    fend(&q);
    wall(c->s, t, q.n);
    rmethod(c);
    int l = c->buf[4];
    printf("{\"filled\":%d,\"ready\":%u,\"per_s\":%.0f}\n", n, g32(c->buf + 5 + l),
           n / (now() - a));
  } else {
    fprintf(stderr, "unknown mode %s\n", mode);
    return 2;
  }
  return 0;
}
