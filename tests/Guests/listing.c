// Calls of every shape, for the listing that --strace writes: what lies between the two marks is compared with strace's own.
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void on_signal(int signal) { (void)signal; }

static void files(void)
{
	char buffer[100];
	struct stat status;
	int fd = open("list.tmp", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	struct iovec vectors[2] = {{"gather \"this\"\n", 14}, {"\001\0012\377", 4}};
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 2};
	write(fd, "a line that is longer than what a listing shows\n", 48);
	writev(fd, vectors, 2);
	lseek(fd, 0, SEEK_SET);
	lseek(fd, -1, 9);
	read(fd, buffer, 5);
	pread(fd, buffer, 99, 60);
	read(fd, (char *)1, 5);
	fstat(fd, &status);
	fstat(77, &status);
	stat("/dev/null", &status);
	access("list.tmp", R_OK | W_OK);
	access("none", F_OK);
	chmod("list.tmp", 0604);
	fchmod(fd, 04000);
	fcntl(fd, F_GETFD);
	fcntl(fd, F_SETFD, 0);
	fcntl(fd, F_GETFL);
	fcntl(fd, F_SETLK, &lock);
	fcntl(fd, F_DUPFD_CLOEXEC, 20);
	ftruncate(fd, 3);
	mkdir("list.dir", 0700);
	rename("list.dir", "list.two");
	symlink("target", "list.link");
	readlink("list.link", buffer, 50);
	unlink("list.link");
	rmdir("list.two");
	unlinkat(AT_FDCWD, "list.two", AT_REMOVEDIR);
	syscall(SYS_openat, AT_FDCWD, "list.tmp", O_PATH | O_NOFOLLOW);
	syscall(SYS_openat, -1, (char *)5, O_WRONLY | 0x40000000);
	ioctl(fd, TCGETS, buffer);
	umask(077);
	umask(022);
	unlink("list.tmp");
	close(fd);
}

static void memory(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(page, 4096, PROT_NONE);
	madvise(page, 8192, MADV_DONTNEED);
	munmap(page, 8192);
	mmap(NULL, 0, PROT_EXEC, MAP_SHARED, -1, 0);
}

static void events(void)
{
	int pair[2], set = epoll_create1(EPOLL_CLOEXEC), counter = eventfd(3, EFD_NONBLOCK);
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = 5};
	struct timeval brief = {0, 1000};
	fd_set reads;
	pipe2(pair, O_NONBLOCK);
	struct pollfd polled[2] = {{pair[0], POLLIN, 0}, {pair[1], POLLOUT | POLLHUP, 0}};
	poll(polled, 2, 0);
	poll(polled, 1, 0);
	FD_ZERO(&reads);
	FD_SET(pair[0], &reads);
	syscall(SYS_select, 20, &reads, NULL, NULL, &brief);
	epoll_ctl(set, EPOLL_CTL_ADD, counter, &event);
	epoll_wait(set, &event, 4, 0);
	read(pair[0], &event, 4);
}

static void sockets(void)
{
	int pair[2], one = 1, fd;
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/none/such"};
	char text[10];
	struct iovec vector = {"hi", 2};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	sendmsg(pair[0], &message, MSG_NOSIGNAL);
	recvfrom(pair[1], text, 10, 0, NULL, NULL);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	shutdown(fd, SHUT_RDWR);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	connect(fd, (struct sockaddr *)&name, sizeof name);
}

static void signals(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct timespec brief = {0, 1000};
	sigset_t set;
	sigaddset(&action.sa_mask, SIGCHLD);
	sigaction(SIGUSR1, &action, NULL);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigprocmask(SIG_SETMASK, NULL, &set);
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	kill(getpid(), SIGUSR1);
	nanosleep(&brief, NULL);
	kill(getpid(), 99);
}

static void processes(void)
{
	struct rlimit limit = {123 * 1024, RLIM_INFINITY};
	int status;
	wait4(-1, &status, WNOHANG | WUNTRACED, NULL);
	wait4(-1, &status, WCONTINUED, NULL);
	syscall(SYS_setrlimit, RLIMIT_CORE, &limit);
	syscall(SYS_getrlimit, RLIMIT_CORE, &limit);
	getpgid(-5);
	setuid(-1);
	execve("/none", (char *[]){"none", "with arguments", NULL}, (char *[]){"A=b", "C=d", NULL});
	syscall(SYS_futex, &status, 1 | 128, 1, NULL, NULL, 0);
	syscall(SYS_futex, &status, 0, ~status, NULL, NULL, 0);
}

int main(void)
{
	syscall(SYS_close_range, 3, -1, 0);
	write(-1, "begin", 5);
	files();
	memory();
	events();
	sockets();
	signals();
	processes();
	write(-1, "end", 3);
	exit(3);
}
