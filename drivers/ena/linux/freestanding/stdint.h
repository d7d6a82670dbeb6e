/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel builds without the compiler's headers and has the same types here. */
#include <linux/types.h>
