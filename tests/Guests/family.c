// Several processes and threads, for the listing that --strace writes: each one's lines are compared with strace's own. They take turns by pipes.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int first[2], second[2];

// Long enough that the others are where they wait.
static void let_others_wait(void)
{
	usleep(500000);
}

static void *reader(void *unused)
{
	char byte;
	read(first[0], &byte, 1);
	write(second[1], "t", 1);
	return unused;
}

static void forks(char *self)
{
	char byte;
	pid_t child = fork();
	if (child == 0)
	{
		read(first[0], &byte, 1);
		write(second[1], "c", 1);
		execl(self, self, "again", NULL);
	}
	let_others_wait();
	write(first[1], "1", 1);
	read(second[0], &byte, 1);
	waitpid(child, NULL, 0);
}

static void threads(void)
{
	char byte;
	pthread_t thread;
	pthread_create(&thread, NULL, reader, NULL);
	let_others_wait();
	write(first[1], "2", 1);
	read(second[0], &byte, 1);
	let_others_wait();
}

static void kills(int reads)
{
	char byte;
	pid_t child = fork();
	if (child == 0)
	{
		if (reads)
			read(first[0], &byte, 1);
		pause();
	}
	let_others_wait();
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

int main(int count, char **arguments)
{
	if (count > 1)
	{
		write(-1, "executed", 8);
		_exit(4);
	}
	write(-1, "begin", 5);
	pipe(first);
	pipe(second);
	forks(arguments[0]);
	threads();
	kills(0);
	kills(1);
	write(-1, "end", 3);
	_exit(3);
}
