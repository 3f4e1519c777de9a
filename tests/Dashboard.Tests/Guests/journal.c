#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writes a journal record by record, and once makes it durable: among a hundred thousand short calls, one is slow. */
int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : ".";
    char path[4096], record[64];
    struct stat about;
    snprintf(path, sizeof path, "%s/journal", folder);
    int journal = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    if (journal < 0)
        return 1;
    memset(record, 'r', sizeof record);
    for (int i = 0; i < 50000; i++)
    {
        if (write(journal, record, sizeof record) != sizeof record)
            return 2;
        if (i % 10 == 0)
            fstat(journal, &about);
        if (i == 30000)
            fsync(journal);
    }
    for (int i = 0; i < 40000; i++)
        getppid();
    close(journal);
    puts("written");
    return 0;
}
