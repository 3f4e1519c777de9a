// Messages over TCP, each answered; the caller takes its time before each.
// Or one long message that its reader takes slowly, so that most of it is sent long after it was written; or datagrams.
// usage: courier serve|soak PORT | courier call|flood|cast ADDRESS PORT COUNT
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int accept_at(int port)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1))
        exit(1);
    return accept(listener, NULL, NULL);
}

static void serve(int port)
{
    int count = 0, caller = accept_at(port);
    char message[8];
    while (read(caller, message, sizeof message) == sizeof message) {
        count++;
        if (write(caller, message, sizeof message) != sizeof message)
            exit(1);
    }
    printf("%d\n", count);
}

static void soak(int port)
{
    int caller = accept_at(port);
    static char buffer[16384];
    long total = 0, count, reads = 0;
    while ((count = read(caller, buffer, sizeof buffer)) > 0) {
        total += count;
        if (++reads % 16 == 0)
            usleep(5000);
    }
    close(caller);
    printf("%ld\n", total);
}

static int reach(const char *to, int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    inet_pton(AF_INET, to, &address.sin_addr);
    for (int tries = 0; tries < 600; tries++) {
        int server = socket(AF_INET, SOCK_STREAM, 0);
        if (!connect(server, (struct sockaddr *)&address, sizeof address))
            return server;
        close(server);
        usleep(100000);
    }
    exit(1);
}

static void flood(const char *to, int port, int count)
{
    int server = reach(to, port);
    char *bytes = calloc(1, count);
    if (write(server, bytes, count) != count || shutdown(server, SHUT_WR))
        exit(1);
    // What is not sent yet would go with this system.
    while (read(server, bytes, 1) > 0)
        ;
    close(server);
}

static void cast(const char *to, int port, int count)
{
    int from = socket(AF_INET, SOCK_DGRAM, 0), at = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    inet_pton(AF_INET, to, &address.sin_addr);
    if (bind(at, (struct sockaddr *)&address, sizeof address))
        exit(1);
    char message[8] = "message";
    for (int i = 0; i < count; i++) {
        socklen_t length = sizeof address;
        if (sendto(from, message, sizeof message, 0, (struct sockaddr *)&address, length) != sizeof message)
            exit(1);
        struct sockaddr_in sender;
        if (recvfrom(at, message, sizeof message, 0, (struct sockaddr *)&sender, &length) != sizeof message)
            exit(1);
    }
}

static void call(const char *to, int port, int count)
{
    int server = reach(to, port);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    char message[8] = "message";
    for (int i = 0; i < count; i++) {
        usleep(20000);
        if (write(server, message, sizeof message) != sizeof message || read(server, message, sizeof message) != sizeof message)
            exit(1);
    }
    close(server);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        (strcmp(argv[1], "soak") ? serve : soak)(atoi(argv[2]));
    else if (argc == 5)
        (strcmp(argv[1], "flood") ? strcmp(argv[1], "cast") ? call : cast : flood)(argv[2], atoi(argv[3]), atoi(argv[4]));
    return 0;
}
