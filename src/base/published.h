/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pointers that control replaces while workers read them: published with release, read with acquire, so that a reader
 * sees the whole object. When an old object may be freed is userspace RCU's business (liburcu, QSBR); its own macros for
 * this are not understood by the thread sanitizer, and on the machines we know acquire costs nothing more.
 */
#ifndef BASE_PUBLISHED_H
#define BASE_PUBLISHED_H

#define published_read(pointer)         __atomic_load_n(&(pointer), __ATOMIC_ACQUIRE)
#define published_write(pointer, value) __atomic_store_n(&(pointer), (value), __ATOMIC_RELEASE)

#endif
