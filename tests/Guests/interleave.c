// Two threads write letters without any order between them: another schedule gives another text.
#define _GNU_SOURCE
#include <pthread.h>
#include "check.h"

static char text[4096];
static volatile int length;

static void *letters(void *argument)
{
    for (int i = 0; i < 400; i++) {
        text[__atomic_fetch_add(&length, 1, __ATOMIC_SEQ_CST)] = *(char *)argument;
        for (volatile int spin = 0; spin < 200; spin++) { }
    }
    return NULL;
}

int main(void)
{
    pthread_t one, two;
    pthread_create(&one, NULL, letters, "a");
    pthread_create(&two, NULL, letters, "b");
    pthread_join(one, NULL);
    pthread_join(two, NULL);
    puts(text);
    return 0;
}
