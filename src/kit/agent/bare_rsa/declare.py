"""Writes `_libcrypto.py`, as `kit.agent.provider.declare` does its module; a test compares it, too."""

from __future__ import annotations

MODULE = "kit.agent.bare_rsa._libcrypto"

# From openssl/rsa.h, x509.h, crypto.h and err.h of 3.0; none of it changed up to 3.6.
DECLARATIONS = """
typedef struct rsa_st RSA;
typedef struct pkcs8_priv_key_info_st PKCS8_PRIV_KEY_INFO;

unsigned long OpenSSL_version_num(void);
void ERR_clear_error(void);

PKCS8_PRIV_KEY_INFO *d2i_PKCS8_PRIV_KEY_INFO(PKCS8_PRIV_KEY_INFO **, const unsigned char **, long);
int PKCS8_pkey_get0(void *, const unsigned char **, int *, void *, const PKCS8_PRIV_KEY_INFO *);
void PKCS8_PRIV_KEY_INFO_free(PKCS8_PRIV_KEY_INFO *);

RSA *d2i_RSAPrivateKey(RSA **, const unsigned char **, long);
int RSA_size(const RSA *);
int RSA_private_encrypt(int, const unsigned char *, unsigned char *, RSA *, int);
void RSA_free(RSA *);
"""

if __name__ == "__main__":
    from kit.agent.provider.declare import source

    print(source(MODULE, DECLARATIONS), end="")  # noqa: T201 -- the module is the output
