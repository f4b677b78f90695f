"""Writes `_openssl.py`: OpenSSL's declarations, compiled so that neither parser nor compiler runs at import.

`python -m kit.agent.provider.declare` prints the module; a test compares it with the one that is checked in.
This is the only place that needs the whole of cffi; at run time its backend is enough.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

MODULE = "kit.agent.provider._openssl"

# From openssl/core.h, core_dispatch.h, params.h and evp.h of 3.0; none of it changed up to 3.6. The two kit_
# structs are ours: calloc makes them, free ends them, and zero means "not set" in every field.
DECLARATIONS = """
typedef struct { int function_id; void (*function)(void); } OSSL_DISPATCH;
typedef struct {
    const char *algorithm_names;
    const char *property_definition;
    const OSSL_DISPATCH *implementation;
    const char *algorithm_description;
} OSSL_ALGORITHM;
typedef struct {
    const char *key;
    unsigned int data_type;
    void *data;
    size_t data_size;
    size_t return_size;
} OSSL_PARAM;
typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_pkey_ctx_st EVP_PKEY_CTX;
typedef struct evp_md_ctx_st EVP_MD_CTX;
typedef int OSSL_CALLBACK(const OSSL_PARAM *, void *);

typedef struct { size_t key; } kit_key;
typedef struct { size_t key; int hash; int padding; int salt; } kit_signing;

typedef int provider_init(const void *, const OSSL_DISPATCH *, const OSSL_DISPATCH **, void **);
typedef const OSSL_ALGORITHM *query_operation(void *, int, int *);
typedef int bio_read_ex(void *, void *, size_t, size_t *);

typedef kit_key *keymgmt_new(void *);
typedef kit_key *keymgmt_load(kit_key **, size_t);
typedef int keymgmt_get_params(kit_key *, OSSL_PARAM *);
typedef const OSSL_PARAM *keymgmt_gettable_params(void *);
typedef const char *keymgmt_query_operation_name(int);
typedef int keymgmt_has(const kit_key *, int);
typedef int keymgmt_match(const kit_key *, const kit_key *, int);
typedef int keymgmt_import(kit_key *, int, const OSSL_PARAM *);
typedef int keymgmt_export(kit_key *, int, OSSL_CALLBACK *, void *);
typedef const OSSL_PARAM *keymgmt_types(int);
typedef kit_key *keymgmt_dup(const kit_key *, int);

typedef kit_signing *signature_newctx(void *, const char *);
typedef kit_signing *signature_dupctx(const kit_signing *);
typedef int signature_digest_sign_init(kit_signing *, const char *, const kit_key *, const OSSL_PARAM *);
typedef int signature_digest_sign(
    const kit_signing *, unsigned char *, size_t *, size_t, const unsigned char *, size_t);
typedef int signature_set_ctx_params(kit_signing *, const OSSL_PARAM *);
typedef const OSSL_PARAM *signature_settable_ctx_params(void *, void *);

typedef void *decoder_newctx(void *);
typedef int decoder_decode(void *, void *, int, OSSL_CALLBACK *, void *, void *, void *);
typedef int decoder_export_object(void *, const void *, size_t, OSSL_CALLBACK *, void *);

void *calloc(size_t, size_t);
void free(void *);

unsigned long OpenSSL_version_num(void);
int OSSL_PROVIDER_add_builtin(void *, const char *, provider_init *);
void *OSSL_PROVIDER_load(void *, const char *);
const OSSL_PARAM *OSSL_PARAM_locate_const(const OSSL_PARAM *, const char *);
int OSSL_PARAM_get_int(const OSSL_PARAM *, int *);

EVP_PKEY *d2i_PUBKEY(EVP_PKEY **, const unsigned char **, long);
int EVP_PKEY_is_a(const EVP_PKEY *, const char *);
int EVP_PKEY_get_size(const EVP_PKEY *);
int EVP_PKEY_get_params(const EVP_PKEY *, OSSL_PARAM *);
int EVP_PKEY_eq(const EVP_PKEY *, const EVP_PKEY *);
int EVP_PKEY_export(const EVP_PKEY *, int, OSSL_CALLBACK *, void *);
EVP_MD_CTX *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(EVP_MD_CTX *);
int EVP_DigestVerifyInit_ex(
    EVP_MD_CTX *, EVP_PKEY_CTX **, const char *, void *, const char *, EVP_PKEY *, const OSSL_PARAM *);
int EVP_PKEY_CTX_set_rsa_padding(EVP_PKEY_CTX *, int);
int EVP_PKEY_CTX_set_rsa_pss_saltlen(EVP_PKEY_CTX *, int);
int EVP_DigestVerify(EVP_MD_CTX *, const unsigned char *, size_t, const unsigned char *, size_t);
"""

_HEAD = '''\
"""OpenSSL's declarations, compiled by `python -m {}.declare`; do not edit."""

# fmt: off
# ruff: noqa: E501
'''


def source(module: str = MODULE, declarations: str = DECLARATIONS) -> str:
    """The text of the module that these declarations make, by default `_openssl.py`."""
    import cffi  # type: ignore[import-untyped]

    ffi = cffi.FFI()
    package, _, name = module.rpartition(".")
    ffi.set_source(module, None)
    ffi.cdef(declarations)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / f"{name}.py"
        with contextlib.redirect_stdout(None):  # it tells what it does
            ffi.emit_python_code(str(path))
        written = path.read_text()
    _, backend, body = written.partition("import _cffi_backend")
    return f"{_HEAD.format(package)}{backend}  # type: ignore[import-untyped]{body}"


if __name__ == "__main__":
    print(source(), end="")  # noqa: T201 -- the module is the output
