/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* RC5 on blocks of 32 bits: the cipher that draft-paasch-mptcp-loadbalancer names as an example. */
#ifndef HANDSHAKE_RC5_H
#define HANDSHAKE_RC5_H

#include <stdint.h>

/* RC5-16/16/4: words of 16 bits, 16 rounds, a key of 4 bytes. */
uint32_t rc5_encrypt(uint32_t key, uint32_t block);
uint32_t rc5_decrypt(uint32_t key, uint32_t block);

#endif
