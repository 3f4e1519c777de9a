// Messages over TCP, each answered; the caller takes its time before each.
// usage: courier serve PORT | courier call ADDRESS PORT COUNT
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void serve(int port)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0), count = 0;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1))
        exit(1);
    int caller = accept(listener, NULL, NULL);
    char message[8];
    while (read(caller, message, sizeof message) == sizeof message) {
        count++;
        if (write(caller, message, sizeof message) != sizeof message)
            exit(1);
    }
    printf("%d\n", count);
}

static void call(const char *to, int port, int count)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    inet_pton(AF_INET, to, &address.sin_addr);
    int server = -1;
    for (int tries = 0; tries < 600 && server < 0; tries++) {
        server = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(server, (struct sockaddr *)&address, sizeof address)) {
            close(server);
            server = -1;
            usleep(100000);
        }
    }
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
        serve(atoi(argv[2]));
    else if (argc == 5)
        call(argv[2], atoi(argv[3]), atoi(argv[4]));
    return 0;
}
