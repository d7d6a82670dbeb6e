/* The guest's end of the soak: `traffic HOST SECONDS`. What HOST sends at port 7000 must be the
 * same each time; it is sent back to port 7001, whose owner compares it, too. Both at once. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#define ROOM (64 << 20)
#define PIECE (64 << 10)

static const char *host;
static time_t end;
static char *data;
static ssize_t size;

static int dial(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval patience = { .tv_sec = 60 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, host, &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (!connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return fd;
	perror("connect");
	close(fd);
	sleep(1);
	return -1;
}

static void say(const char *what)
{
	struct sysinfo info;

	sysinfo(&info);
	printf("%s free %lu\n", what, info.freeram / 1024);
	fflush(stdout);
}

/* Into `data`. Returns bytes. */
static ssize_t fetch(void)
{
	int fd = dial(7000);
	ssize_t got = 0, more = -1;

	while (fd >= 0 && (more = read(fd, data + got, ROOM - got)) > 0)
		got += more;
	close(fd);
	return more < 0 ? -1 : got;
}

static void compare(void)
{
	static char piece[PIECE];
	int fd = dial(7000), wrong = 0;
	ssize_t got = 0, more = -1;

	while (fd >= 0 && (more = read(fd, piece, sizeof(piece))) > 0) {
		wrong |= got + more > size || memcmp(piece, data + got, more);
		got += more;
	}
	close(fd);
	say(wrong ? "down wrong" : more < 0 || got < size ? "down broken" : "down right");
}

static void *send_back(void *unused)
{
	while (time(NULL) < end) {
		int fd = dial(7001);
		ssize_t sent = 0, more = 1;

		while (fd >= 0 && sent < size && (more = write(fd, data + sent, size - sent)) > 0)
			sent += more;
		if (fd >= 0)
			close(fd);
		say(sent == size ? "up sent" : "up broken");
	}
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t sender;

	if (argc != 3)
		return 2;
	host = argv[1];
	end = time(NULL) + atoi(argv[2]);
	data = malloc(ROOM);
	while ((size = fetch()) <= 0)
		say("first broken");
	say("first");
	pthread_create(&sender, NULL, send_back, NULL);
	while (time(NULL) < end)
		compare();
	pthread_join(sender, NULL);
	say("done");
	pause(); /* when the program ends, so does the machine */
	return 0;
}
