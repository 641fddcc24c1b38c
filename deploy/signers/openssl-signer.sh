#!/bin/sh
# A signer process for countersign (docs/signing.md), with OpenSSL 3:
#
#   command:/usr/local/bin/openssl-signer.sh KEY.pem [PASSPHRASE-FILE]
#
# Ed25519, ECDSA on P-256 and RSA. Put in the place of `openssl` what reaches your device.
set -eu

key=$1
passphrase=pass:
if [ "$#" -eq 3 ]; then
    passphrase=file:$2
    shift
fi
request=$2

# EX_TEMPFAIL: countersign tries again later.
if [ ! -e "$key" ]; then
    echo "$key is not there" >&2
    exit 75
fi

case $request in
public)
    openssl pkey -in "$key" -passin "$passphrase" -pubout
    ;;
sign)
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # Ed25519 reads its message twice: it cannot come through a pipe.
    cat >"$work/message"
    kind=$(openssl pkey -in "$key" -passin "$passphrase" -noout -text_pub)
    case $kind in
    ED25519*)
        openssl pkeyutl -sign -inkey "$key" -passin "$passphrase" -rawin -in "$work/message" -out "$work/signature"
        ;;
    *prime256v1*)
        openssl dgst -sha256 -sign "$key" -passin "$passphrase" -out "$work/signature" "$work/message"
        ;;
    *Modulus*)
        openssl dgst -sha256 -sign "$key" -passin "$passphrase" -sigopt rsa_padding_mode:pss \
            -sigopt rsa_pss_saltlen:digest -out "$work/signature" "$work/message"
        ;;
    *)
        echo "$key is of a kind that is not supported" >&2
        exit 1
        ;;
    esac
    openssl base64 -in "$work/signature"
    ;;
*)
    echo "the request is neither public nor sign, but $request" >&2
    exit 1
    ;;
esac
