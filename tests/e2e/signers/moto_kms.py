"""AWS KMS as moto plays it: moto_kms.py PORT FILE.

Mended here: moto ignores MessageType, and hashes a digest once more. What AWS documents of DIGEST is that the digest itself is
signed. Everything else is moto's, the check of each request's signature included.
"""

import json
import os
import sys
import threading

import boto3
from botocore.config import Config
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto import settings
from moto.kms import responses, utils
from moto.server import ThreadedMotoServer

asked = threading.local()
answer_sign = responses.KmsResponse.sign
sign_message = utils.ECDSAPrivateKey.sign


def sign(self):
    asked.digest = self._get_param("MessageType") == "DIGEST"
    return answer_sign(self)


def sign_digest(self, message, signing_algorithm):
    if not asked.digest:
        return sign_message(self, message, signing_algorithm)
    assert signing_algorithm == "ECDSA_SHA_256" and len(message) == 32, "no SHA-256"
    return self.private_key.sign(message, ec.ECDSA(Prehashed(hashes.SHA256())))


responses.KmsResponse.sign = sign
utils.ECDSAPrivateKey.sign = sign_digest

port, made = int(sys.argv[1]), sys.argv[2]
ThreadedMotoServer(ip_address="127.0.0.1", port=port).start()
url = f"http://127.0.0.1:{port}"


def client(service):
    return boto3.client(
        service,
        region_name="eu-central-1",
        endpoint_url=url,
        aws_access_key_id="nobody",
        aws_secret_access_key="nothing",
        config=Config(proxies={}),
    )


kms, iam = client("kms"), client("iam")
p256 = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
rsa = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
kms.create_alias(AliasName="alias/online", TargetKeyId=p256["KeyId"])
policy = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["kms:GetPublicKey", "kms:Sign"], "Resource": "*"},
]}
iam.create_user(UserName="countersign")
iam.put_user_policy(UserName="countersign", PolicyName="sign", PolicyDocument=json.dumps(policy))
login = iam.create_access_key(UserName="countersign")["AccessKey"]
# From here on, signatures and policies are checked.
settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
with open(f"{made}.new", "w") as file:
    json.dump({
        "p256": p256["KeyId"], "arn": p256["Arn"], "rsa": rsa["KeyId"],
        "id": login["AccessKeyId"], "secret": login["SecretAccessKey"],
    }, file)
os.rename(f"{made}.new", made)
threading.Event().wait()
