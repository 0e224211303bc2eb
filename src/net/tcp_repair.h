/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an established TCP socket knows of its connection and says only to those who may move connections: its place in both
 * sequences, its windows, its clock (TCP_REPAIR, Linux 4.19, CAP_NET_ADMIN). And how a socket is closed without a word to
 * its peer. What for is in docs/joining.md.
 *
 * Reading disturbs nothing, but that an acknowledgement which was to go out is sent at once: a socket in repair mode receives, acknowledges and answers as before, and sends nothing by itself
 * when it is left. Only its owner's own receives and sends would fail, and while the send queue is the one in question
 * the kernel would take queued bytes for sent; so what has bytes to send is not put into repair mode here. Repair mode takes
 * SO_REUSEADDR from a socket, which is given back.
 *
 * The thread that owns the socket; nobody reads from it or writes to it meanwhile.
 */
#ifndef NET_TCP_REPAIR_H
#define NET_TCP_REPAIR_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Sequence numbers are those of the wire. read_next + unread_bytes is what the socket has received and acknowledged, or is
 * about to.
 */
struct tcp_numbers {
	uint32_t send_next;             /* of the next byte that is written to it */
	uint32_t read_next;             /* of the next byte that is read from it */
	uint32_t unread_bytes;          /* that wait to be read */
	uint32_t peer_window;           /* bytes from send_next on that the peer takes */
	uint32_t own_window;            /* bytes from read_next on that the peer was told it may send */
	uint32_t clock_ms;              /* what TSval would say when CLOCK_MONOTONIC is 0; within 2 ms */
	uint16_t send_segment_bytes;    /* the most payload in a segment to the peer, with the options that all have */
	uint16_t receive_segment_bytes; /* the most that the peer may put into one */
	uint8_t peer_scale;             /* of windows, that the peer announced */
	uint8_t own_scale;              /* that this side announced */
	bool has_timestamps;
	bool has_sack;
	bool has_ecn;
};

/*
 * Why a connection cannot be joined with another one now (docs/joining.md). The first ones are about one socket.
 *
 * X(NAME, word, what it means)
 */
#define TCP_OBSTACLE_LIST(X)                                                                                           \
	X(STATE, "state", "it is not established, or its end has been sent or has come")                               \
	X(SENDING, "sending", "bytes are on their way that the peer has not acknowledged")                             \
	X(URGENT, "urgent", "there is urgent data")                                                                    \
	X(CLOCK, "clock", "its timestamps count microseconds")                                                         \
	X(TIMESTAMPS, "timestamps", "only one of both uses timestamps")                                                \
	X(SACK, "sack", "only one of both uses selective acknowledgements")                                            \
	X(ECN, "ecn", "only one of both uses explicit congestion notification")                                        \
	X(SEGMENTS, "segments", "one peer may send segments that are too long for the other")                          \
	X(WINDOW, "window", "one peer was told that it may send far more than the other takes")

enum tcp_obstacle {
	TCP_NO_OBSTACLE,
#define TCP_OBSTACLE_ENUM(name, word, meaning) TCP_OBSTACLE_##name,
	TCP_OBSTACLE_LIST(TCP_OBSTACLE_ENUM)
#undef TCP_OBSTACLE_ENUM
		TCP_OBSTACLE_COUNT
};

/*
 * Returns 0, or -errno: -EPERM without CAP_NET_ADMIN, -EAGAIN when *ret_obstacle is in the way. A socket whose
 * numbers were read may receive afterwards, so read_next and own_window are lower bounds of what they are; send_next
 * stays, as long as nothing is written.
 */
int tcp_repair_read(int fd, struct tcp_numbers *ret_numbers, enum tcp_obstacle *ret_obstacle);

/*
 * What is in the way of joining the connection of a client with that of a server, both of which were read. Pure. Segments
 * and windows are compared because what strait has promised a peer, the other one has to keep.
 */
enum tcp_obstacle tcp_match(const struct tcp_numbers *client, const struct tcp_numbers *server);

const char *tcp_obstacle_word(enum tcp_obstacle obstacle);
const char *tcp_obstacle_meaning(enum tcp_obstacle obstacle);

/*
 * A socket that is held is closed without a word even when that is done by the kernel, because its process has died. It sends
 * what it has, receives and acknowledges as before, but is neither read nor written. Return 0 or -errno.
 */
int tcp_repair_hold(int fd);
int tcp_repair_release(int fd);

/*
 * Closes it without telling the peer, held or not: no FIN, no reset, whatever is unread or unsent. Returns 0 and clears *fd, or -errno,
 * and then it is open.
 */
int tcp_repair_close(int *fd);

#endif
