/* A clock that is wrong: CLOCK_AHEAD_MS has by how many milliseconds it is ahead, behind if that is negative. Loaded before the C
 * library (LD_PRELOAD), it changes the time of day alone; clocks that measure how long something takes are right. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#define BILLION 1000000000L

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    if (real(clock, now)) return -1;
    const char *ahead = getenv("CLOCK_AHEAD_MS");
    if (clock == CLOCK_REALTIME && ahead) {
        long nanoseconds = now->tv_nsec + atol(ahead) % 1000 * (BILLION / 1000);
        now->tv_sec += atol(ahead) / 1000 + (nanoseconds >= BILLION) - (nanoseconds < 0);
        now->tv_nsec = (nanoseconds + BILLION) % BILLION;
    }
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *told) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    if (told) *told = exact.tv_sec;
    return exact.tv_sec;
}
