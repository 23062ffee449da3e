"""A server that speaks S3's protocol, and that of Google Cloud Storage where it is asked to: moto, with two things mended.

Moto fails with an error of its own where an upload is continued or completed that it does not know; S3 says NoSuchUpload.

No emulator that can be had speaks the XML API of Google's storage, with uploads in parts and preconditions. It was made like
S3's, so little is left to translate: who asks (by a token that a service account has signed), the precondition on an object's
generation, the source of a copy, and the answer to deleting what is not there. Whoever comes with a key of S3 is let through
to moto.

Arguments: the port; and either for Google's protocol the file to which the service account's key is written, or `careless` for
a server that knows no conditions, as some that speak S3's protocol.
"""

import base64
import json
import sys
import time
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.exceptions import NoSuchUpload
from moto.s3.models import S3Backend
from werkzeug.serving import run_simple
from werkzeug.test import run_wsgi_app

SCOPES = {
    "https://www.googleapis.com/auth/devstorage.full_control",
    "https://www.googleapis.com/auth/cloud-platform",
}
ACCOUNT = "lake@tests.iam.gserviceaccount.com"
AS_S3 = "AWS4-HMAC-SHA256 Credential=google/20200101/us-east-1/s3/aws4_request"


def error(start, status, code):
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>".encode()
    start(status, [("Content-Type", "application/xml; charset=UTF-8"), ("Content-Length", str(len(body)))])
    return [body]


class Google:
    def __init__(self, moto, key):
        self.moto, self.key = moto, key

    def knows(self, token):
        """Whether the account has signed the token, for storage and for now."""
        try:
            signed, signature = token.rsplit(".", 1)
            header, claims = (json.loads(decode(part)) for part in signed.split("."))
            self.key.verify(decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except (ValueError, InvalidSignature):
            return False
        in_time = claims["iat"] - 60 <= time.time() < claims["exp"]
        return header["alg"] == "RS256" and claims["iss"] == ACCOUNT and claims["scope"] in SCOPES and in_time

    def __call__(self, request, start):
        authorization = request.get("HTTP_AUTHORIZATION", "")
        if authorization.startswith("AWS4"):
            return self.moto(request, start)
        kind, _, token = authorization.partition(" ")
        if kind != "Bearer" or not self.knows(token):
            return error(start, "401 Unauthorized", "AuthenticationRequired")
        if any(name.startswith("HTTP_X_AMZ") or name in ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH") for name in request):
            return error(start, "400 Bad Request", "UnsupportedHeader")
        request["HTTP_AUTHORIZATION"] = AS_S3
        # Moto does not decode the bucket's name.
        for uri in ("RAW_URI", "REQUEST_URI"):
            bucket, slash, rest = request[uri][1:].partition("/")
            bucket, question, query = bucket.partition("?")
            request[uri] = "/" + unquote(bucket) + question + query + slash + rest
        generation = request.pop("HTTP_X_GOOG_IF_GENERATION_MATCH", None)
        if generation is not None:
            if generation != "0":
                return error(start, "501 Not Implemented", "NotImplemented")
            request["HTTP_IF_NONE_MATCH"] = "*"
        source = request.pop("HTTP_X_GOOG_COPY_SOURCE", None)
        if source is not None:
            request["HTTP_X_AMZ_COPY_SOURCE"] = source
        if request["REQUEST_METHOD"] == "DELETE" and "uploadId=" not in request.get("QUERY_STRING", ""):
            _, status, _ = run_wsgi_app(self.moto, {**request, "REQUEST_METHOD": "HEAD"})
            if status.startswith("404"):
                return error(start, "404 Not Found", "NoSuchKey")
        return self.moto(request, start)


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def account(path):
    """Makes a service account: writes its key as Google does, and returns the public one."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    told = {"type": "service_account", "private_key": pem.decode(), "private_key_id": "1", "client_email": ACCOUNT}
    with open(path, "w") as file:
        json.dump(told, file)
    return key.public_key()


def mend_moto():
    def of_known(call):
        def checked(self, bucket_name, multipart_id, *args, **kwargs):
            if multipart_id not in self.get_bucket(bucket_name).multiparts:
                raise NoSuchUpload(upload_id=multipart_id)
            return call(self, bucket_name, multipart_id, *args, **kwargs)

        return checked

    S3Backend.complete_multipart_upload = of_known(S3Backend.complete_multipart_upload)
    S3Backend.upload_part = of_known(S3Backend.upload_part)


def careless(moto):
    def without_conditions(request, start):
        request.pop("HTTP_IF_NONE_MATCH", None)
        return moto(request, start)

    return without_conditions


def main(port, kind=None):
    mend_moto()
    server = DomainDispatcherApplication(create_backend_app)
    if kind == "careless":
        server = careless(server)
    elif kind:
        server = Google(server, account(kind))
    run_simple("127.0.0.1", int(port), server, threaded=True, request_handler=MotoRequestHandler)


main(*sys.argv[1:])
