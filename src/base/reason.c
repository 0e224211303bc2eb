/* SPDX-License-Identifier: Apache-2.0 */
#include "base/reason.h"

#include "base/check.h"

struct row {
	const char *word;
	const char *meaning;
	bool is_refusal;
};

static const struct row rows[REASON_COUNT] = { [REASON_NONE] = { "none", "has not ended", false },
#define REASON_ROW(name, text, refusal, means)                                                                         \
	[REASON_##name] = { .word = text, .meaning = means, .is_refusal = refusal },
					       REASON_LIST(REASON_ROW)
#undef REASON_ROW
};

const char *reason_word(enum reason reason)
{
	CHECK(reason < REASON_COUNT);
	return rows[reason].word;
}

const char *reason_meaning(enum reason reason)
{
	CHECK(reason < REASON_COUNT);
	return rows[reason].meaning;
}

bool reason_is_refusal(enum reason reason)
{
	CHECK(reason < REASON_COUNT);
	return rows[reason].is_refusal;
}
