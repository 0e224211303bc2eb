/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An intrusive circular doubly linked list. The same struct is the head and the link inside an owner. A link filled
 * with zeros is a valid unlinked link; a head must be initialised. Not for sharing between threads.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *previous;
};

/* The struct that contains the link. */
#define LIST_OWNER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct list *head)
{
	head->next = head->previous = head;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline bool list_is_linked(const struct list *link)
{
	return link->next != NULL;
}

static inline void list_add_first(struct list *head, struct list *link)
{
	link->previous = head;
	link->next = head->next;
	head->next->previous = link;
	head->next = link;
}

static inline void list_add_last(struct list *head, struct list *link)
{
	link->previous = head->previous;
	link->next = head;
	head->previous->next = link;
	head->previous = link;
}

/* Unlinks; does nothing to an unlinked link. */
static inline void list_remove(struct list *link)
{
	if (!list_is_linked(link))
		return;
	link->previous->next = link->next;
	link->next->previous = link->previous;
	link->next = link->previous = NULL;
}

/* The first link, unlinked; NULL when the list is empty. */
static inline struct list *list_take_first(struct list *head)
{
	struct list *link = head->next;
	if (link == head)
		return NULL;
	list_remove(link);
	return link;
}

#endif
