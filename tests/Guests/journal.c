// A hundred thousand calls as a small database makes them: writes, reads, seeks, and an fsync for every thousand of them.
// usage: journal FILE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { Calls = 100000, Period = 1000 };

int main(int argc, char **argv)
{
    int file = open(argc > 1 ? argv[1] : "journal", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char entry[64] = "entry";
    long done = 0;
    for (int i = 0; i < Calls; i++) {
        if (i % Period == Period - 1)
            done += fsync(file) == 0;
        else if (i % 3 == 0)
            done += pwrite(file, entry, sizeof entry, (i % 500) * sizeof entry) == sizeof entry;
        else if (i % 3 == 1)
            done += lseek(file, (i % 500) * sizeof entry, SEEK_SET) >= 0;
        else
            done += read(file, entry, sizeof entry) >= 0;
    }
    printf("%ld\n", done);
    return 0;
}
