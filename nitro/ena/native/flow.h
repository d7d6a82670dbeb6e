/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NITRO_LOOP_FLOW_H
#define NITRO_LOOP_FLOW_H

#include "loop.h"

#define LOOP_PEEK 128 /* bytes of a frame that are enough to classify it */

/* What is remembered of the flow of a frame that begins with `head`; NULL if it is nothing. */
const struct loop_flow *loop_flow(struct loop_flow *flows, const uint8_t *head, size_t bytes);

#endif
