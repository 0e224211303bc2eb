/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_hello.h"

#include "net/tlv.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum {
	RECORD_HEAD_BYTES = 5, /* type, version, length */
	RECORD_HANDSHAKE = 22,
	RECORD_VERSION_MAJOR = 3,
	RECORD_BYTES_MAX = 1 << 14,
	MESSAGE_HEAD_BYTES = 4, /* type, length */
	MESSAGE_CLIENT_HELLO = 1,
	VERSION_AND_RANDOM_BYTES = 2 + 32,
	EXTENSION_SERVER_NAME = 0,
	NAME_TYPE_HOST = 0,
};

static size_t get_number(const uint8_t *at, size_t count)
{
	size_t number = 0;
	for (size_t i = 0; i < count; i++)
		number = number << 8 | at[i];
	return number;
}

/* --- from records to the message --------------------------------------------------------------------------------- */

struct message {
	uint8_t *bytes;
	size_t len; /* what is there */
};

/* As much of a record's head as is there. */
static bool may_be_record(const uint8_t *at, size_t len)
{
	if ((len > 0 && at[0] != RECORD_HANDSHAKE) || (len > 1 && at[1] != RECORD_VERSION_MAJOR))
		return false;
	size_t bytes = len >= RECORD_HEAD_BYTES ? get_number(at + 3, 2) : 1;
	return bytes > 0 && bytes <= RECORD_BYTES_MAX;
}

/* 1: whole; 0: there is more of it, as far as it tells; -EINVAL. */
static int judge_message(const struct message *message)
{
	if (message->len > 0 && message->bytes[0] != MESSAGE_CLIENT_HELLO)
		return -EINVAL;
	if (message->len < MESSAGE_HEAD_BYTES)
		return 0;
	size_t len = MESSAGE_HEAD_BYTES + get_number(message->bytes + 1, 3);
	if (len > TLS_HELLO_BYTES_MAX)
		return -EINVAL;
	return message->len >= len;
}

static void append(struct message *message, const uint8_t *bytes, size_t len)
{
	size_t room = TLS_HELLO_BYTES_MAX - message->len;
	size_t taken = len < room ? len : room; /* what is behind a message that has no room is not of it */
	memcpy(message->bytes + message->len, bytes, taken);
	message->len += taken;
}

static int assemble(struct span bytes, struct message *message)
{
	const uint8_t *at = (const uint8_t *)bytes.data;
	size_t left = bytes.len;
	int result = 0;
	while (result == 0) {
		if (!may_be_record(at, left))
			return -EINVAL;
		if (left <= RECORD_HEAD_BYTES)
			return 0;
		size_t record_bytes = get_number(at + 3, 2);
		at += RECORD_HEAD_BYTES;
		left -= RECORD_HEAD_BYTES;
		size_t there = left < record_bytes ? left : record_bytes;
		append(message, at, there);
		at += there;
		left -= there;
		result = judge_message(message);
		if (there < record_bytes)
			break;
	}
	return result;
}

/* --- the message ------------------------------------------------------------------------------------------------- */

static bool skip(struct span *left, size_t count)
{
	if (left->len < count)
		return false;
	left->data += count;
	left->len -= count;
	return true;
}

/* A vector: its length in so many bytes, and then itself. */
static bool take_vector(struct span *left, size_t length_bytes, struct span *ret_vector)
{
	struct span head = *left;
	if (!skip(left, length_bytes))
		return false;
	size_t len = get_number((const uint8_t *)head.data, length_bytes);
	*ret_vector = (struct span){ left->data, len };
	return skip(left, len);
}

/* The first entry of a list that can be searched; the list is looked through to its end, so that it is known to be right. */
static bool find_entry(struct tlv_reader *reader, uint16_t type, struct span *ret_value)
{
	struct tlv tlv;
	*ret_value = (struct span){ NULL, 0 };
	while (tlv_next(reader, &tlv))
		if (tlv.type == type && ret_value->data == NULL)
			*ret_value = tlv.value;
	return !reader->is_broken;
}

static bool find_server_name(struct span extensions, struct span *ret_name)
{
	struct span extension, names;
	struct tlv_reader reader = tlv_read_extensions(extensions);
	*ret_name = (struct span){ NULL, 0 };
	if (!find_entry(&reader, EXTENSION_SERVER_NAME, &extension))
		return false;
	if (extension.data == NULL)
		return true;
	if (!take_vector(&extension, 2, &names) || extension.len > 0)
		return false;
	reader = tlv_read(names);
	return find_entry(&reader, NAME_TYPE_HOST, ret_name) && ret_name->len <= TLS_SERVER_NAME_BYTES_MAX;
}

static bool read_message(struct span left, struct span *ret_name)
{
	struct span skipped, extensions;
	if (!skip(&left, MESSAGE_HEAD_BYTES + VERSION_AND_RANDOM_BYTES) ||
	    !take_vector(&left, 1, &skipped) /* session id */ || !take_vector(&left, 2, &skipped) /* cipher suites */ ||
	    !take_vector(&left, 1, &skipped) /* compression methods */)
		return false;
	*ret_name = (struct span){ NULL, 0 };
	if (left.len == 0) /* old clients have no extensions */
		return true;
	return take_vector(&left, 2, &extensions) && left.len == 0 && find_server_name(extensions, ret_name);
}

int tls_hello_read(struct span bytes, struct tls_hello *ret_hello)
{
	struct message message = { .bytes = ret_hello->message };
	int result = assemble(bytes, &message);
	if (result <= 0)
		return result;
	size_t len = MESSAGE_HEAD_BYTES + get_number(message.bytes + 1, 3);
	struct span whole = { (const char *)message.bytes, len };
	return read_message(whole, &ret_hello->server_name) ? 1 : -EINVAL;
}
