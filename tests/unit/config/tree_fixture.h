/* SPDX-License-Identifier: Apache-2.0 */
/* Two trees compared field by field, as the schema tells where the fields are, and a tree compared with what was written. */
#ifndef TREE_FIXTURE_H
#define TREE_FIXTURE_H

#include "config/config.h"

/* Fails the test when they differ in anything but places and the names of files. */
void tree_assert_equal(const struct config *a, const struct config *b);

/*
 * Writes the tree in both forms, reads both again, and fails the test when what comes out is refused, is not the same
 * tree, or is not written the same way.
 */
void tree_assert_round_trip(const struct config *config);

/* Loads a text, or JSON, that must be good; prints what is said about it when it is not. */
struct config *tree_of_text(const char *text);
struct config *tree_of_json(const char *text);

#endif
