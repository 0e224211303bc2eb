/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words the messages about single statements: what is wrong, what was probably meant, what is accepted. One thread at a
 * time; only writes into the report.
 */
#ifndef CONFIG_PROBLEM_H
#define CONFIG_PROBLEM_H

#include "config/lexer.h"
#include "config/report.h"
#include "config/schema.h"
#include "config/store.h"

/* A value that store_value has refused with that error. */
void problem_report_value(struct report *report, const struct schema_value *value, const struct token *token, int error,
			  const struct store_note *note);
void problem_report_host_bits(struct report *report, const struct network *network, const struct token *token);
void problem_report_unknown_key(struct report *report, const struct schema_directive *directive,
				const struct token *token);
/* A value where the directive takes no more. */
void problem_report_unexpected(struct report *report, const struct schema_directive *directive,
			       const struct token *token);
/* value NULL: the directive needs one of its settings. */
void problem_report_missing(struct report *report, const struct schema_directive *directive,
			    const struct schema_value *value, struct config_place place);

/*
 * The first word of a statement is no directive of that block. Returns the directive that it was probably meant to be,
 * or NULL.
 */
const struct schema_directive *problem_report_unknown_directive(struct report *report, enum schema_where where,
								const struct token *word);

#endif
