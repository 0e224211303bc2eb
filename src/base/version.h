/* SPDX-License-Identifier: Apache-2.0 */
/* The version of the program, in the form MAJOR.MINOR.PATCH. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define STRAIT_VERSION "0.1.0"

#endif
